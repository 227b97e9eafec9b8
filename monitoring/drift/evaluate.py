"""How detectors are judged: false alarms first, then how soon and how often they notice.

Undefined is `nan`; each function says when. After the scores of river's `drift.evaluate`, where an
always-alarming detector does well on delay alone: a delay means something only beside the
false-alarm rate at which it was measured, so thresholds are set to equal rates first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Rate:
    """`n_alarms` of `n` quiet evaluations, with exact bounds (Clopper and Pearson, 1934)."""

    n_alarms: int
    n: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """nan where nothing was evaluated."""
        return self.n_alarms / self.n if self.n else math.nan


@dataclass(frozen=True, slots=True)
class Episode:
    """Evaluations from `start` to before `end` during which a change is there to be found."""

    start: int
    end: int


def false_alarm_rate(alarms: Sequence[bool], *, level: float = LEVEL) -> Rate:
    """How often a detector alarms on evaluations of quiet traffic.

    >>> rate = false_alarm_rate([False] * 99 + [True])
    >>> rate.value, round(rate.low, 4), round(rate.high, 4)
    (0.01, 0.0003, 0.0545)
    """
    k, n = sum(map(bool, alarms)), len(alarms)
    side = (1 - level) / 2
    low = float(special.betaincinv(k, n - k + 1, side)) if k else 0.0
    high = float(special.betaincinv(k + 1, n - k, 1 - side)) if k < n else 1.0
    return Rate(k, n, low, high)


def detection_delay(alarms: Sequence[bool], change_at: int) -> float:
    """Evaluations from the change to the first alarm from it on; nan where none came.

    >>> detection_delay([True, False, False, True], 1)
    2.0
    """
    for i in range(change_at, len(alarms)):
        if alarms[i]:
            return float(i - change_at)
    return math.nan


def median_delay(delays: Sequence[float]) -> float:
    """The median over streams, a change never found (nan) counting as later than all others.

    inf where that is the middle one; nan without streams.
    """
    if not len(delays):
        return math.nan
    ranked = sorted(math.inf if math.isnan(delay) else delay for delay in delays)
    low, high = ranked[(len(ranked) - 1) // 2], ranked[len(ranked) // 2]
    return high if math.isinf(high) else (low + high) / 2


def episode_recall(alarms: Sequence[bool], episodes: Sequence[Episode]) -> float:
    """The share of episodes with an alarm in them; nan without episodes."""
    if not episodes:
        return math.nan
    return sum(any(alarms[e.start : e.end]) for e in episodes) / len(episodes)


def mean_time_between_false_alarms(alarms: Sequence[bool]) -> float:
    """Quiet evaluations per alarm; inf where none alarmed, nan where there were none."""
    if not len(alarms):
        return math.nan
    n_alarms = sum(map(bool, alarms))
    return len(alarms) / n_alarms if n_alarms else math.inf


def threshold_at(quiet: npt.ArrayLike, rate: float) -> float:
    """The lowest threshold that at most a share `rate` of quiet statistics lies above.

    For comparing detectors at equal measured false alarms: alarm where a statistic is larger. nan
    where there are fewer than 1 / `rate` statistics, which could not tell.

    >>> threshold_at(range(1, 101), 0.05)
    95.0
    """
    values = np.sort(np.asarray(quiet, dtype=np.float64))
    n_above = math.floor(rate * len(values) + 1e-9)
    if n_above < 1:
        return math.nan
    return float(values[len(values) - n_above - 1]) if n_above < len(values) else -math.inf
