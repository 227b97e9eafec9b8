"""When are a window's labels complete enough to be believed, and do they still come?

A prediction that has no label yet may get one later: its delay is only known to be longer than its
age. Kaplan and Meier's estimator (1958) uses such censored delays, so young predictions do not
make labels look quicker than they are. Most predictions may never be labelled; the delay's
quantiles are those of the labels that come within the longest age that was seen.

A window is mature when it is older than the 95th percentile of the delay. Younger ones are
provisional: quick labels are not like slow ones.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import scipy

from monitoring.quality.comparing import exact_test
from monitoring.quality.metrics import Counts, Floats

# Fewer labels than this make no curve.
FEWEST_LABELS = 20
MATURE_AT = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class DelayCurve:
    """`share` [m] of all predictions are labelled within `delay_s` [m] seconds; both rise.

    `n` predictions were looked at, of which `n_labelled` had a label.
    """

    delay_s: Floats
    share: Floats
    n: int
    n_labelled: int

    @property
    def is_sufficient(self) -> bool:
        return self.n_labelled >= FEWEST_LABELS

    @property
    def final_share(self) -> float:
        """How many are labelled at all within the longest age seen."""
        return float(self.share[-1]) if len(self.share) else 0.0

    def quantile_s(self, q: float) -> float | None:
        """The delay within which the part q of the labels came; None where none came."""
        if not self.final_share:
            return None
        i = int(np.searchsorted(self.share, q * self.final_share - 1e-12, side="left"))
        return float(self.delay_s[i])

    def share_at(self, age_s: npt.ArrayLike) -> Floats:
        """How many predictions of an age should be labelled by now."""
        i = np.searchsorted(self.delay_s, np.asarray(age_s, dtype=np.float64), side="right")
        return np.asarray(np.concatenate([[0.0], self.share])[i], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Coverage:
    """`n_labelled` of `n` predictions; `expected` of them by the usual delay.

    `p_value` is one-sided: how likely so few are if labels come as usual.
    """

    n: int
    n_labelled: int
    expected: float
    p_value: float


def delay_curve(delay_s: npt.ArrayLike, is_labelled: npt.ArrayLike) -> DelayCurve:
    """From n predictions: the label's delay where there is one, otherwise the age without one.

    >>> curve = delay_curve([10, 20, 30, 40, 40, 5], [True, True, True, False, False, False])
    >>> [round(share, 2) for share in curve.share.tolist()], curve.quantile_s(0.5)
    ([0.2, 0.4, 0.6], 20.0)
    """
    delays = np.maximum(np.asarray(delay_s, dtype=np.float64), 0.0)
    labelled = np.asarray(is_labelled, dtype=np.bool_)
    times, n_labelled = np.unique(delays[labelled], return_counts=True)
    at_risk = len(delays) - np.searchsorted(np.sort(delays), times, side="left")
    return _curve(times, n_labelled, at_risk, len(delays))


def binned_delay_curve(ends_s: npt.ArrayLike, n_labelled: Counts, n_waiting: Counts) -> DelayCurve:
    """From counts by age: labels whose delay ends in bin i, and predictions of that age without.

    `ends_s` [m] are the bins' ends, rising. What waits is counted as waiting to its bin's end.
    """
    gone = n_labelled + n_waiting
    at_risk = gone[::-1].cumsum()[::-1]
    return _curve(np.asarray(ends_s, dtype=np.float64), n_labelled, at_risk, int(gone.sum()))


def _curve(times: Floats, n_labelled: Counts, at_risk: Counts, n: int) -> DelayCurve:
    waiting = np.cumprod(1 - n_labelled / np.maximum(at_risk, 1))
    return DelayCurve(times, np.asarray(1 - waiting, dtype=np.float64), n, int(n_labelled.sum()))


def is_mature(at: datetime, now: datetime, p95_s: float | None) -> bool:
    """Whether labels of predictions made at `at` can be believed; never where no delay is known."""
    return p95_s is not None and now - at >= timedelta(seconds=p95_s)


def mature_until(now: datetime, p95_s: float) -> datetime:
    """Predictions made before this are mature."""
    return now - timedelta(seconds=p95_s)


def coverage(curve: DelayCurve, age_s: npt.ArrayLike, n: Counts, n_labelled: int) -> Coverage:
    """Whether as many labels came as usual for `n` [m] predictions of ages `age_s` [m].

    Poisson-binomial counts by their normal form, with continuity correction: labels that come in
    bundles vary more, so a small p-value of few bundles is no proof.
    """
    shares = curve.share_at(age_s)
    expected = float(shares @ n)
    deviation = float(np.sqrt((shares * (1 - shares)) @ n))
    if deviation <= 0:
        p_value = 1.0 if n_labelled >= expected else 0.0
    else:
        p_value = float(scipy.stats.norm.cdf((n_labelled + 0.5 - expected) / deviation))
    return Coverage(int(np.sum(n)), n_labelled, expected, p_value)


def coverage_change(n_labelled: int, n: int, base_labelled: int, base_n: int) -> float:
    """The two-sided p-value that two mature windows are labelled to the same share."""
    return exact_test(n_labelled, n, base_labelled, base_n)
