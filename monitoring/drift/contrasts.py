"""Two lists of counts, of a reference and of a window, compared with tails in closed form.

Both are samples: the reference's own error is part of every test. Counts are put together by the
pooled counts only, on which every test here is conditional, so that choosing them costs nothing.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from monitoring.drift.grids import Counts, Floats
from monitoring.drift.tails import auc_equivalent, effect_of, tail

# Below this expectation in either sample chi-square tails are not to be trusted.
FEWEST_EXPECTED = 5.0
# A handful of rare items whose most lopsided split is likelier than this can tell nothing, and is
# not worth being one more test.
LEAST_TELLING = 1e-3


@dataclass(frozen=True, slots=True)
class Contrast:
    """`effect` is AUC-equivalent, in [0.5, 1]."""

    statistic: float
    p_value: float
    effect: float


NOTHING = Contrast(0.0, 1.0, 0.5)


def smallest(contrasts: list[Contrast]) -> Contrast:
    """The one with the smallest p-value, times how many there are (Bonferroni)."""
    if not contrasts:
        return NOTHING
    best = min(contrasts, key=lambda contrast: contrast.p_value)
    return Contrast(best.statistic, min(1.0, best.p_value * len(contrasts)), best.effect)


def compare_shares(k_reference: int, n_reference: int, k: int, n: int) -> Contrast:
    """Whether `k` of `n` differs from `k_reference` of `n_reference`: Fisher's exact test.

    Two-sided by doubling; large counts by the G-test.
    """
    rows = np.array([[k_reference, n_reference - k_reference], [k, n - k]], dtype=np.int64)
    pooled = rows.sum(axis=0)
    if not pooled.all():
        return NOTHING
    if pooled.min() * min(n, n_reference) / (n + n_reference) >= 2 * FEWEST_EXPECTED:
        return _g_test(rows)
    at_most, at_least = _hypergeometric(k, int(pooled[0]), n, n_reference)
    p = min(1.0, 2 * min(at_most, at_least))
    return Contrast(_g(rows), p, effect_of(_g(rows), 1.0, n, n_reference))


def compare_categories(reference: Counts, window: Counts) -> Contrast:
    """Whether two lists of counts of the same categories differ: G-test, Williams-corrected.

    Rare categories are counted as one, which is judged exactly.

    >>> compare_categories(np.array([500, 500]), np.array([50, 50])).p_value
    1.0
    """
    n_reference, n = int(reference.sum()), int(window.sum())
    rows = np.stack([reference, window])
    pooled = rows.sum(axis=0)
    is_rare = pooled * (min(n, n_reference) / (n + n_reference)) < FEWEST_EXPECTED
    found = []
    if (~is_rare).sum() > 1:
        found.append(_g_test(rows[:, ~is_rare]))
    k_reference, k = int(reference[is_rare].sum()), int(window[is_rare].sum())
    if _can_tell(k_reference + k, n_reference, n):
        found.append(compare_shares(k_reference, n_reference, k, n))
    return smallest(found)


def compare_ordered(reference: Counts, window: Counts) -> Contrast:
    """Whether two histograms on the same bins differ: Anderson-Darling on the bins' edges.

    The statistic of Anderson and Darling for two samples (Pettitt, 1976) with ties, whose null is a
    weighted sum of chi-squares with known weights. The ends, where hardly anything lies, are judged
    exactly.
    """
    n_reference, n = int(reference.sum()), int(window.sum())
    pooled = reference + window
    is_used = pooled > 0
    reference, window, pooled = reference[is_used], window[is_used], pooled[is_used]
    below = np.cumsum(pooled)
    fewest = FEWEST_EXPECTED * (n + n_reference) / min(n, n_reference)
    is_inner = (below >= fewest) & (below[-1] - below >= fewest)
    found = []
    if is_inner.any():
        difference = np.cumsum(window) / n - np.cumsum(reference) / n_reference
        found.append(_anderson_darling(difference, pooled, below, is_inner, n, n_reference))
    low = int(np.searchsorted(below, fewest)) - 1
    high = len(below) - int(np.searchsorted(np.cumsum(pooled[::-1]), fewest))
    for end in (slice(0, low + 1), slice(high, None)):
        k_reference, k = int(reference[end].sum()), int(window[end].sum())
        if _can_tell(k_reference + k, n_reference, n):
            found.append(compare_shares(k_reference, n_reference, k, n))
    return smallest(found)


def is_larger(reference: Counts, window: Counts) -> Contrast:
    """Whether the window's values lie higher: Mann-Whitney with ties, one-sided."""
    n_reference, n = int(reference.sum()), int(window.sum())
    total = n + n_reference
    pooled = (reference + window).astype(np.float64)
    below = np.cumsum(reference) - reference / 2
    auc = float(window @ below) / (n * n_reference)
    ties = float((pooled**3 - pooled).sum()) / (total * (total - 1))
    variance = (total + 1 - ties) / (12 * n * n_reference)
    if variance <= 0:
        return NOTHING
    z = (auc - 0.5) / np.sqrt(variance)
    return Contrast(float(z), float(special.ndtr(-z)), max(auc, 0.5))


