"""How improbable a window must be before it counts, so that false alarms stay rare in time."""

import math

DAY_S = 86400.0
DEFAULT_DAYS = 90.0
# After a long pause one evaluation must not spend what many would have.
LARGEST_ALPHA = 0.01


def alpha_for(elapsed_s: float, *, days: float = DEFAULT_DAYS, share: float = 1.0) -> float:
    """The level of an evaluation that comes `elapsed_s` after the one before.

    Levels of all evaluations within `days` add up to `share`, so about one false alarm comes in
    `days` when all shares add up to 1, however often one looks. Windows that overlap make it fewer.

    >>> f"{alpha_for(3600):.6f}"  # hourly: 2,160 evaluations in 90 days
    '0.000463'
    """
    if not (math.isfinite(elapsed_s) and elapsed_s >= 0):
        raise ValueError("elapsed_s must be a number of seconds from 0")
    if not (math.isfinite(days) and days > 0):
        raise ValueError("days must be a number above 0")
    if not 0 <= share <= 1:
        raise ValueError("share must lie between 0 and 1")
    return min(LARGEST_ALPHA, share * elapsed_s / (days * DAY_S))
