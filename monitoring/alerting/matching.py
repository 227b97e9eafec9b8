"""Which channels hear of an alert, and which silences keep it from them."""

from collections.abc import Iterable
from datetime import datetime
from fnmatch import fnmatchcase

from django.db.models import Q, QuerySet

from monitoring.models import Alert, Channel, Silence
from monitoring.severity import Severity


def load_channels(alert: Alert) -> list[Channel]:
    """The enabled channels for a model and severity like this."""
    rank = Severity(alert.severity).rank
    return [
        channel
        for channel in Channel.objects.filter(is_enabled=True)
        if fnmatchcase(alert.model, channel.models_matching)
        and Severity(channel.min_severity).rank <= rank
    ]


def active_silences(now: datetime) -> QuerySet[Silence]:
    return Silence.objects.filter(until_at__gt=now)


def silenced_until(alert: Alert, silences: Iterable[Silence]) -> datetime | None:
    """When the last of the silences that match ends; None where none does."""
    return max((each.until_at for each in silences if _matches(each, alert)), default=None)


def load_silenced_until(alert: Alert, now: datetime) -> datetime | None:
    found = active_silences(now).filter(
        Q(model="") | Q(model=alert.model),
        Q(version=None) | Q(version=alert.version),
        Q(kind="") | Q(kind=alert.kind),
    )
    return silenced_until(alert, found)


def _matches(silence: Silence, alert: Alert) -> bool:
    return (
        silence.model in ("", alert.model)
        and silence.version in (None, alert.version)
        and silence.kind in ("", alert.kind)
    )
