"""How improbable a weighted sum of chi-squares is, and how large a difference it speaks of."""

import math

from scipy import special


def tail(value: float, trace: float, trace_squared: float, trace_cubed: float = 0.0) -> float:
    """P(Q >= value) for Q = sum of w·chi²(1), from the sums of w, w² and w³.

    A shifted and scaled chi-square with the same mean, variance and skewness (Imhof, 1961; Liu,
    Tang and Zhang, 2009). Two moments alone (Satterthwaite, 1946) give tails that are too short
    where few weights are large; they are what is used when `trace_cubed` is not known.

    >>> round(tail(18.31, 10, 10, 10), 3)  # ten equal weights: chi²(10)
    0.05
    """
    freedom = _freedom(trace, trace_squared, trace_cubed)
    standard = (value - trace) / math.sqrt(2 * trace_squared)
    return float(special.chdtrc(freedom, max(freedom + standard * math.sqrt(2 * freedom), 0.0)))


def quantile(alpha: float, trace: float, trace_squared: float, trace_cubed: float = 0.0) -> float:
    """The value whose `tail` is `alpha`.

    >>> round(quantile(0.05, 10, 10, 10), 2)
    18.31
    """
    freedom = _freedom(trace, trace_squared, trace_cubed)
    standard = (float(special.chdtri(freedom, alpha)) - freedom) / math.sqrt(2 * freedom)
    return trace + standard * math.sqrt(2 * trace_squared)


def _freedom(trace: float, trace_squared: float, trace_cubed: float) -> float:
    # What three sums of powers of positive weights can be; an estimate may lie beyond.
    lowest, highest = trace_squared**2 / trace, trace_squared**1.5
    third = min(max(trace_cubed, lowest), highest)
    return float(trace_squared**3 / third**2)


def auc_equivalent(squared_distance: float) -> float:
    """The AUC at which two normals are told apart whose means lie √`squared_distance` sd apart.

    >>> auc_equivalent(0.0), round(auc_equivalent(1.0), 2)
    (0.5, 0.76)
    """
    return float(special.ndtr(math.sqrt(max(squared_distance, 0.0) / 2)))


def effect_of(statistic: float, freedom: float, n: float, n_reference: float) -> float:
    """The effect that a chi-square of two samples speaks of: what lies above its mean, an item.

    What exceeds the degrees of freedom estimates n·N/(n+N) times the squared distance, so this
    does not grow with n; by chance alone it is 0.5 in half of all windows.
    """
    return auc_equivalent((statistic - freedom) * (1 / n + 1 / n_reference))
