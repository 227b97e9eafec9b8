"""How much more quiet windows vary than independent items would, told from traffic in its order.

Neighbours hang together: a day's news, a caller's batch, an hour's users. A mean over n of them
then varies by a factor more than n independent items' would, which grows with n; tests that do not
know it alarm on quiet traffic. The factor is measured on runs of neighbours in an accepted history:
for means as the ratio of traces, for counts as the design effect of Rao and Scott (1981).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from monitoring.drift.grids import Counts, Floats
from monitoring.drift.sample import Integers

LENGTHS = (50, 200, 1000)
FEWEST_RUNS = 10
# What chance alone would exceed in one of a hundred histories is not taken for a factor.
LEVEL = 0.01
FEWEST_IN_GROUP = 5


@dataclass(frozen=True, slots=True)
class Dispersion:
    """`factors` of the variance of a mean over runs of `lengths` neighbours, ascending; empty where
    nothing is known, which is as if items were independent.
    """

    lengths: tuple[int, ...] = ()
    factors: tuple[float, ...] = ()

    def at(self, n: int) -> float:
        """The factor for windows of `n`, at least 1.

        Between lengths by the line through their logarithms, from 1 for a single item. Beyond the
        longest that line goes on: a factor never grows faster than n, nor falls.

        >>> Dispersion((50, 200), (2.0, 4.0)).at(800)
        8.0
        >>> Dispersion().at(1000)
        1.0
        """
        if not self.lengths or n <= 1:
            return 1.0
        x = np.log([1, *self.lengths])
        y = np.log([1.0, *(max(factor, 1.0) for factor in self.factors)])
        beyond = math.log(n) - float(x[-1])
        if beyond <= 0:
            return float(np.exp(np.interp(math.log(n), x, y)))
        slope = min(max(float((y[-1] - y[-2]) / (x[-1] - x[-2])), 0.0), 1.0)
        return round(math.exp(float(y[-1]) + slope * beyond), 12)


INDEPENDENT = Dispersion()


@dataclass(frozen=True, slots=True)
class MeanDispersion:
    """Of a mean in a metric: `variance` is the factor of its trace, `square` that of the trace of
    the square, which is larger where few directions hang together.
    """

    variance: Dispersion = INDEPENDENT
    square: Dispersion = INDEPENDENT

    def at(self, n: int) -> tuple[float, float]:
        variance = self.variance.at(n)
        return variance, max(variance**2, self.square.at(n))


ALONE = MeanDispersion()


def of_means(rows: Floats, trace: float, trace_squared: float) -> MeanDispersion:
    """From [N, r] rows in their order, already in the metric, with their traces as `estimate` has
    them.
    """
    centred = rows - rows.mean(axis=0)
    lengths, variances, squares = [], [], []
    freedom = trace**2 / trace_squared
    for length in _lengths(len(rows)):
        means = _runs(centred, length).mean(axis=1) * math.sqrt(length)
        n = len(means)
        products = means @ means.T
        own = np.diag(products)
        variance = float(own.sum()) / (n - 1) / trace
        pairs = float(np.square(products).sum() - np.square(own).sum()) / (n * (n - 1))
        lengths.append(length)
        variances.append(_beyond_chance(variance, freedom * (n - 1)))
        squares.append(max(pairs / trace_squared, variances[-1] ** 2, 1.0))
    if not any(variance > 1 for variance in variances):
        return ALONE
    at = tuple(lengths)
    return MeanDispersion(Dispersion(at, tuple(variances)), Dispersion(at, tuple(squares)))


def of_codes(codes: Integers) -> Dispersion:
    """From [N] small numbers that name each item's group, in their order."""
    groups = np.unique(codes, return_inverse=True)[1]
    rows = np.eye(int(groups.max(initial=0)) + 1)[groups]
    share = rows.mean(axis=0)
    lengths, factors = [], []
    for length in _lengths(len(rows)):
        is_used = share * length >= FEWEST_IN_GROUP
        counts = _runs(rows, length).sum(axis=1)
        expected = share * length
        # Groups that are rare in a run are one.
        observed = np.column_stack([counts[:, is_used], counts[:, ~is_used].sum(axis=1)])
        wanted = np.append(expected[is_used], expected[~is_used].sum())
        observed, wanted = observed[:, wanted > 0], wanted[wanted > 0]
        freedom = (len(counts) - 1) * (len(wanted) - 1)
        if freedom:
            pearson = float((np.square(observed - wanted) / wanted).sum())
            lengths.append(length)
            factors.append(_beyond_chance(pearson / freedom, freedom))
    if not any(factor > 1 for factor in factors):
        return INDEPENDENT
    return Dispersion(tuple(lengths), tuple(factors))


def of_values(values: Sequence[float] | Floats) -> Dispersion:
    """From [N] numbers in their order: the wider of their mean rank's and their ranks' spread's.

    Not of groups of them: what hangs together is mostly where values lie, which a test of ordered
    bins weighs most and an average over groups would dilute.
    """
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) < 2:
        return INDEPENDENT
    place = np.unique(numbers, return_inverse=True)[1]
    ranks = (np.cumsum(np.bincount(place)) - np.bincount(place) / 2)[place] / len(numbers)
    views = [view - view.mean() for view in (ranks, np.square(ranks - 0.5))]
    spreads = [float(np.square(view).mean()) for view in views]
    return widest(
        [
            of_means(view[:, None], spread, spread**2).variance
            for view, spread in zip(views, spreads, strict=True)
            if spread > 0
        ]
    )


def widest(found: Sequence[Dispersion]) -> Dispersion:
    """The largest factor at each length."""
    known = [each for each in found if each.lengths]
    lengths = sorted({length for each in known for length in each.lengths})
    return Dispersion(
        tuple(lengths), tuple(max(each.at(length) for each in known) for length in lengths)
    )


def thinned(reference: Counts, window: Counts, dispersion: Dispersion) -> tuple[Counts, Counts]:
    """Both counts as of so many independent items as they tell as much as.

    Running totals are rounded, so that the shape stays where single counts are small.
    """
    factor = dispersion.at(int(window.sum()))
    if factor <= 1:
        return reference, window
    return _divided(reference, factor), _divided(window, factor)


def to_lists(found: Mapping[str, Dispersion]) -> dict[str, list[list[float]]]:
    """Plain lists for storing; `from_lists` reads them."""
    return {
        name: [list(map(float, each.lengths)), list(each.factors)] for name, each in found.items()
    }


def from_lists(stored: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, Dispersion]:
    return {
        name: Dispersion(tuple(map(int, lengths)), tuple(factors))
        for name, (lengths, factors) in stored.items()
    }


def _lengths(n: int) -> list[int]:
    return [length for length in LENGTHS if n // length >= FEWEST_RUNS]


def _runs(rows: Floats, length: int) -> Floats:
    """[runs, length, …]: neighbours together, what is left over at the end not."""
    n = len(rows) // length
    return rows[: n * length].reshape(n, length, -1)


def _beyond_chance(factor: float, freedom: float) -> float:
    """`factor`, or 1 where independent items would often show one as large."""
    return factor if factor > float(special.chdtri(freedom, LEVEL)) / freedom else 1.0


def _divided(counts: Counts, factor: float) -> Counts:
    totals = np.rint(np.cumsum(counts) / factor).astype(np.int64)
    return np.diff(totals, prepend=0)
