"""How numbers, times and states are written on the dashboard's pages."""

import json
from datetime import datetime, timedelta
from typing import Any

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from monitoring.models import AlertState
from monitoring.severity import Severity

register = template.Library()

NOTHING = "–"
KINDS = {
    Severity.INFO.value: "info",
    Severity.WARNING.value: "warn",
    Severity.CRITICAL.value: "bad",
    AlertState.FIRING.value: "bad",
    AlertState.PENDING.value: "warn",
    AlertState.RESOLVED.value: "good",
    "OK": "good",
    "DRIFT": "bad",
    "DEGRADED": "bad",
    "BREACH": "bad",
    "sealed": "good",
    "damaged": "bad",
    "live": "good",
    "shadow": "info",
    "canary": "info",
}
"""State → how its badge looks; one that is missing is neutral."""


@register.simple_tag
def badge(state: Any, kind: str = "") -> SafeString:
    """A state as a word in its colour; `kind` is good, warn, bad or info where it is known."""
    kind = kind or KINDS.get(str(state), "")
    looks = f"bw-badge bw-badge--{kind}" if kind else "bw-badge"
    return format_html('<span class="{}">{}</span>', looks, str(state).replace("_", " "))


@register.filter
def count(value: int | None) -> str:
    """1234567 → 1,234,567."""
    return NOTHING if value is None else f"{value:,}"


@register.filter
def rate(value: float | None) -> str:
    """A share in [0, 1] or a score, with three digits: .9134 → 0.913."""
    return NOTHING if value is None else f"{value:.3f}"


@register.filter
def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"


@register.filter
def milliseconds(seconds: float | None) -> str:
    """Seconds as milliseconds: 0.01234 → 12.3 ms."""
    return NOTHING if seconds is None else f"{1000 * seconds:,.1f} ms"


@register.filter
def megabytes(n_bytes: int | None) -> str:
    return NOTHING if n_bytes is None else f"{n_bytes / 1e6:,.1f} MB"


@register.filter
def ago(at: datetime | None) -> SafeString | str:
    """A time as its distance from now, the time itself in its title."""
    if at is None:
        return NOTHING
    passed = timezone.now() - at
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.isoformat(),
        at.strftime("%Y-%m-%d %H:%M:%S UTC"),
        describe(passed),
    )


def describe(passed: timedelta) -> str:
    """A distance in its largest unit: 95 s → 1 min ago; of the future: in 1 min."""
    seconds = abs(passed.total_seconds())
    for length, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= length:
            text = f"{int(seconds // length)} {unit}"
            break
    else:
        text = f"{int(seconds)} s"
    return f"in {text}" if passed.total_seconds() < -1 else f"{text} ago"


@register.filter
def share(value: float | None) -> str:
    """A share in [0, 1] as a percentage for a bar's width: 0.9134 → 91.3."""
    return f"{100 * min(1.0, max(0.0, value or 0.0)):.1f}"


@register.filter
def answer_parts(answer: str | None) -> list[tuple[str, list[str]]]:
    """A kept answer as names with lines: one for a text or number, one for each item of a list.

    >>> answer_parts('{"entities":[{"word":"Ann","score":0.98765}],"is_cut":true}')
    [('entities', ['word: Ann, score: 0.988']), ('is cut', ['yes'])]
    """
    if answer is None:
        return []
    parts = json.loads(answer).items()
    return [
        (name.replace("_", " "), [_line(each) for each in value if each != []] or ["none"])
        if isinstance(value, list)
        else (name.replace("_", " "), [_line(value)])
        for name, value in parts
    ]


def _line(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name.replace('_', ' ')}: {_line(it)}" for name, it in value.items())
        case list():
            return "; ".join(map(_line, value))
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3f}"
    return str(value)
