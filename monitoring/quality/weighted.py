"""Quality from labels that were asked for with known, unequal probabilities.

Each label weighs the inverse of its probability (Horvitz and Thompson, 1952), and every rate is a
ratio of weighted sums (Hajek, 1971): it estimates the rate over all predictions, however the
labelled ones were chosen. Only labels of one sampling may be added up so: audit labels with their
weights, delayed ones on their own.

Intervals of rates are Clopper and Pearson's at the effective number of items (Korn and Graubard,
1998); those of averages come from tables drawn cell by cell from gamma distributions with the
weighted sum as mean and the sum of squares as variance (Fay and Feuer, 1997).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitoring.quality import intervals, metrics
from monitoring.quality.metrics import Counts, Floats, Matrix, Scores, scores
from monitoring.quality.report import (
    ClassQuality,
    Estimate,
    Quality,
    alone,
    averages,
    unjudged,
    verdict_on,
)


@dataclass(frozen=True, slots=True)
class Cell:
    """`n` labels whose weights sum to `weight`, their squares to `weight_squared`."""

    n: int
    weight: float
    weight_squared: float

    def __add__(self, other: "Cell") -> "Cell":
        return Cell(
            self.n + other.n,
            self.weight + other.weight,
            self.weight_squared + other.weight_squared,
        )

    def __sub__(self, other: "Cell") -> "Cell":
        return Cell(
            self.n - other.n,
            self.weight - other.weight,
            self.weight_squared - other.weight_squared,
        )

    @property
    def n_effective(self) -> float:
        """How many equally weighted labels would tell as much (Kish, 1965)."""
        return self.weight**2 / self.weight_squared if self.weight_squared > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class WeightedMatrix:
    """Three tables over the same classes: `counts.counts`, `weight`, `weight_squared` [K, K]."""

    counts: Matrix
    weight: Floats
    weight_squared: Floats

    @property
    def total(self) -> Cell:
        return self._sum(*self._tables)

    @property
    def trace(self) -> Cell:
        return self._sum(*map(np.diagonal, self._tables))

    @property
    def n_effective(self) -> float:
        return self.total.n_effective

    def at(self, i: int, j: int) -> Cell:
        return self._sum(*(table[i, j] for table in self._tables))

    def row(self, i: int) -> Cell:
        """All that truly are of class i."""
        return self._sum(*(table[i] for table in self._tables))

    def column(self, i: int) -> Cell:
        """All that were called class i."""
        return self._sum(*(table[:, i] for table in self._tables))

    @property
    def _tables(self) -> tuple[Counts, Floats, Floats]:
        return self.counts.counts, self.weight, self.weight_squared

    @staticmethod
    def _sum(n: npt.ArrayLike, weight: npt.ArrayLike, squared: npt.ArrayLike) -> Cell:
        return Cell(int(np.sum(n)), float(np.sum(weight)), float(np.sum(squared)))


@dataclass(frozen=True, slots=True)
class WeightedQuality:
    """`quality` in which rates are weighted and `support`, `n_predicted`, `n_labelled` count."""

    quality: Quality
    n_effective: float


def weighted_matrix(cells: Mapping[tuple[str, str], Cell]) -> WeightedMatrix:
    """The matrix of `cells`, (actual, predicted) → Cell. Raises TooManyClasses above 300."""
    counts = metrics.matrix({pair: cell.n for pair, cell in cells.items()})
    index = {label: i for i, label in enumerate(counts.labels)}
    weight, squared = np.zeros(counts.counts.shape), np.zeros(counts.counts.shape)
    for (actual, predicted), cell in cells.items():
        if cell.n > 0:
            weight[index[actual], index[predicted]] += cell.weight
            squared[index[actual], index[predicted]] += cell.weight_squared
    return WeightedMatrix(counts, weight, squared)


def judge(matrix: WeightedMatrix, *, n_draws: int = intervals.N_DRAWS) -> WeightedQuality:
    """The quality among all predictions that the weighted labels show, with 95 % intervals.

    INSUFFICIENT_DATA under 20 *effective* labels, for the whole and for each class.

    >>> table = weighted_matrix({("a", "a"): Cell(90, 900, 9000), ("a", "b"): Cell(30, 30, 30),
    ...                          ("b", "b"): Cell(70, 700, 7000)})
    >>> accuracy = judge(table).quality.accuracy
    >>> round(accuracy.low, 3), round(accuracy.value, 3), round(accuracy.high, 3)
    (0.951, 0.982, 0.996)
    """
    if not matrix.counts.n:
        return WeightedQuality(unjudged(matrix.counts), 0.0)
    classes = tuple(_class(matrix, i) for i in range(len(matrix.counts.labels)))
    rates = scores(matrix.weight)
    macro, weighted = (
        alone(classes[0]) if len(classes) == 1 else averages(rates, _draw(matrix, n_draws))
    )
    quality = Quality(
        n_labelled=matrix.counts.n,
        accuracy=ratio(matrix.trace, matrix.total),
        macro=macro,
        weighted=weighted,
        classes=classes,
        matrix=matrix.counts,
        verdict=verdict_on(matrix.n_effective),
    )
    return WeightedQuality(quality, matrix.n_effective)


def _class(matrix: WeightedMatrix, i: int) -> ClassQuality:
    hits, actual, predicted = matrix.at(i, i), matrix.row(i), matrix.column(i)
    union = actual + predicted - hits
    jaccard = ratio(hits, union)
    return ClassQuality(
        label=matrix.counts.labels[i],
        support=actual.n,
        n_predicted=predicted.n,
        precision=ratio(hits, predicted),
        recall=ratio(hits, actual),
        f1=Estimate(*(None if j is None else 2 * j / (1 + j) for j in _three(jaccard))),
        verdict=verdict_on(union.n_effective),
    )


def _three(estimate: Estimate) -> tuple[float | None, float | None, float | None]:
    return estimate.value, estimate.low, estimate.high


def ratio(hits: Cell, among: Cell) -> Estimate:
    """hits / among, by weight, with 95 % bounds; of nothing 0 by convention, and [0, 1]."""
    if among.n == 0 or among.weight <= 0:
        return Estimate(0.0, 0.0, 1.0)
    p = min(hits.weight / among.weight, 1.0)
    # The linearised variance of a ratio: its residuals are 1 - p where it hits, otherwise -p.
    missed_squared = max(among.weight_squared - hits.weight_squared, 0.0)
    squares = hits.weight_squared * (1 - p) ** 2 + missed_squared * p**2
    variance = squares / among.weight**2
    # Without a hit or a miss the variance says nothing: then as many as the weights leave.
    n = among.n_effective if variance <= 0 else min(p * (1 - p) / variance, among.n)
    low, high = intervals.proportion(p * n, n)
    return Estimate(p, float(low), float(high))


def _draw(matrix: WeightedMatrix, n_draws: int) -> Scores:
    """Rates of tables that could lie behind `matrix`."""
    n_draws = max(100, min(n_draws, intervals.MOST_DRAWN_CELLS // matrix.weight.size))
    mean_weight = matrix.weight.sum() / matrix.counts.n
    # As for plain counts, a prior that weighs one mean item in all keeps the unseen possible.
    weight = matrix.weight + mean_weight / matrix.weight.size
    squared = matrix.weight_squared + mean_weight**2 / matrix.weight.size
    shape = (n_draws, *weight.shape)
    tables = intervals.seeded().gamma(weight**2 / squared, squared / weight, size=shape)
    return scores(tables)
