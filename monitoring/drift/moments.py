"""How far the mean of a window may lie from a reference's by chance: the null in three moments.

For x̄ of n and ȳ of N items from one distribution with covariance C, and a metric A,
T = (x̄ - ȳ)'A(x̄ - ȳ) is (1/n + 1/N) times a weighted sum of chi-squares, whose tail follows from
tr(AC), tr((AC)²) and tr((AC)³) (`tails`). The traces must come from other rows than A does: from
the same rows they are far too small, and the test alarms on half of all quiet windows.
"""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.dispersion import ALONE, MeanDispersion
from monitoring.drift.grids import Floats
from monitoring.drift.sample import Floats32
from monitoring.drift.tails import effect_of, quantile, tail

# A full whitener of d dimensions needs 1.5 d rows (3 d for both halves of a reference); from fewer,
# only this many leading principal components are whitened.
ROWS_PER_DIMENSION = 1.5
FEW_COMPONENTS = 128
TINY = 1e-20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Moments:
    """`metric` [r, d] is a factor L of A = L'L, or None for the identity; `trace` is tr(AC),
    `trace_squared` tr((AC)²), `trace_cubed` tr((AC)³) (0: not known), all estimated from `n` rows
    that `metric` was not. `excess` is by how much a row's square q = x'Ax varies more than a
    normal's would: in its variance, in its covariance with x'ACAx, in its third moment, and in
    the square of its covariance with the row itself, which symmetry makes 0. `dispersion` says by
    how much means of neighbours vary more than means of independent rows.
    """

    metric: Floats32 | None
    trace: float
    trace_squared: float
    trace_cubed: float = 0.0
    excess: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    dispersion: MeanDispersion = ALONE
    n: int

    @property
    def is_degenerate(self) -> bool:
        """Whether the rows did not vary, so that nothing can be judged by them."""
        return self.trace <= TINY


@dataclass(frozen=True, slots=True)
class Distance:
    """`value` is T, in units of its null mean (1: as expected by chance); `effect` its size as an
    AUC-equivalent, in [0.5, 1].
    """

    value: float
    p_value: float
    effect: float


def estimate(rows: Floats32, metric: Floats32 | None = None) -> Moments:
    """The null moments from [n, d] rows, n >= 4, that `metric` was not made from.

    U-statistics over pairs and triples of distinct rows: unbiased whatever the distribution but for
    the mean, which is estimated too.
    """
    n = len(rows)
    if n < 4:
        raise ValueError("at least four rows are needed")
    data = rows.astype(np.float64)
    if metric is not None:
        data = data @ metric.T.astype(np.float64)
    # Scaled so that a row's own square is unbiased although the mean was estimated.
    centred = (data - data.mean(axis=0)) * np.sqrt(n / (n - 1))
    product = centred.T @ centred
    squares = np.square(centred).sum(axis=1)
    through = ((centred @ product) * centred).sum(axis=1)
    pairs = float(np.square(product).sum() - np.square(squares).sum())
    triples = float(
        (product @ product * product).sum() - 3 * squares @ through + 2 * (squares**3).sum()
    )
    trace = float(squares.mean())
    # Rows less their common mean are correlated by -1/(n-1), which adds trace²/(n-1)² to a square.
    squared = pairs / (n * (n - 1)) - (trace / (n - 1)) ** 2
    squared = max(squared, trace**2 / max(centred.shape[1], 1), TINY**2)
    cubed = max(triples / (n * (n - 1) * (n - 2)), 0.0)
    return Moments(
        metric=metric,
        trace=max(trace, TINY),
        trace_squared=squared,
        trace_cubed=cubed,
        excess=_excess(centred, squares, (through - squares**2) / (n - 1), squared, cubed),
        n=n,
    )


def _excess(
    centred: Floats, squares: Floats, through: Floats, trace_squared: float, trace_cubed: float
) -> tuple[float, float, float, float]:
    """What rows with heavier tails than a normal's add; lighter tails are not made use of."""
    apart = squares - squares.mean()
    lean = apart @ centred / len(centred)
    by_chance = float(np.square(apart) @ squares) / len(centred) ** 2
    return (
        max(float(np.square(apart).mean()) - 2 * trace_squared, 0.0),
        max(float((apart * through).mean()) - 2 * trace_cubed, 0.0),
        max(float((apart**3).mean()) - 8 * trace_cubed, 0.0),
        max(float(lean @ lean) - by_chance, 0.0),
    )


