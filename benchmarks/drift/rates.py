"""How often something alarmed, and how surely that is known. Pure."""

from collections.abc import Sequence

import msgspec
import numpy as np
from scipy import stats

CONFIDENCE = 0.95


class AlarmRate(msgspec.Struct, frozen=True, kw_only=True):
    """`n_alarms` of `n` windows, and a 95 % interval of the rate.

    `lower` and `upper` are Clopper and Pearson's (1934) for as many independent windows as the
    streams amount to (Korn and Graubard, 1998): windows of a stream share its reference.
    """

    n: int
    n_alarms: int
    n_streams: int
    lower: float
    upper: float

    @property
    def rate(self) -> float:
        return self.n_alarms / self.n if self.n else float("nan")


def rate_of(alarms: Sequence[Sequence[bool]]) -> AlarmRate:
    """The rate over streams of windows.

    >>> found = rate_of([[False, True], [False, False]])
    >>> found.n_alarms, found.n, round(found.lower, 3), round(found.upper, 3)
    (1, 4, 0.006, 0.806)
    """
    n = sum(map(len, alarms))
    n_alarms = sum(map(sum, alarms))
    weight = n / _design_effect(alarms) if n else 0.0
    lower, upper = clopper_pearson(n_alarms * weight / max(n, 1), weight)
    return AlarmRate(n=n, n_alarms=n_alarms, n_streams=len(alarms), lower=lower, upper=upper)


def _design_effect(alarms: Sequence[Sequence[bool]]) -> float:
    """By how much streams vary more than independent windows would; at least 1."""
    sizes = np.array([len(stream) for stream in alarms], dtype=np.float64)
    sums = np.array([sum(stream) for stream in alarms], dtype=np.float64)
    rate = sums.sum() / sizes.sum()
    if len(alarms) < 2 or not 0 < rate < 1:
        return 1.0
    k = len(alarms)
    variance = k / (k - 1) * np.square(sums - rate * sizes).sum() / sizes.sum() ** 2
    return max(1.0, float(variance / (rate * (1 - rate) / sizes.sum())))


def clopper_pearson(k: float, n: float) -> tuple[float, float]:
    """The exact interval of a share; `k` and `n` need not be whole numbers.

    >>> [round(bound, 4) for bound in clopper_pearson(0, 100)]
    [0.0, 0.0362]
    """
    if n <= 0:
        return 0.0, 1.0
    tail = (1 - CONFIDENCE) / 2
    lower = float(stats.beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    upper = float(stats.beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0
    return lower, upper
