"""A question that a monitor asks at one time, and the answer to it. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from monitoring.severity import Severity
from monitoring.verdicts import Verdict

# An answer is kept for a year: longer lists are cut.
MOST_LISTED = 20
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of one version at one time.

    `alpha` is the false-alarm probability that this one evaluation may spend. `window` counts
    predictions where `by_count`, otherwise seconds. `live_since` is when the version began to
    answer, None where it is watched without being live.
    """

    model: str
    version: int
    at: datetime
    window: int
    by_count: bool
    alpha: float
    live_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What was found, with the numbers that it rests on; `details` are JSON.

    `severity` is what the verdict weighs if it is bad. `threshold` is what `value` was compared
    with; `effect` how large the change is, on the scale of its kind.
    """

    verdict: Verdict
    summary: str
    severity: Severity = Severity.INFO
    value: float | None = None
    threshold: float | None = None
    p_value: float | None = None
    effect: float | None = None
    alpha: float | None = None
    reference: int | None = None
    n_reference: int = 0
    n_window: int = 0
    window_start: datetime | None = None
    window_end: datetime | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


def insufficient(why: str, **numbers: Any) -> Answer:
    """Too little data, for the reason `why`: a verdict of its own."""
    return Answer(verdict=Verdict.INSUFFICIENT_DATA, summary=why, **numbers)


def plain(value: Any) -> Any:
    """`value` as JSON that every database takes: rounded, without NaN, lists cut."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in list(value)[:MOST_LISTED]]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return _rounded(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def finite(value: float | None) -> float | None:
    """`value`, or None where it is no finite number."""
    return float(value) if value is not None and math.isfinite(value) else None


def percent(share: float) -> str:
    """A share as people read it."""
    return f"{100 * share:.1f} %"


def _rounded(value: float) -> float | None:
    return float(f"{value:.{_DIGITS}g}") if math.isfinite(value) else None
