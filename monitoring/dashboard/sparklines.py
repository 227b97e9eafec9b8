"""A row of numbers as a line without axes, and the same in words. Pure: geometry, no markup."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 160, 32
# Room for the line's own width at the top and for the last dot at the right.
_MARGIN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sparkline:
    """`line` and `area` are the `points` of SVG shapes in a box of WIDTH x HEIGHT; `x` and `y` are
    where the last number is; `text` says what the picture shows.
    """

    line: str
    area: str
    x: float
    y: float
    text: str


def draw(values: Sequence[int], *, what: str) -> Sparkline | None:
    """The line of `values`, oldest first, from zero up; None for fewer than two, or nothing but 0.

    >>> draw([0, 10, 5], what="An hour").text
    'An hour: from 0 to 10, at last 5.'
    """
    if len(values) < 2 or not any(values):
        return None
    top = max(values)
    step = (WIDTH - 2 * _MARGIN) / (len(values) - 1)
    places = [
        (round(_MARGIN + i * step, 1), round(_height_of(value / top), 1))
        for i, value in enumerate(values)
    ]
    line = " ".join(f"{x},{y}" for x, y in places)
    base = HEIGHT - _MARGIN / 2
    last_x, last_y = places[-1]
    return Sparkline(
        line=line,
        area=f"{places[0][0]},{base} {line} {last_x},{base}",
        x=last_x,
        y=last_y,
        text=f"{what}: from {min(values):,} to {top:,}, at last {values[-1]:,}.",
    )


def _height_of(share: float) -> float:
    room = HEIGHT - 2 * _MARGIN
    return _MARGIN + room * (1 - share)
