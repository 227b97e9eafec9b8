"""Query parameters of evaluations and of drift on request, read strictly."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitoring.api.params import parse_choice, parse_count, parse_version, refuse_unknown
from monitoring.errors import InvalidFilter
from monitoring.evaluating.exploring import DEFAULT_ALPHA, MOST_LAST, DriftQuery
from monitoring.models import MonitorKind
from monitoring.verdicts import Verdict
from monitoring.windows import parse_time, parse_window

MONITORS = ("model", "kind", "cursor", "limit")
EVALUATIONS = (
    "model",
    "version",
    "kind",
    "monitor",
    "verdict",
    "from",
    "to",
    "cursor",
    "limit",
)
DRIFT = (
    "version",
    "from",
    "to",
    "last",
    "against_from",
    "against_to",
    "detectors",
    "explain",
    "alpha",
)
_AGAINST = ("against_from", "against_to")
_LARGEST_ID = 2**31 - 1


def parse_evaluations(params: Mapping[str, str]) -> dict[str, Any]:
    """What a list of evaluations is narrowed to. Raises InvalidFilter or InvalidWindow."""
    refuse_unknown(params, EVALUATIONS)
    kind = parse_choice(params, "kind", MonitorKind.values)
    monitor = parse_count(params, "monitor", 0, at_most=_LARGEST_ID)
    return {
        "model": params.get("model"),
        "version": parse_version(params.get("version")),
        "kinds": (kind,) if kind else (),
        "monitor": monitor or None,
        "verdict": parse_choice(params, "verdict", list(Verdict)),
        "start": parse_time(params["from"], "from") if params.get("from") else None,
        "end": parse_time(params["to"], "to") if params.get("to") else None,
    }


def parse_drift(model: str, params: Mapping[str, str], *, now: datetime) -> DriftQuery:
    """What a request for drift asks for. Raises InvalidFilter or InvalidWindow.

    Without `last` the window is as everywhere: the last 24 hours without `from` and `to`.
    """
    refuse_unknown(params, DRIFT)
    has_window = bool(params.get("from") or params.get("to"))
    last = parse_count(params, "last", 0, at_most=MOST_LAST) or None
    if last and has_window:
        raise _invalid("last", "stands for the newest predictions: leave out 'from' and 'to'")
    window = None if last else parse_window(params.get("from"), params.get("to"), now=now)
    against = None
    if any(params.get(name) for name in _AGAINST):
        start, end = (params.get(name) for name in _AGAINST)
        against = parse_window(start, end, now=now, fields=_AGAINST)
    names = [name.strip() for name in params.get("detectors", "").split(",")]
    return DriftQuery(
        model=model,
        version=parse_version(params.get("version")),
        window=window,
        last=last,
        against=against,
        detectors=tuple(name for name in names if name),
        explain=parse_choice(params, "explain", ("yes", "no")) == "yes",
        alpha=_alpha(params.get("alpha")),
    )


def _alpha(text: str | None) -> float:
    if not text:
        return DEFAULT_ALPHA
    try:
        alpha = float(text)
    except ValueError:
        alpha = 0.0
    if not 0 < alpha <= 0.5:
        raise _invalid("alpha", "must be a probability above 0 and at most 0.5")
    return alpha


def _invalid(field: str, remedy: str) -> InvalidFilter:
    return InvalidFilter(f"{field!r} {remedy}.", details={"field": field})
