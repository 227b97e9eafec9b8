"""Two confusion matrices side by side: versions, windows, or one against a baseline.

Hits among a class's items, and right answers among all, are two binomial counts each, so exact
tests of a 2 x 2 table judge them: Boschloo's (1970), which is uniformly more powerful than
Fisher's, where it is quick enough, otherwise Fisher's. Classes are corrected by Holm's (1979)
method. Intervals of differences are put together from each side's own (Zou and Donner, 2008); an
average's from tables drawn for both sides.

Where both answered the *same* items, `paired` is sharper: McNemar's exact test.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy

from monitoring.quality import intervals, metrics
from monitoring.quality.metrics import Counts, Floats, Matrix, scores
from monitoring.quality.report import UNDEFINED, Estimate, Verdict, verdict_on

# Boschloo's test maximises over a table of n x m outcomes: above this it takes too long.
MOST_BOSCHLOO = 4000
MOST_EXACT_CLASSES = 10


@dataclass(frozen=True, slots=True)
class Difference:
    """`value` is new minus base, with 95 % bounds; None where one side has nothing."""

    base: float | None
    new: float | None
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassComparison:
    """F1 of one class; `p_value` is two-sided, `p_adjusted` holds over all classes together."""

    label: str
    n_base: int
    n_new: int
    f1: Difference
    p_value: float
    p_adjusted: float
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """`verdict` is INSUFFICIENT_DATA where either side has under 20 labels."""

    n_base: int
    n_new: int
    accuracy: Difference
    p_value: float
    macro_f1: Difference
    weighted_f1: Difference
    classes: tuple[ClassComparison, ...]
    verdict: Verdict | None


def compare(base: Matrix, new: Matrix, *, n_draws: int = intervals.N_DRAWS) -> Comparison:
    """How `new` differs from `base`, whose items are others than its own.

    Raises TooManyClasses where both together have more than 300.

    >>> base = metrics.matrix({("a", "a"): 90, ("a", "b"): 10, ("b", "b"): 100})
    >>> new = metrics.matrix({("a", "a"): 70, ("a", "b"): 30, ("b", "b"): 100})
    >>> result = compare(base, new)
    >>> round(result.accuracy.value, 2), result.p_value < 0.01
    (-0.1, True)
    """
    labels = tuple(sorted({*base.labels, *new.labels}))
    metrics.check_size(labels)
    tables = [_over(labels, matrix) for matrix in (base, new)]
    hits = [np.diagonal(table) for table in tables]
    unions = [t.sum(axis=0) + t.sum(axis=1) - h for t, h in zip(tables, hits, strict=True)]
    right, n = [int(h.sum()) for h in hits], [base.n, new.n]
    macro, weighted = _averages(base, new, n_draws)
    return Comparison(
        n_base=base.n,
        n_new=new.n,
        accuracy=difference(*(_proportion(r, m) for r, m in zip(right, n, strict=True))),
        p_value=exact_test(right[0], n[0], right[1], n[1]),
        macro_f1=macro,
        weighted_f1=weighted,
        classes=_classes(labels, np.stack(hits), np.stack(unions)),
        verdict=verdict_on(min(n)),
    )


def exact_test(hits_a: int, n_a: int, hits_b: int, n_b: int, *, is_quick: bool = False) -> float:
    """The two-sided p-value that two shares are equal; 1 where either counts nothing.

    `is_quick` leaves Boschloo's test out.

    >>> round(exact_test(45, 50, 36, 50), 3), round(exact_test(45, 50, 36, 50, is_quick=True), 3)
    (0.024, 0.04)
    """
    if not (n_a and n_b):
        return 1.0
    table = [[hits_a, hits_b], [n_a - hits_a, n_b - hits_b]]
    if hits_a + hits_b in (0, n_a + n_b):
        return 1.0
    fisher = float(scipy.stats.fisher_exact(table).pvalue)
    if is_quick or n_a * n_b > MOST_BOSCHLOO:
        return fisher
    return min(float(scipy.stats.boschloo_exact(table).pvalue), fisher, 1.0)


def paired(only_a_right: int, only_b_right: int) -> float:
    """McNemar's exact two-sided p-value over items that both answered, such as a shadow's.

    >>> round(paired(4, 16), 4)
    0.0118
    """
    n = only_a_right + only_b_right
    return float(scipy.stats.binomtest(only_a_right, n).pvalue) if n else 1.0


def holm(p_values: Sequence[float] | Floats) -> Floats:
    """Adjusted p-values: those at or under alpha may be called so, all together at level alpha.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _classes(
    labels: tuple[str, ...], hits: npt.NDArray[np.int64], unions: npt.NDArray[np.int64]
) -> tuple[ClassComparison, ...]:
    is_quick = len(labels) > MOST_EXACT_CLASSES
    p_values = [
        exact_test(
            int(hits[0, i]),
            int(unions[0, i]),
            int(hits[1, i]),
            int(unions[1, i]),
            is_quick=is_quick,
        )
        for i in range(len(labels))
    ]
    adjusted = holm(p_values)
    return tuple(
        ClassComparison(
            label=label,
            n_base=int(unions[0, i]),
            n_new=int(unions[1, i]),
            f1=difference(*(_f1(int(hits[j, i]), int(unions[j, i])) for j in (0, 1))),
            p_value=p_values[i],
            p_adjusted=float(adjusted[i]),
            verdict=verdict_on(int(unions[:, i].min())),
        )
        for i, label in enumerate(labels)
    )


