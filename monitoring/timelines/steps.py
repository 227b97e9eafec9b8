"""How a window is cut into the steps of a chart. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from monitoring.windows import Buckets, Grain, Window

Places = npt.NDArray[np.int64]

MOST_STEPS = 200
MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400
UNDER_A_MINUTE = (5, 15, 30)
LADDER = (
    *(MINUTE_S, 5 * MINUTE_S, 15 * MINUTE_S),
    *(HOUR_S, 3 * HOUR_S, 6 * HOUR_S, 12 * HOUR_S),
    *(DAY_S, 2 * DAY_S, 7 * DAY_S, 14 * DAY_S, 30 * DAY_S),
)
SHORT = timedelta(minutes=30)
"""Only windows up to this long have steps under a minute: those are read from the rows."""


@dataclass(frozen=True, slots=True)
class Steps:
    """`n` steps of `step_s` seconds from `start_s`, in seconds since the epoch."""

    start_s: int
    step_s: int
    n: int

    @property
    def window(self) -> Window:
        return Window(_at(self.start_s), _at(self.start_s + self.n * self.step_s))

    @property
    def times(self) -> list[int]:
        """When each step begins."""
        return [self.start_s + i * self.step_s for i in range(self.n)]

    @property
    def grain(self) -> Grain:
        """The longest buckets that steps are made of; steps under a minute have none."""
        if self.step_s < HOUR_S:
            return Grain.MINUTE
        return Grain.HOUR if self.step_s < DAY_S else Grain.DAY

    @property
    def run(self) -> Buckets:
        """The buckets that all steps are made of."""
        return Buckets(self.grain, self.window.start, self.window.end)

    def place(self, at: datetime) -> int:
        """The step that holds `at`; below 0 or from `n` on where none does."""
        return (int(at.timestamp()) - self.start_s) // self.step_s

    def span(self, start: datetime, end: datetime) -> slice:
        """The steps that [start, end) touches."""
        last = (int(end.timestamp()) - 1 - self.start_s) // self.step_s
        return slice(max(self.place(start), 0), max(last + 1, 0))

    def n_begun(self, now: datetime) -> int:
        """How many steps have begun by `now`: the others are the future, in which nothing is."""
        return min(max(self.place(now) + 1, 0), self.n)


def choose_steps(window: Window, *, most: int = MOST_STEPS) -> Steps:
    """The shortest steps of which at most `most` cover `window`, which is widened to whole ones.

    >>> at = datetime(2026, 11, 20, 9, 7, tzinfo=UTC)
    >>> found = choose_steps(Window(at, at + timedelta(days=1)))
    >>> found.step_s, found.n, found.window.start.minute
    (900, 97, 0)
    """
    is_short = window.end - window.start <= SHORT
    return _shortest(window, (*UNDER_A_MINUTE, *LADDER) if is_short else LADDER, most)


def choose_whole_minutes(window: Window, *, most: int = MOST_STEPS) -> Steps:
    """The same of whole minutes."""
    return _shortest(window, LADDER, most)


def cover(window: Window, *, n: int) -> Steps:
    """`n` steps of equal length, or fewer, that cover `window` from its start on."""
    length_s = int((window.end - window.start).total_seconds())
    step_s = max(1, -(-length_s // n))
    return Steps(int(window.start.timestamp()), step_s, -(-length_s // step_s))


def _shortest(window: Window, ladder: Iterable[int], most: int) -> Steps:
    steps = (_cover(window, step_s) for step_s in ladder)
    return next(found for found in steps if found.n <= most or found.step_s == LADDER[-1])


def _cover(window: Window, step_s: int) -> Steps:
    first = int(window.start.timestamp()) // step_s
    last = -(-int(window.end.timestamp()) // step_s)
    return Steps(first * step_s, step_s, last - first)


def _at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
