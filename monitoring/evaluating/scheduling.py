"""When a monitor is due. Pure: the clock and the counts are arguments."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Under heavy traffic a monitor by count would never rest, and fill its table with answers.
SHORTEST_GAP = timedelta(seconds=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Every `every_s` seconds or `every_n` predictions, whichever comes first (0: never).

    `needs_traffic` says that without a new prediction there is nothing to ask; `n_new` counts the
    predictions since `evaluated_at`, which is None before the first evaluation.
    """

    every_s: float
    every_n: int
    needs_traffic: bool
    evaluated_at: datetime | None
    n_new: int


def is_due(timing: Timing, now: datetime) -> bool:
    """Whether it is time to evaluate.

    >>> from datetime import UTC
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> timing = Timing(
    ...     every_s=60, every_n=100, needs_traffic=True, evaluated_at=noon, n_new=100
    ... )
    >>> is_due(timing, noon + timedelta(seconds=5)), is_due(timing, noon + timedelta(seconds=20))
    (False, True)
    """
    if timing.evaluated_at is None:
        return True
    if timing.needs_traffic and not timing.n_new:
        return False
    waited = now - timing.evaluated_at
    has_enough = timing.every_n > 0 and timing.n_new >= timing.every_n
    by_count = has_enough and waited >= SHORTEST_GAP
    by_time = timing.every_s > 0 and waited >= timedelta(seconds=timing.every_s)
    return by_count or by_time