def _averages(base: Matrix, new: Matrix, n_draws: int) -> tuple[Difference, Difference]:
    """Macro and weighted F1."""
    if not (base.n and new.n):
        nothing = Difference(None, None, None, None, None)
        return nothing, nothing
    sides = [scores(matrix.counts) for matrix in (base, new)]
    drawn = [
        intervals.draw_scores(matrix.counts, rng=intervals.seeded(seed), n_draws=n_draws)
        for seed, matrix in enumerate((base, new))
    ]
    return (
        _drawn_difference([s.macro(s.f1) for s in sides], [s.macro(s.f1) for s in drawn]),
        _drawn_difference([s.weighted(s.f1) for s in sides], [s.weighted(s.f1) for s in drawn]),
    )


def _drawn_difference(values: list[Floats], drawn: list[Floats]) -> Difference:
    n = min(map(len, drawn))
    base, new = map(float, values)
    value = np.array(new - base)
    low, high = intervals.quantiles(drawn[1][:n] - drawn[0][:n], value)
    return Difference(base, new, new - base, float(low), float(high))


def difference(base: Estimate, new: Estimate) -> Difference:
    """new - base with bounds out of each side's own, of whatever kind those are."""
    if base.value is None or new.value is None:
        return Difference(base.value, new.value, None, None, None)
    (b, b_low, b_high), (n, n_low, n_high) = _known(base), _known(new)
    value = n - b
    low = value - float(np.hypot(n - n_low, b_high - b))
    high = value + float(np.hypot(n_high - n, b - b_low))
    return Difference(b, n, value, max(low, -1.0), min(high, 1.0))


def _known(estimate: Estimate) -> tuple[float, float, float]:
    value, low, high = estimate.value, estimate.low, estimate.high
    if value is None or low is None or high is None:
        raise ValueError("an estimate of nothing")
    return value, low, high


def _proportion(hits: int, n: int) -> Estimate:
    if not n:
        return UNDEFINED
    low, high = intervals.proportion(hits, n)
    return Estimate(hits / n, float(low), float(high))


def _f1(hits: int, union: int) -> Estimate:
    jaccard = _proportion(hits, union)
    if jaccard.value is None:
        return UNDEFINED
    return Estimate(*(2 * j / (1 + j) for j in _known(jaccard)))


def _over(labels: tuple[str, ...], matrix: Matrix) -> Counts:
    """The table of `matrix` over more classes."""
    table: Counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    at = [labels.index(label) for label in matrix.labels]
    table[np.ix_(at, at)] = matrix.counts
    return table
