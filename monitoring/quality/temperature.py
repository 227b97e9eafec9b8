"""How much too sure a model is, in one number, and its probabilities without that.

Temperature scaling (Guo et al., 2017): softmax(log p / T) has the least log loss at T; T > 1 says
that the model is too sure of itself.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import scipy
from scipy import special

from monitoring.drift import grids
from monitoring.quality.metrics import Counts, Floats

TEMPERATURES = (0.05, 20.0)
SMALLEST = 1e-12


def fit_temperature(
    probabilities: npt.ArrayLike, actual: npt.ArrayLike, weight: Floats | None = None
) -> float:
    """The T at which softmax(log p / T) has the least log loss, within TEMPERATURES."""
    logits = np.log(np.maximum(normalised(probabilities), SMALLEST))
    truth = np.asarray(actual, dtype=np.int64)
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        losses = special.logsumexp(scaled, axis=1) - scaled[rows, truth]
        return float(np.average(losses, weights=weight))

    return _least(loss)


def fit_binned_temperature(n: Counts, n_right: Counts) -> float:
    """The same from counts over the 64 bins of confidence (`grids.PROBABILITY`).

    Only the top probability is binned: for two classes this is exact but for the bins' width; for
    more it scales the odds of being right.
    """
    odds = special.logit(grids.middles(grids.PROBABILITY))

    def loss(log_temperature: float) -> float:
        scaled = odds / np.exp(log_temperature)
        right, wrong = np.logaddexp(0, -scaled), np.logaddexp(0, scaled)
        return float(n_right @ right + (n - n_right) @ wrong)

    return _least(loss)


def at_temperature(probabilities: npt.ArrayLike, temperature: float) -> Floats:
    """[n, K] probabilities as they are at another temperature."""
    logits = np.log(np.maximum(normalised(probabilities), SMALLEST)) / temperature
    return np.asarray(special.softmax(logits, axis=1), dtype=np.float64)


def _least(loss: Callable[[float], float]) -> float:
    bounds = (float(np.log(TEMPERATURES[0])), float(np.log(TEMPERATURES[1])))
    found = scipy.optimize.minimize_scalar(loss, bounds=bounds, method="bounded")
    return float(np.exp(found.x))


def normalised(probabilities: npt.ArrayLike) -> Floats:
    """[n, K] with rows that sum to 1."""
    rows = np.atleast_2d(np.asarray(probabilities, dtype=np.float64))
    sums = rows.sum(axis=1, keepdims=True)
    return np.asarray(rows / np.where(sums > 0, sums, 1.0), dtype=np.float64)
