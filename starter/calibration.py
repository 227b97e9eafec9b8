"""How far scores can be believed, and the one number that makes them honest.

Temperature scaling follows Guo et al. (2017): one divisor for all logits, fitted on
rows that were not trained on. It changes no answer, only how sure the answers sound.
"""

from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch.nn import functional
from transformers import BertForSequenceClassification

from starter.measure import Floats, Integers, softmax

ECE_BINS = 15


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected calibration error, Brier score and mean log loss on one set."""

    ece: float
    brier: float
    log_loss: float

    def rounded(self) -> dict[str, float]:
        """Return the three numbers to four places, for files and tables."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


def expected_calibration_error(
    confidence: Floats, correct: Integers, bins: int = ECE_BINS
) -> float:
    """Mean gap between confidence and accuracy over bins of equal mass.

    Rows are sorted by confidence and cut into ``bins`` parts of (nearly) the same
    size; empty parts, which occur when there are fewer rows than bins, are left out.
    """
    order = np.argsort(confidence, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    gaps = [len(p) * abs(confidence[p].mean() - correct[p].mean()) for p in parts]
    return float(sum(gaps) / len(confidence))


def brier_score(probabilities: Floats, labels: Integers) -> float:
    """Mean squared distance to the one-hot label, summed over classes (0 to 2)."""
    wanted = np.eye(probabilities.shape[1])[labels]
    return float(((probabilities - wanted) ** 2).sum(axis=1).mean())


def log_loss(probabilities: Floats, labels: Integers) -> float:
    """Mean negative natural log of the probability given to the label."""
    given = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(given, np.finfo(float).tiny)).mean())


def assess(logits: Floats, labels: Integers) -> Calibration:
    """Measure calibration of logits [n, classes] against labels [n]."""
    probabilities = softmax(logits)
    correct = (probabilities.argmax(axis=1) == labels).astype(np.int64)
    return Calibration(
        expected_calibration_error(probabilities.max(axis=1), correct),
        brier_score(probabilities, labels),
        log_loss(probabilities, labels),
    )


def fit_temperature(logits: Floats, labels: Integers) -> float:
    """Return the divisor of the logits that minimises the log loss.

    The search runs over the logarithm, so the result is always positive.
    """
    scores, wanted = torch.from_numpy(logits), torch.from_numpy(labels)
    log_t = torch.zeros((), dtype=scores.dtype, requires_grad=True)
    search = torch.optim.LBFGS([log_t], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        search.zero_grad()
        value = functional.cross_entropy(scores / log_t.exp(), wanted)
        value.backward()  # type: ignore[no-untyped-call]
        return value

    search.step(loss)  # type: ignore[no-untyped-call]
    return float(log_t.detach().exp())


@torch.no_grad()
def fold_temperature(model: BertForSequenceClassification, temperature: float) -> None:
    """Divide the classifier head by the temperature, in place.

    Logits are linear in the head, so every program that loads the weights then gives
    calibrated scores without knowing that a temperature exists.
    """
    for parameter in model.classifier.parameters():
        parameter.div_(temperature)