def exceeds(k_reference: int, n_reference: int, k: int, n: int, tolerance: float) -> Contrast:
    """Whether the share `k` of `n` is more than `tolerance` above the reference's, one-sided."""
    bearable = min(k_reference / n_reference + tolerance, 1.0)
    p = float(special.bdtrc(k - 1, n, bearable)) if k else 1.0
    share = k / n
    variance = max(bearable * (1 - bearable), 1 / n)
    distance = max(share - bearable, 0.0)
    return Contrast(share, p, auc_equivalent(distance**2 / variance))


def _anderson_darling(
    difference: Floats,
    pooled: Counts,
    below: Counts,
    is_inner: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    n: int,
    n_reference: int,
) -> Contrast:
    # Each edge stands for half of the mass on either side of it.
    mass = pooled / below[-1]
    beside = (mass + np.append(mass[1:], 0.0)) / 2
    has_weight = is_inner & (beside > 0)
    share = below[has_weight] / below[-1]
    spread = share * (1 - share)
    weight = beside[has_weight] / spread
    root = np.sqrt(weight)
    covariance = np.minimum.outer(share, share) - np.outer(share, share)
    scaled = covariance * np.outer(root, root)
    squared = scaled @ scaled
    traces = float(np.trace(scaled)), float(np.trace(squared)), float((squared * scaled).sum())
    scale = 1 / n + 1 / n_reference
    value = float(weight @ difference[has_weight] ** 2) / scale
    freedom = traces[0] ** 2 / traces[1]
    effect = effect_of(value / traces[0] * freedom, freedom, n, n_reference)
    return Contrast(value, tail(value, *traces), effect)


def _can_tell(k_pooled: int, n_reference: int, n: int) -> bool:
    total = n + n_reference
    return k_pooled < total and (min(n, n_reference) / total) ** k_pooled < LEAST_TELLING


def _g(rows: Counts) -> float:
    table = rows.astype(np.float64)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return 2 * float(special.rel_entr(table, expected).sum())


def _g_test(rows: Counts) -> Contrast:
    total = rows.sum()
    of_rows, of_columns = rows.sum(axis=1), rows.sum(axis=0)
    freedom = len(of_columns) - 1
    excess = (total * (1 / of_rows).sum() - 1) * (total * (1 / of_columns).sum() - 1)
    statistic = _g(rows) / (1 + float(excess) / (6 * total * freedom))
    return Contrast(
        statistic,
        float(special.chdtrc(freedom, max(statistic, 0.0))),
        effect_of(statistic, freedom, float(of_rows[1]), float(of_rows[0])),
    )


def _hypergeometric(k: int, k_pooled: int, n: int, n_reference: int) -> tuple[float, float]:
    """P(X <= k) and P(X >= k) for X of the `k_pooled` marked items among the `n` drawn."""
    values = np.arange(max(0, k_pooled - n_reference), min(k_pooled, n) + 1)
    logs = (
        _log_choose(n, values)
        + _log_choose(n_reference, k_pooled - values)
        - _log_choose(n + n_reference, np.array(k_pooled))
    )
    masses = np.exp(logs)
    return float(masses[values <= k].sum()), float(masses[values >= k].sum())


def _log_choose(n: int, k: Counts) -> Floats:
    logs: Floats = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return logs
