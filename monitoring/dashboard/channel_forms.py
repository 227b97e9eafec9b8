"""The forms of channels, one for each kind. Secrets go in and never come out again."""

from collections.abc import Mapping
from typing import Any

from django import forms

from monitoring.models import Channel, ChannelKind
from monitoring.notifiers.email import MOST_ADDRESSES
from monitoring.notifiers.webhook import LONGEST_SECRET, SHORTEST_SECRET
from monitoring.severity import Severity

COMMON = ("name", "models_matching", "min_severity")
KEEP = "Leave empty to keep what is set."
_LONGEST_URL = 2000


def _secret(label: str, help_text: str, *, longest: int = _LONGEST_URL) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=label, max_length=longest, widget=widget, help_text=help_text)


def _address(example: str, help_text: str) -> forms.CharField:
    widget = forms.TextInput(attrs={"placeholder": example, "autocomplete": "off"})
    return forms.CharField(
        label="Address", max_length=_LONGEST_URL, widget=widget, help_text=help_text
    )


class ChannelForm(forms.Form):
    """What every channel has. `config_fields` names what its kind needs besides.

    Where `is_new` is false, empty fields of the config keep what is set.
    """

    config_fields: tuple[str, ...] = ()

    name = forms.CharField(max_length=80, help_text="How people call it, such as on-call.")
    models_matching = forms.CharField(
        label="Models",
        max_length=200,
        initial="*",
        help_text="Pattern of namespace/name: * is every model, acme/* those of acme.",
    )
    min_severity = forms.ChoiceField(
        label="From which severity on",
        choices=[(each.value, each.value) for each in Severity],
        initial=Severity.WARNING.value,
        help_text="info: drift alone; warning: drift with an estimated loss, missing traffic; "
        "critical: labels show that the model is worse, or nobody is answered.",
    )

    def __init__(self, *args: Any, is_new: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if is_new:
            return
        for name in self.config_fields:
            field = self.fields[name]
            field.required = False
            field.help_text = f"{field.help_text} {KEEP}"

    def config(self) -> dict[str, Any]:
        """The config that was given, without what was left empty."""
        given = {name: self.cleaned_data[name] for name in self.config_fields}
        return {name: value for name, value in given.items() if value}

    def common(self) -> dict[str, Any]:
        return {name: self.cleaned_data[name] for name in COMMON}


class EmailForm(ChannelForm):
    config_fields = ("to",)

    to = forms.CharField(
        label="Addresses",
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=f"One a line, {MOST_ADDRESSES} at most.",
    )

    def clean_to(self) -> list[str]:
        return [line.strip() for line in self.cleaned_data["to"].splitlines() if line.strip()]


class WebhookForm(ChannelForm):
    config_fields = ("url", "secret")

    url = _address(
        "https://ops.example.org/hooks/bellwether",
        "A public address by https, or a host that BELLWETHER_WEBHOOK_HOSTS lists.",
    )
    secret = _secret(
        "Secret",
        f"{SHORTEST_SECRET} characters or more. The receiver checks the signature with it; "
        "it is never shown again.",
        longest=LONGEST_SECRET,
    )


class AppriseForm(ChannelForm):
    config_fields = ("url",)

    url = _secret(
        "Apprise address",
        "Such as slack://token-a/token-b/token-c; it holds the tokens and is never shown again.",
    )


class AlertmanagerForm(ChannelForm):
    config_fields = ("url", "token")

    url = _address(
        "http://alertmanager:9093",
        "Of the Alertmanager itself; a private host must be listed in BELLWETHER_WEBHOOK_HOSTS.",
    )
    token = _secret("Token", "If a proxy in front of it asks for one; it is never shown again.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["token"].required = False


class MemoryForm(ChannelForm):
    config_fields = ("box",)

    box = forms.CharField(max_length=80, help_text="The name of the box that messages lie in.")


FORMS: Mapping[str, type[ChannelForm]] = {
    ChannelKind.EMAIL.value: EmailForm,
    ChannelKind.WEBHOOK.value: WebhookForm,
    ChannelKind.APPRISE.value: AppriseForm,
    ChannelKind.ALERTMANAGER.value: AlertmanagerForm,
    ChannelKind.MEMORY.value: MemoryForm,
}


def form_of(kind: str, data: Mapping[str, Any] | None, channel: Channel | None) -> ChannelForm:
    """The form of a kind, for a new channel or for one to change. Raises KeyError."""
    initial = {name: getattr(channel, name) for name in COMMON} if channel else None
    return FORMS[kind](data, initial=initial, is_new=channel is None)


def place_error(form: ChannelForm, details: Mapping[str, Any] | None, message: str) -> None:
    """Show an error at the field that it names: `config.url` is the field `url`."""
    field = str((details or {}).get("field", "")).removeprefix("config.")
    form.add_error(field if field in form.fields else None, message)
