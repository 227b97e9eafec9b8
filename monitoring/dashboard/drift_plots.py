"""What two sides look like next to each other: shares of names, and histograms of numbers. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from monitoring.drift import grids
from monitoring.drift.grids import Counts, Floats
from monitoring.drift.sums import Sums, aligned

WIDTH, HEIGHT = 320.0, 96.0
MOST_NAMES = 8
MOST_BARS = 24


@dataclass(frozen=True, slots=True)
class Share:
    """One name's shares on either side, in percent."""

    name: str
    window: float
    reference: float


@dataclass(frozen=True, slots=True)
class Shares:
    title: str
    rows: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of the window's histogram, in a box of WIDTH by HEIGHT."""

    x: float
    y: float
    width: float
    height: float
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """`bars` are the window's, `line` the steps of the other side's outline.

    `low` and `high` are the ends of the axis, the medians those of each side.
    """

    title: str
    bars: tuple[Bar, ...]
    line: str
    low: str
    high: str
    window_median: str
    reference_median: str
    width: float = WIDTH
    height: float = HEIGHT


def shares(reference: Sums, window: Sums) -> tuple[Shares, ...]:
    """Labels, languages and scripts, as far as both sides have them."""
    before, now = aligned(reference, window)
    labels = dict(zip(before.labels, before.label_counts.tolist(), strict=True))
    new_labels = dict(zip(now.labels, now.label_counts.tolist(), strict=True))
    found = [
        _shares("Answers", labels, new_labels),
        _shares("Languages", before.languages, now.languages),
        _shares("Writing systems", before.scripts, now.scripts),
    ]
    return tuple(each for each in found if each.rows)


def histograms(reference: Sums, window: Sums) -> tuple[Histogram, ...]:
    """Confidence, lengths and latencies, as far as both sides have them."""
    found = [
        _histogram(
            "Confidence",
            reference.confidence.sum(axis=0),
            window.confidence.sum(axis=0),
            grids.PROBABILITY,
        ),
        _histogram("Length, tokens", reference.tokens, window.tokens, grids.TOKENS),
        _histogram("Latency, ms", reference.seconds, window.seconds, 1000 * grids.SECONDS),
    ]
    return tuple(each for each in found if each is not None)


def _shares(title: str, before: Mapping[str, int], now: Mapping[str, int]) -> Shares:
    n_before, n_now = sum(before.values()), sum(now.values())
    if not n_before or not n_now:
        return Shares(title, ())
    rows = [
        Share(name, 100 * now.get(name, 0) / n_now, 100 * before.get(name, 0) / n_before)
        for name in sorted({*before, *now})
    ]
    largest = sorted(rows, key=lambda row: -max(row.window, row.reference))[:MOST_NAMES]
    return Shares(title, tuple(largest))


def _histogram(title: str, reference: Counts, window: Counts, edges: Floats) -> Histogram | None:
    """None where a side has nothing but values below the range, as what was not measured has."""
    if not reference[1:].any() or not window[1:].any():
        return None
    places = np.flatnonzero(reference + window)
    first, last = int(places[0]), int(places[-1])
    groups = _runs(first, last)
    now, before = _grouped(window, groups), _grouped(reference, groups)
    top = max(*now, *before)
    width = WIDTH / len(groups)
    ends = [(_low(edges, a), _high(edges, b)) for a, b in groups]
    bars = tuple(
        Bar(
            round(i * width + 0.5, 1),
            round(HEIGHT * (1 - share / top), 1),
            round(width - 1, 1),
            round(HEIGHT * share / top, 1),
            f"{_shown(low)} to {_shown(high)}: {100 * share:.1f} % of the window, "
            f"{100 * other:.1f} % of the other side",
        )
        for i, (share, other, (low, high)) in enumerate(zip(now, before, ends, strict=True))
    )
    return Histogram(
        title=title,
        bars=bars,
        line=_steps([HEIGHT * (1 - share / top) for share in before], width),
        low=_shown(ends[0][0]),
        high=_shown(ends[-1][1]),
        window_median=_shown(_median(window, edges)),
        reference_median=_shown(_median(reference, edges)),
    )


def _runs(first: int, last: int) -> list[tuple[int, int]]:
    """Runs of neighbouring bins, as many as can be told apart."""
    size = -(-(last - first + 1) // MOST_BARS)
    return [(i, min(i + size - 1, last)) for i in range(first, last + 1, size)]


def _grouped(counts: Counts, groups: Sequence[tuple[int, int]]) -> list[float]:
    total = int(counts.sum())
    return [float(counts[a : b + 1].sum()) / total for a, b in groups]


def _steps(heights: Sequence[float], width: float) -> str:
    points = []
    for i, y in enumerate(heights):
        points += [f"{i * width:.1f},{y:.1f}", f"{(i + 1) * width:.1f},{y:.1f}"]
    return " ".join(points)


def _low(edges: Floats, place: int) -> float:
    return float(edges[place - 1]) if place else 0.0


def _high(edges: Floats, place: int) -> float:
    return float(edges[min(place, len(edges) - 1)])


def _median(counts: Counts, edges: Floats) -> float:
    place = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return float(grids.middles(edges)[min(place, len(edges))])


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
