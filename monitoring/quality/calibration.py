"""Are the probabilities true: of what is called with 80 %, are 80 % right?

The expected calibration error (ECE; Naeini et al., 2015) is the mean distance between confidence
and accuracy over bins of equal mass. It is never 0: with few labels a perfectly calibrated model
has a sizeable one by chance. So it comes with its null, the errors that the same confidences give
when every answer is right with exactly its probability (Vaicenavicius et al., 2019), and with what
is left of it beyond that null's mean. Brier's score (1950) and the log loss judge calibration and
sharpness in one.

Labels of a draw that prefers doubtful answers need their weights (`weighted`): then everything here
speaks of all answers, not of the labelled ones.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitoring.quality import intervals
from monitoring.quality.metrics import Floats
from monitoring.quality.report import Estimate, Verdict
from monitoring.quality.temperature import SMALLEST, fit_temperature, normalised
from monitoring.quality.weighted import Cell, ratio

N_BINS = 15
N_NULLS = 500
MIN_LABELLED = 100
# Under this many labels even one parameter is fitted to chance.
MIN_FOR_TEMPERATURE = 500
# Rows times nulls that are drawn at once.
_MOST_DRAWN = 4_000_000

Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Point:
    """One bin of the reliability curve: mean confidence against accuracy with its 95 % bounds."""

    n: int
    confidence: float
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationError:
    """`value` against its null: `null_mean`, `null_high` (95th percentile) and `p_value`.

    `excess` is what lies beyond the null's mean, at least 0: an estimate without the bias of
    `value`. `gap` is mean confidence minus accuracy: above 0 the model is too sure.
    """

    value: float
    excess: float
    null_mean: float
    null_high: float
    p_value: float
    gap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """Everything about n labelled answers; `temperature` is None under 500 of them.

    INSUFFICIENT_DATA under 100; all numbers are None and `points` empty under 1.
    """

    n: int
    error: CalibrationError | None
    brier: float | None
    log_loss: float | None
    temperature: float | None
    points: tuple[Point, ...]
    verdict: Verdict | None


def report(
    probabilities: npt.ArrayLike, actual: npt.ArrayLike, weight: Floats | None = None
) -> CalibrationReport:
    """Judge [n, K] probabilities by `actual` [n], the index of the true class.

    Rows need not sum to 1 exactly, as when they were kept in few digits; they are made to.

    >>> rng = np.random.default_rng(1)
    >>> p = rng.beta(2, 1, size=2000)
    >>> honest = report(np.stack([1 - p, p], axis=1), rng.random(2000) < p)
    >>> honest.error.p_value > 0.05, round(honest.temperature, 1)
    (True, 1.0)
    """
    rows, truth = normalised(probabilities), np.asarray(actual, dtype=np.int64)
    n = len(truth)
    if not n:
        return CalibrationReport(
            n=0,
            error=None,
            brier=None,
            log_loss=None,
            temperature=None,
            points=(),
            verdict=Verdict.INSUFFICIENT_DATA,
        )
    confidence, is_right = rows.max(axis=1), rows.argmax(axis=1) == truth
    return CalibrationReport(
        n=n,
        error=calibration_error(confidence, is_right, weight),
        brier=brier(rows, truth, weight),
        log_loss=log_loss(rows, truth, weight),
        temperature=fit_temperature(rows, truth, weight) if n >= MIN_FOR_TEMPERATURE else None,
        points=reliability(confidence, is_right, weight),
        verdict=Verdict.INSUFFICIENT_DATA if n < MIN_LABELLED else None,
    )


def calibration_error(
    confidence: Floats,
    is_right: Bools,
    weight: Floats | None = None,
    *,
    n_bins: int = N_BINS,
    n_nulls: int = N_NULLS,
    rng: np.random.Generator | None = None,
) -> CalibrationError:
    """ECE of n >= 1 answers over bins of equal mass; the null is drawn (seeded)."""
    bins = _bins(confidence, is_right, weight, n_bins)
    value = float(bins.errors(bins.right[None])[0])
    null = _nulls(bins, n_nulls, rng or intervals.seeded())
    mean = float(null.mean())
    return CalibrationError(
        value=value,
        excess=max(value - mean, 0.0),
        null_mean=mean,
        null_high=float(np.quantile(null, 0.95)),
        p_value=float((1 + np.count_nonzero(null >= value - 1e-12)) / (1 + n_nulls)),
        gap=float(np.average(bins.sure - bins.right, weights=bins.weight)),
    )


def reliability(
    confidence: Floats,
    is_right: Bools,
    weight: Floats | None = None,
    *,
    n_bins: int = N_BINS,
) -> tuple[Point, ...]:
    """The reliability curve over bins of equal mass, from the least confident upwards."""
    bins = _bins(confidence, is_right, weight, n_bins)
    ends = [*bins.starts[1:], len(bins.sure)]
    return tuple(bins.point(start, end) for start, end in zip(bins.starts, ends, strict=True))


def brier(
    probabilities: Floats, actual: npt.NDArray[np.int64], weight: Floats | None = None
) -> float:
    """The mean squared distance to the truth, summed over classes: 0 (best) to 2."""
    truth = np.zeros_like(probabilities)
    truth[np.arange(len(actual)), actual] = 1
    squares = np.square(probabilities - truth).sum(axis=1)
    return float(np.average(squares, weights=weight))


def log_loss(
    probabilities: Floats, actual: npt.NDArray[np.int64], weight: Floats | None = None
) -> float:
    """The mean negative log probability of the truth, in nats."""
    chosen = probabilities[np.arange(len(actual)), actual]
    return float(-np.average(np.log(np.maximum(chosen, SMALLEST)), weights=weight))


@dataclass(frozen=True, slots=True, eq=False)
class _Bins:
    """Answers ordered by confidence, and where bins begin."""

    sure: Floats
    right: Floats
    weight: Floats
    starts: npt.NDArray[np.intp]

    def errors(self, right: Floats) -> Floats:
        """ECE of every row of `right` [r, n]."""
        gaps = np.add.reduceat((right - self.sure) * self.weight, self.starts, axis=1)
        return np.asarray(np.abs(gaps).sum(axis=1) / self.weight.sum(), dtype=np.float64)

    def point(self, start: int, end: int) -> Point:
        sure, right, weight = (x[start:end] for x in (self.sure, self.right, self.weight))
        accuracy: Estimate = ratio(_cell(weight[right > 0]), _cell(weight))
        return Point(
            n=len(sure),
            confidence=float(np.average(sure, weights=weight)),
            accuracy=accuracy.value or 0.0,
            low=accuracy.low or 0.0,
            high=1.0 if accuracy.high is None else accuracy.high,
        )


def _cell(weight: Floats) -> Cell:
    return Cell(len(weight), float(weight.sum()), float(weight @ weight))


def _bins(confidence: Floats, is_right: Bools, weight: Floats | None, n_bins: int) -> _Bins:
    order = np.argsort(confidence, kind="stable")
    sure, right = confidence[order], is_right[order].astype(np.float64)
    given = np.ones(len(sure)) if weight is None else np.asarray(weight, dtype=np.float64)[order]
    below = np.concatenate([[0.0], np.cumsum(given)[:-1]])
    wanted = np.searchsorted(below, np.arange(n_bins) * given.sum() / n_bins)
    # Equal confidences stay together.
    first = np.searchsorted(sure, sure[np.minimum(wanted, len(sure) - 1)], side="left")
    return _Bins(sure, right, given, np.unique(first).astype(np.intp))


def _nulls(bins: _Bins, n_nulls: int, rng: np.random.Generator) -> Floats:
    at_once = max(1, _MOST_DRAWN // len(bins.sure))
    parts = []
    for start in range(0, n_nulls, at_once):
        size = (min(at_once, n_nulls - start), len(bins.sure))
        parts.append(bins.errors((rng.random(size) < bins.sure).astype(np.float64)))
    return np.concatenate(parts)
