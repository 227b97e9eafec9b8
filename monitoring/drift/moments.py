"""How far the mean of a window may lie from a reference's by chance: the null in two moments.

For x̄ of n and ȳ of N items from one distribution with covariance C, and a metric A,
T = (x̄ - ȳ)'A(x̄ - ȳ) is (1/n + 1/N) times a weighted sum of chi-squares. Its mean is
(1/n + 1/N) tr(AC) and its variance 2 (1/n + 1/N)² tr((AC)²), which a scaled chi-square matches
(Satterthwaite, 1946). The traces must come from other rows than A does: from the same rows they
are far too small, and the test alarms on half of all quiet windows.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from monitoring.drift.grids import Floats
from monitoring.drift.sample import Floats32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """`metric` [r, d] is a factor L of A = L'L, or None for the identity; `trace` is tr(AC),
    `trace_squared` tr((AC)²), both estimated from `n` rows that `metric` was not.
    """

    metric: Floats32 | None
    trace: float
    trace_squared: float
    n: int


@dataclass(frozen=True, slots=True)
class Distance:
    """`value` is T, in units of its null mean (1: as expected by chance)."""

    value: float
    p_value: float


def estimate(rows: Floats32, metric: Floats32 | None = None) -> Moments:
    """The null moments from [n, d] rows, n >= 4, that `metric` was not made from."""
    n = len(rows)
    if n < 4:
        raise ValueError("at least four rows are needed")
    data = rows.astype(np.float64)
    if metric is not None:
        data = data @ metric.T.astype(np.float64)
    centred = data - data.mean(axis=0)
    # The smaller of the two products has the same trace and the same sum of squares.
    product = centred @ centred.T if n < centred.shape[1] else centred.T @ centred
    product /= n - 1
    trace = float(np.trace(product))
    # Unbiased for normal rows (Bai and Saranadasa, 1996): the plain square is too large.
    raw = float(np.square(product).sum()) - trace**2 / (n - 1)
    squared = raw * (n - 1) ** 2 / ((n - 2) * (n + 1))
    return Moments(
        metric=metric,
        trace=max(trace, 1e-300),
        trace_squared=max(squared, trace**2 / max(len(product), 1), 1e-300),
        n=n,
    )


def whitener(rows: Floats32) -> Floats32:
    """[d, d] factor L of the shrunk inverse covariance (Ledoit and Wolf, 2004) of [n, d] rows."""
    from sklearn.covariance import ledoit_wolf

    covariance, _ = ledoit_wolf(rows.astype(np.float64))
    values, vectors = np.linalg.eigh(covariance)
    floor = 1e-8 * max(float(values[-1]), 1e-300)
    return np.asarray((vectors / np.sqrt(np.maximum(values, floor))).T, dtype=np.float32)


def distance(difference: Floats, n: int, n_reference: int, moments: Moments) -> Distance:
    """Judge `difference` [d] of the means of n and `n_reference` items."""
    shifted = difference if moments.metric is None else moments.metric @ difference
    value = float(shifted @ shifted)
    scale = 1 / n + 1 / n_reference
    freedom = moments.trace**2 / moments.trace_squared
    expected = scale * moments.trace
    return Distance(value / expected, float(stats.chi2.sf(value / expected * freedom, freedom)))
