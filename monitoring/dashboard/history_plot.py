"""A monitor's recent values against its threshold, as the coordinates of a small drawing. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

WIDTH, HEIGHT, MARGIN = 640.0, 140.0, 8.0
_SMALLEST = 1e-12


@dataclass(frozen=True, slots=True)
class Reading:
    """One evaluation: what was measured, and with what it was compared."""

    at: datetime
    value: float | None
    threshold: float | None
    p_value: float | None
    alpha: float | None
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Point:
    x: float
    y: float
    is_bad: bool
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryPlot:
    """`line` and `limit` are points of polylines in a box of WIDTH by HEIGHT.

    `name` says what the vertical axis is, `low` and `high` its ends in the same unit.
    """

    name: str
    line: str
    limit: str
    points: tuple[Point, ...]
    low: str
    high: str
    start: datetime
    end: datetime
    n_bad: int
    width: float = WIDTH
    height: float = HEIGHT


def draw(readings: Sequence[Reading]) -> HistoryPlot | None:
    """The drawing of at least two readings in order of time, or None.

    Values with a threshold are drawn as they are, over three powers of ten on a logarithmic scale;
    tests without one by how improbable their p-values are.
    """
    if any(r.value is not None and r.threshold is not None for r in readings):
        name, pairs = _by_value(readings)
    else:
        name = "how improbable by chance: 2 means p = 0.01, 3 means p = 0.001"
        pairs = [
            (r, _depth(r.p_value), _depth(r.alpha))
            for r in readings
            if r.p_value is not None and r.alpha is not None
        ]
    if len(pairs) < 2:
        return None
    heights = [y for _, value, limit in pairs for y in (value, limit)]
    low, high = min(0.0, *heights), max(heights)
    high = high if high > low else low + 1
    first, last = pairs[0][0].at, pairs[-1][0].at
    span = max((last - first).total_seconds(), 1.0)

    def place(at: datetime, y: float) -> tuple[float, float]:
        x = MARGIN + (WIDTH - 2 * MARGIN) * (at - first).total_seconds() / span
        return x, HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (y - low) / (high - low)

    points = tuple(
        Point(*_rounded(place(r.at, value)), r.is_bad, _told(r)) for r, value, _ in pairs
    )
    limits = [_rounded(place(r.at, limit)) for r, _, limit in pairs]
    return HistoryPlot(
        name=name,
        line=" ".join(f"{point.x},{point.y}" for point in points),
        limit=" ".join(f"{x},{y}" for x, y in limits),
        points=points,
        low=f"{low:.3g}",
        high=f"{high:.3g}",
        start=first,
        end=last,
        n_bad=sum(point.is_bad for point in points),
    )


def _by_value(readings: Sequence[Reading]) -> tuple[str, list[tuple[Reading, float, float]]]:
    pairs = [
        (r, float(r.value), float(r.threshold))
        for r in readings
        if r.value is not None and r.threshold is not None
    ]
    sizes = [abs(y) for _, value, limit in pairs for y in (value, limit) if y]
    if min(sizes, default=1) * 1000 > max(sizes, default=1):
        return "value", pairs
    logs = [(r, _log(value), _log(limit)) for r, value, limit in pairs]
    return "value, in powers of ten", logs


def _log(value: float) -> float:
    return math.log10(max(value, 1.0))


def _depth(p: float | None) -> float:
    return -math.log10(max(p or 0.0, _SMALLEST))


def _rounded(place: tuple[float, float]) -> tuple[float, float]:
    return round(place[0], 1), round(place[1], 1)


def _told(r: Reading) -> str:
    parts = [f"{r.at:%Y-%m-%d %H:%M} UTC"]
    if r.value is not None:
        parts.append(f"value {r.value:.4g}")
    if r.threshold is not None:
        parts.append(f"threshold {r.threshold:.4g}")
    if r.p_value is not None:
        parts.append(f"p = {r.p_value:.2g}")
    return ", ".join([*parts, "bad" if r.is_bad else "good"])
