"""How many events a stretch of time should have held, from the same model's own history. Pure.

Requests come in bursts and by the hour of the week, so their counts vary far more than Poisson's. A
negative binomial with the mean and variance of the history stands for them. Its extra variance is
taken as one burst that lasts: twice the time, four times the extra variance.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from scipy import special

HOUR = timedelta(hours=1)
WEEK_HOURS = 168
# With two weeks known, an hour is compared with the same hours of the week.
HOURS_FOR_WEEKS = 2 * WEEK_HOURS
HOURS_FOR_A_DAY = 24
FEWEST_HOURS = 6


@dataclass(frozen=True, slots=True)
class Expectation:
    """The mean and variance of a count, and how they were found."""

    mean: float
    variance: float
    method: str


def at_most(observed: int, expected: Expectation) -> float:
    """The probability of at most `observed` events: negative binomial, Poisson without surplus.

    >>> round(at_most(0, Expectation(3.0, 3.0, "")), 4)
    0.0498
    """
    if expected.mean <= 0:
        return 1.0
    surplus = expected.variance - expected.mean
    if surplus <= 1e-9 * expected.mean:
        return float(special.pdtr(observed, expected.mean))
    size = expected.mean**2 / surplus
    return float(special.betainc(size, observed + 1, expected.mean / expected.variance))


def expect(
    hours: Mapping[datetime, int], start: datetime, end: datetime, *, first: datetime
) -> Expectation | None:
    """What [start, end) should hold; None where under six hours of history are known.

    `hours` maps the beginnings of whole hours (UTC) to counts, zeros left out; `first` is the hour
    from which on they are known. Only hours before `start` are looked at.
    """
    last = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    known = int((last - first) / HOUR)
    if known < FEWEST_HOURS:
        return None
    if known >= HOURS_FOR_WEEKS:
        return _by_week(hours, start, end, last, known)
    counts = [hours.get(last - i * HOUR, 0) for i in range(1, min(known, HOURS_FOR_A_DAY) + 1)]
    mean, variance = float(np.mean(counts)), float(np.var(counts, ddof=1))
    n_hours = (end - start) / HOUR
    # The mean is itself an estimate from as many hours.
    surplus = max(0.0, variance * (1 + 1 / len(counts)) - mean)
    return _scaled([(n_hours, mean, surplus)], f"the last {len(counts)} hours")


def _by_week(
    hours: Mapping[datetime, int], start: datetime, end: datetime, last: datetime, known: int
) -> Expectation:
    n_weeks = known // WEEK_HOURS
    weeks = np.array(
        [
            [hours.get(last - (w * WEEK_HOURS + h) * HOUR, 0) for h in range(1, WEEK_HOURS + 1)]
            for w in range(n_weeks)
        ],
        dtype=np.float64,
    )
    profile = weeks.mean(axis=0)
    usual = np.maximum(profile, 1.0)
    freedom = WEEK_HOURS * (n_weeks - 1)
    # One overdispersion for all hours: single ones are seen too seldom to have their own.
    dispersion = max(1.0, float((np.square(weeks - profile) / usual).sum()) / freedom)
    parts = []
    for a, b in pairwise(_cuts(start, end)):
        hour = a.replace(minute=0, second=0, microsecond=0)
        mean = float(profile[(int((last - hour) / HOUR) - 1) % WEEK_HOURS])
        # The profile is itself an estimate, and a rough one from two weeks.
        surplus = mean * (dispersion * (1 + 1 / (n_weeks - 1)) - 1)
        parts.append(((b - a) / HOUR, mean, max(0.0, surplus)))
    return _scaled(parts, f"the same hours of {n_weeks} weeks")


def _cuts(start: datetime, end: datetime) -> Sequence[datetime]:
    """`start`, the whole hours between, `end`."""
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    cuts = [start]
    hour = start.replace(minute=0, second=0, microsecond=0) + HOUR
    while hour < end:
        cuts.append(hour)
        hour += HOUR
    return [*cuts, end]


def _scaled(parts: Sequence[tuple[float, float, float]], method: str) -> Expectation:
    """The sum of stretches of (hours, mean per hour, surplus variance per hour)."""
    mean = sum(hours * mean for hours, mean, _ in parts)
    surplus = sum(hours * math.sqrt(surplus) for hours, _, surplus in parts) ** 2
    return Expectation(mean, mean + surplus, method)
