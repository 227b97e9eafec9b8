"""How the pages of alerts and drift write times, lengths and kinds."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import template
from django.utils.safestring import SafeString

from monitoring.dashboard.alert_words import kind_of
from monitoring.dashboard.channels import STATES
from monitoring.dashboard.evidence import show
from monitoring.dashboard.history_plot import Point
from monitoring.templatetags.dashboard import badge

register = template.Library()


@register.filter
def field_time(at: datetime | None) -> str:
    """A time as a field of a form takes it, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") if at else ""


@register.filter
def address_time(at: datetime | None) -> str:
    """A time as an address carries it, in UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%MZ") if at else ""


@register.filter
def form_time(text: Any) -> str:
    """What a form was given as a time, as its field takes it again; a time itself, too."""
    if isinstance(text, datetime):
        return field_time(text)
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return ""
    return field_time(at if at.tzinfo else at.replace(tzinfo=UTC))


@register.filter
def floor_time(at: datetime) -> str:
    """The whole minute at or before a time, as an address carries it."""
    return address_time(at)


@register.filter
def ceil_time(at: datetime) -> str:
    """The whole minute at or after a time, as an address carries it."""
    return address_time(at + timedelta(seconds=59))


@register.filter
def duration(length: timedelta) -> str:
    """A length in its two largest units: 3 h 20 min."""
    seconds = int(length.total_seconds())
    units = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))
    parts = []
    for size, unit in units:
        n, seconds = divmod(seconds, size)
        if n:
            parts.append(f"{n} {unit}")
    return " ".join(parts[:2]) or "0 s"


@register.filter
def kind_title(kind: str) -> str:
    return kind_of(kind).title


@register.filter
def told(point: Point) -> str:
    """What one point of a drawing stands for."""
    return point.told


@register.filter
def shown(value: Any) -> str:
    """A number in a few characters; nothing is a dash."""
    return show(value)


@register.filter
def verdict(value: str) -> SafeString:
    """A verdict as a badge, in words."""
    kinds = {"OK": "good", "DRIFT": "bad", "DEGRADED": "bad", "BREACH": "bad"}
    return badge(str(value).replace("_", " ").lower(), kinds.get(str(value), ""))


@register.filter
def delivery(state: str) -> SafeString:
    """How far a message is, as a badge."""
    word, kind = STATES.get(state, (state, ""))
    return badge(word, kind)
