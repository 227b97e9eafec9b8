"""From confidence to the chance of being right, fitted on labelled answers.

Platt's (1999) logistic curve over the log odds of confidence, one for each predicted class with
enough labels and one for all the others. On the answers it was fitted to, its mean is their
accuracy; the identity is its prior, so that few labels, or labels without one error, leave the
model's own word. Its two parameters come with their covariance.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from monitoring.drift import grids
from monitoring.quality.metrics import Counts, Floats

ODDS: Floats = special.logit(grids.middles(grids.PROBABILITY))
"""The log odds that stand for each bin of confidence."""
# Both outcomes are needed for a curve of one's own.
FEWEST_OF_EACH = 20
# Standard deviations of intercept and slope around the identity.
_PRIOR = np.array([1.0, 0.5])
_IDENTITY = np.array([0.0, 1.0])
_MOST_STEPS = 50
_SMALL_STEP = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """P(right) = expit(theta[0] + theta[1] * log odds); `covariance` [2, 2] is of `theta`."""

    theta: Floats
    covariance: Floats
    n: int

    def by_bin(self) -> Floats:
        """The chance of being right in each of the 64 bins of confidence."""
        return at_bins(self.theta)

    def at(self, confidence: Floats) -> Floats:
        """The same for single confidences [n], each taken as its bin's."""
        return self.by_bin()[np.searchsorted(grids.PROBABILITY, confidence, side="right")]

    def draws(self, n: int, rng: np.random.Generator) -> Floats:
        """[n, 64] curves that the same labels might have given."""
        return at_bins(rng.multivariate_normal(self.theta, self.covariance, size=n))


@dataclass(frozen=True, slots=True, eq=False)
class Calibrator:
    """A curve for each class that has one, and `pooled` for all others."""

    curves: dict[str, Curve]
    pooled: Curve

    def curve(self, label: str) -> Curve:
        return self.curves.get(label, self.pooled)


def fit(labels: Sequence[str], counts: Counts, right: Counts) -> Calibrator:
    """From [K, 64] labelled answers, and those right among them, by predicted class and bin."""
    curves = {
        label: fit_curve(counts[i], right[i])
        for i, label in enumerate(labels)
        if min(right[i].sum(), (counts[i] - right[i]).sum()) >= FEWEST_OF_EACH
    }
    return Calibrator(curves, fit_curve(counts.sum(axis=0), right.sum(axis=0)))


def fit_curve(counts: Counts, right: Counts) -> Curve:
    """The curve over 64 bins; of nothing, the identity. Newton's method from the identity."""
    design = np.stack([np.ones_like(ODDS), ODDS], axis=1)
    precision = np.diag(1 / _PRIOR**2)
    theta = _IDENTITY.copy()
    for _ in range(_MOST_STEPS):
        chance = special.expit(design @ theta)
        slope = design.T @ (right - counts * chance) - precision @ (theta - _IDENTITY)
        hessian = (design.T * (counts * chance * (1 - chance))) @ design + precision
        step = np.linalg.solve(hessian, slope)
        # A bounded step cannot overshoot where the curve is flat.
        theta = theta + step * min(1.0, 2.0 / max(float(np.abs(step).max()), _SMALL_STEP))
        if np.abs(step).max() < _SMALL_STEP:
            break
    return Curve(theta, np.linalg.inv(hessian), int(counts.sum()))


def at_bins(theta: npt.NDArray[np.float64]) -> Floats:
    """theta [..., 2] → chances [..., 64]."""
    return np.asarray(special.expit(theta[..., :1] + theta[..., 1:] * ODDS), dtype=np.float64)
