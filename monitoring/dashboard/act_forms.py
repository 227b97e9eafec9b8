"""What the pages of acts ask for, besides a yes."""

from typing import Any

from django import forms

from registry.listing import BranchFacts, SnapshotFacts
from registry.names import MAX_NAME_CHARS
from registry.specs import Pooling, Stickiness

MAX_ENDPOINT_CHARS = 96
# As the registry's columns; it refuses longer ones by itself.
MAX_TEXT_CHARS = 500
POOLINGS = [("", "as the files say"), *((kind.value, kind.value) for kind in Pooling)]
STICKINESS = [
    (Stickiness.KEY.value, "one version for each API key"),
    (Stickiness.REQUEST.value, "each request is drawn anew"),
]


class ShareForm(forms.Form):
    """How much of the traffic."""

    percent = forms.IntegerField(
        min_value=1,
        max_value=100,
        label="Percent of the traffic",
        help_text="From 1 to 100. A canary takes its share from the stable version's.",
    )


class ReasonForm(forms.Form):
    """Why it is done, and what the person was shown before."""

    reason = forms.CharField(
        max_length=MAX_TEXT_CHARS,
        required=False,
        help_text="Kept in the audit log for whoever asks later.",
    )
    seen = forms.IntegerField(widget=forms.HiddenInput())

    def __init__(self, *args: Any, needs_reason: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if needs_reason:
            self.fields["reason"].required = True
            self.fields["reason"].help_text = "Needed: it is kept in the audit log."


class ConfirmShareForm(ReasonForm, ShareForm):
    """The share again, out of sight, with the reason."""

    field_order = ("reason",)
    percent = forms.IntegerField(min_value=1, max_value=100, widget=forms.HiddenInput())


class RestoreForm(ReasonForm):
    """Which backup. An audit event has no place for why: the files say what was done."""

    field_order = ("snapshot",)
    reason = None  # type: ignore[assignment]
    snapshot = forms.ChoiceField(
        label="Backup", help_text="As they were written from here, the newest first."
    )

    def __init__(self, *args: Any, snapshots: tuple[SnapshotFacts, ...], **kwargs: Any) -> None:
        forms.Form.__init__(self, *args, **kwargs)
        field = self.fields["snapshot"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(f"{each.target}|{each.name}", _told(each)) for each in snapshots]


class ConfirmRoutesForm(ReasonForm):
    """The routes that were shown, out of sight, with the reason."""

    routes = forms.CharField(widget=forms.HiddenInput())
    stickiness = forms.ChoiceField(choices=STICKINESS, widget=forms.HiddenInput())
    force = forms.BooleanField(required=False, widget=forms.HiddenInput())

    def clean(self) -> dict[str, Any]:
        values: dict[str, Any] = super().clean() or self.cleaned_data
        if values.get("force") and not values.get("reason"):
            self.add_error("reason", "Say why versions of another task or other labels answer.")
        return values


class SealForm(forms.Form):
    """Which branch becomes the next version."""

    branch = forms.ChoiceField(
        help_text="Its last commit becomes a version that never changes; the branch stays."
    )
    note = forms.CharField(
        max_length=MAX_TEXT_CHARS, required=False, help_text="A sentence kept with the version."
    )
    pooling = forms.ChoiceField(
        choices=POOLINGS,
        required=False,
        help_text="How the last hidden states become one vector.",
    )

    def __init__(self, *args: Any, branches: tuple[BranchFacts, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["branch"]
        assert isinstance(field, forms.ChoiceField)  # noqa: S101 - for the type checker
        field.choices = [(each.name, _branch(each)) for each in branches]


class EndpointForm(forms.Form):
    """Which inference endpoint; never an address."""

    owner = forms.CharField(
        max_length=MAX_ENDPOINT_CHARS,
        label="Account",
        help_text="The account or organisation that owns the endpoint.",
    )
    endpoint = forms.CharField(max_length=MAX_ENDPOINT_CHARS, help_text="Its name there.")
    labels = forms.CharField(
        max_length=MAX_TEXT_CHARS,
        required=False,
        help_text="Separated by commas. Left empty, the endpoint is asked for them.",
    )
    note = forms.CharField(
        max_length=MAX_TEXT_CHARS, required=False, help_text="A sentence kept with the version."
    )


class ModelForm(forms.Form):
    """A model to make."""

    name = forms.CharField(
        max_length=MAX_NAME_CHARS, help_text="namespace/name, such as team/sentiment."
    )
    description = forms.CharField(
        max_length=MAX_TEXT_CHARS, required=False, help_text="What it is for, in a sentence."
    )


class DeleteForm(forms.Form):
    """The name again, so that nobody deletes by a slip."""

    name = forms.CharField(
        max_length=2 * MAX_NAME_CHARS, label="The model's name", help_text="Type it to confirm."
    )
    reason = forms.CharField(
        max_length=MAX_TEXT_CHARS,
        required=False,
        help_text="Kept in the audit log for whoever asks later.",
    )

    force = forms.BooleanField(
        required=False,
        label="Also while it answers requests",
        help_text="Then nobody gets an answer from it any more; needs a reason.",
    )

    def __init__(self, *args: Any, model: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._model = model

    def clean_name(self) -> str:
        name = str(self.cleaned_data["name"]).strip()
        if name != self._model:
            raise forms.ValidationError("This is not the name of the model.")
        return name


def _told(snapshot: SnapshotFacts) -> str:
    check = {True: ", checked and sound", False: ", found damaged", None: ""}[snapshot.is_sound]
    at = f"{snapshot.created_at:%Y-%m-%d %H:%M} UTC"
    return f"{at} at {snapshot.target}, {snapshot.n_bytes / 1e6:,.1f} MB{check}"


def _branch(branch: BranchFacts) -> str:
    sealed = f", sealed as version {branch.number}" if branch.number else ""
    return f"{branch.name}: {branch.title[:80]} ({branch.commit[:12]}{sealed})"
