"""Percentiles and medians of what was measured. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from statistics import median
from typing import TypeVar

T = TypeVar("T")


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which `share` (0 to 1) of the ascending `ordered` lie, interpolated.

    The linear rule, numpy's default; NaN when nothing was measured.
    """
    if not ordered:
        return math.nan
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median_of(items: Iterable[T], measure: Callable[[T], float]) -> float:
    """Return the median of `measure` over `items`; NaN for none, or if any round has no figure."""
    values = [measure(item) for item in items]
    if not values or any(math.isnan(value) for value in values):
        return math.nan
    return median(values)


def ratio(part: float, whole: float) -> float:
    """Return part ÷ whole; NaN where that has no meaning."""
    return part / whole if whole > 0 else math.nan
