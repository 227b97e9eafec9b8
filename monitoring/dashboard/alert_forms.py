"""The forms of acts on alerts: acknowledge one, or silence what matches for a time."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

from monitoring.alerting.services import MAX_REASON_CHARS
from monitoring.alerting.silences import LONGEST
from monitoring.dashboard.alert_words import kind_of
from monitoring.models import MonitorKind

LENGTHS = {
    "1h": ("1 hour", timedelta(hours=1)),
    "8h": ("8 hours", timedelta(hours=8)),
    "1d": ("1 day", timedelta(days=1)),
    "7d": ("7 days", timedelta(days=7)),
}
UNTIL = "until"


class AcknowledgeForm(forms.Form):
    note = forms.CharField(
        required=False,
        max_length=MAX_REASON_CHARS,
        widget=forms.TextInput(),
        help_text="What you are doing about it; others read it here.",
    )


class SilenceForm(forms.Form):
    """What is kept back, and for how long; an empty field matches everything."""

    model = forms.ChoiceField(required=False)
    version = forms.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="Empty: every version."
    )
    kind = forms.ChoiceField(required=False, label="Kind of alert")
    length = forms.ChoiceField(label="How long")
    until = forms.DateTimeField(
        required=False,
        label="Until (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text=f"Only for «until a time»; at most {LONGEST.days} days ahead.",
    )
    note = forms.CharField(
        required=False,
        max_length=MAX_REASON_CHARS,
        widget=forms.TextInput(),
        help_text="Why nobody needs to hear of it, such as planned work.",
    )

    def __init__(self, *args: Any, models: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["model"].choices = [  # type: ignore[attr-defined]
            ("", "all models"),
            *((name, name) for name in models),
        ]
        self.fields["kind"].choices = [  # type: ignore[attr-defined]
            ("", "every kind"),
            *((kind, f"{kind_of(kind).title} ({kind})") for kind in MonitorKind.values),
        ]
        self.fields["length"].choices = [  # type: ignore[attr-defined]
            *((name, told) for name, (told, _) in LENGTHS.items()),
            (UNTIL, "until a time"),
        ]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("length") == UNTIL and not given.get("until"):
            self.add_error("until", "Say until when.")
        return given

    def read(self, now: datetime) -> dict[str, Any]:
        """What `silence` takes, beside who asks."""
        given: Mapping[str, Any] = self.cleaned_data
        chosen = LENGTHS.get(given["length"])
        # Without a zone, as a date field of a browser sends it, a time is UTC.
        until = now + chosen[1] if chosen else given["until"].replace(tzinfo=UTC)
        names = ("model", "version", "kind", "note")
        return {name: given[name] for name in names} | {"until": until}
