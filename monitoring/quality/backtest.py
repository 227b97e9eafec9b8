"""How far label-free estimates were off, once the labels of their windows had come.

Only mature windows count (`maturity`): before, the labels there are may not be like the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitoring.quality.estimates import DEFAULT_SLOPE, Method
from monitoring.quality.metrics import Floats
from monitoring.quality.report import Estimate

# Fewer windows than this say little of the next one's error.
FEWEST_WINDOWS = 5
MOST_SLOPE = 4.0
# Standard errors in the width of a 95 % interval; the mean of a normal error's absolute value.
_INTERVAL = 3.92
_MEAN_ABSOLUTE = float(np.sqrt(2 / np.pi))


@dataclass(frozen=True, slots=True)
class Outcome:
    """One method's estimate of a window's accuracy (or F1) beside what its labels showed."""

    method: Method
    estimated: Estimate
    realised: Estimate
    n_labelled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningError:
    """Over `n_windows` with `n_labelled` labels, each window counted by its labels.

    `absolute` and `bias` are the mean of |estimated - realised| and of estimated - realised;
    `expected` the mean absolute error that the labels' own uncertainty would make by itself.
    `agreement` is the share of windows in which both intervals overlap.
    """

    method: Method
    n_windows: int
    n_labelled: int
    absolute: float
    bias: float
    expected: float
    agreement: float

    @property
    def is_sufficient(self) -> bool:
        return self.n_windows >= FEWEST_WINDOWS


def running_errors(outcomes: Sequence[Outcome]) -> tuple[RunningError, ...]:
    """One for each method that has an outcome; those without a value are left out.

    >>> outcome = Outcome(Method.CBPE, Estimate(0.9, 0.88, 0.92), Estimate(0.85, 0.8, 0.89), 100)
    >>> [error] = running_errors([outcome])
    >>> round(error.absolute, 3), round(error.bias, 3), error.agreement
    (0.05, 0.05, 1.0)
    """
    errors = []
    for method in Method:
        rows = [_row(o) for o in outcomes if o.method is method]
        known = [row for row in rows if row is not None]
        if known:
            errors.append(_error(method, np.array(known)))
    return tuple(errors)


def fit_slope(falls_of_confidence: Sequence[float], falls_of_accuracy: Sequence[float]) -> float:
    """DoC's slope from past windows, by least squares through 0; 1 under five of them.

    >>> fit_slope([0.0, 0.01, 0.02, 0.03, 0.04], [0.0, 0.02, 0.04, 0.06, 0.08])
    2.0
    """
    x = np.asarray(falls_of_confidence, dtype=np.float64)
    y = np.asarray(falls_of_accuracy, dtype=np.float64)
    squares = float(x @ x)
    if len(x) < FEWEST_WINDOWS or squares <= 0:
        return DEFAULT_SLOPE
    return float(np.clip(x @ y / squares, 0.0, MOST_SLOPE))


def _error(method: Method, rows: Floats) -> RunningError:
    value, low, high, truth, truth_low, truth_high, n = rows.T
    weights = n / n.sum() if n.sum() else np.full(len(n), 1 / len(n))
    noise = (truth_high - truth_low) / _INTERVAL * _MEAN_ABSOLUTE
    return RunningError(
        method=method,
        n_windows=len(n),
        n_labelled=int(n.sum()),
        absolute=float(weights @ np.abs(value - truth)),
        bias=float(weights @ (value - truth)),
        expected=float(weights @ noise),
        agreement=float(((low <= truth_high) & (truth_low <= high)).mean()),
    )


def _row(outcome: Outcome) -> list[float] | None:
    """Both estimates and the number of labels; None where a number is missing."""
    estimated, realised = outcome.estimated, outcome.realised
    numbers = [estimated.value, estimated.low, estimated.high]
    numbers += [realised.value, realised.low, realised.high]
    known = [number for number in numbers if number is not None]
    return [*known, float(outcome.n_labelled)] if len(known) == len(numbers) else None