def whitener(rows: Floats32, *, variance: float = 1.0) -> Floats32:
    """[r, d] factor L of the shrunk inverse covariance (Ledoit and Wolf, 2004) of [n, d] rows.

    Dimensions are first brought to one scale, since a few giant ones (as [CLS] has) would make the
    shrinkage drown all others. Only the leading principal components are whitened that hold the
    share `variance` of all variance, and at most 128 where there are fewer than 1.5 d rows: beyond,
    hardly anything varies but for rare items, whose mean is not normal.
    """
    from sklearn.covariance import ledoit_wolf

    data = rows.astype(np.float64)
    scale = data.std(axis=0)
    # What never varied has no scale to judge a move by: the plain test sees it.
    scale = np.where(scale > max(1e-6 * float(scale.max(initial=0.0)), 1e-12), scale, np.inf)
    axes = _leading(data / scale, variance)
    covariance, _ = ledoit_wolf(data / scale @ axes)
    values, vectors = np.linalg.eigh(np.atleast_2d(covariance))
    floor = 1e-8 * max(float(values[-1]), 1e-300)
    factor = (vectors / np.sqrt(np.maximum(values, floor))).T @ axes.T
    return np.asarray(factor / scale, dtype=np.float32)


def distance(difference: Floats, n: int, n_reference: int, moments: Moments) -> Distance:
    """Judge `difference` [d] of the means of n and `n_reference` items."""
    shifted = difference
    if moments.metric is not None:
        # In the metric's own precision: converting it would take longer than the product.
        shifted = (moments.metric @ difference.astype(np.float32)).astype(np.float64)
    scale = 1 / n + 1 / n_reference
    value = float(shifted @ shifted) / scale
    freedom = moments.trace**2 / moments.trace_squared
    traces = _traces(moments, n, n_reference)
    return Distance(
        value=value / traces[0],
        p_value=tail(value, *traces),
        effect=effect_of(
            value / moments.trace * freedom,
            traces[0] / moments.trace * freedom,
            n,
            n_reference,
        ),
    )


def threshold(alpha: float, n: int, n_reference: int, moments: Moments) -> float:
    """The `value` of a `distance` whose p-value is `alpha`."""
    traces = _traces(moments, n, n_reference)
    return quantile(alpha, *traces) / traces[0]


def _traces(moments: Moments, n: int, n_reference: int) -> tuple[float, float, float]:
    """The traces of normal rows whose distance would have the same mean, variance and skewness.

    The distance is a sum over pairs of items, and over items with themselves: the latter matters
    where few items have most of the square, the more the smaller the window. That the trace is an
    estimate adds its error to the variance.
    """
    second, third = 1 / n + 1 / n_reference, 1 / n**3 + 1 / n_reference**3
    fifth, lopsided = 1 / n**5 + 1 / n_reference**5, 1 / n**2 - 1 / n_reference**2
    quartic, cross, sextic, lean = moments.excess
    squared = moments.trace_squared + quartic * third / (2 * second**2)
    squared += (quartic / 2 + moments.trace_squared) / moments.n
    cubed = 12 * cross * second * third + sextic * fifth + 6 * lean * lopsided**2
    variance, square = moments.dispersion.at(n)
    return (
        moments.trace * variance,
        squared * square,
        (moments.trace_cubed + cubed / (8 * second**3)) * square**1.5,
    )


def _leading(rows: Floats, variance: float) -> Floats:
    """[d, r] principal directions to whiten."""
    n, d = rows.shape
    values, vectors = np.linalg.eigh(np.cov(rows.T).reshape(d, d))
    held = np.cumsum(values[::-1]) / max(float(values.sum()), TINY)
    most = d if n >= ROWS_PER_DIMENSION * d else min(FEW_COMPONENTS, int(n / ROWS_PER_DIMENSION))
    r = max(1, min(most, int(np.searchsorted(held, variance)) + 1))
    axes: Floats = vectors[:, ::-1][:, :r]
    return axes
