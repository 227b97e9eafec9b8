"""Which shares changed most: what a finding shows of a list of counts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from monitoring.drift.grids import Counts, Floats

_MOST_SHOWN = 10


def largest_changes(
    names: Sequence[str], reference: Counts, window: Counts
) -> list[dict[str, Any]]:
    """At most ten names with their shares, the one that changed most first."""
    before, now = _shares(reference), _shares(window)
    order = np.argsort(-np.abs(now - before), kind="stable")[:_MOST_SHOWN]
    return [
        {"name": names[i], "reference": _rounded(before[i]), "window": _rounded(now[i])}
        for i in order
    ]


def as_counts(
    reference: Mapping[str, int], window: Mapping[str, int]
) -> tuple[tuple[str, ...], Counts, Counts]:
    """The names of either, and both counts of them."""
    names = tuple(sorted({*reference, *window}))
    before = np.array([reference.get(name, 0) for name in names], dtype=np.int64)
    now = np.array([window.get(name, 0) for name in names], dtype=np.int64)
    return names, before, now


def _shares(counts: Counts) -> Floats:
    return counts / max(int(counts.sum()), 1)


def _rounded(share: float) -> float:
    return round(float(share), 6)
