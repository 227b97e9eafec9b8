"""What may be said to be true of a prediction: one of its labels, or whether it is right.

Of an answer that is no label, people can say that the whole of it is right, or wrong. `right` is
kept as the label that was predicted, so counts, rates and searches need not know of tasks: what is
right is what was predicted.
"""

from collections.abc import Callable

from monitoring.models import Prediction
from registry import queries
from registry.errors import RegistryError

LoadLabels = Callable[[str, int], tuple[str, ...]]

RIGHT, WRONG = "right", "wrong"
HAS_LABELS = "text-classification"
HAS_CANDIDATES = "zero-shot-classification"
"""Its labels are those that the caller asked about, not the version's."""
SCORES_TRUTHS = (HAS_LABELS, HAS_CANDIDATES)
"""Tasks whose scores are probabilities of what feedback may say."""


def labels_of(
    prediction: Prediction, *, load_labels: LoadLabels = queries.load_labels
) -> tuple[str, ...]:
    """What feedback on `prediction` may say: labels in its version's order, candidates in that of
    the alphabet, or right and wrong.
    """
    if prediction.task == HAS_CANDIDATES:
        # PostgreSQL does not keep the order in which they were asked about.
        return tuple(sorted(prediction.scores))
    if prediction.task != HAS_LABELS:
        return RIGHT, WRONG
    try:
        return load_labels(prediction.model, prediction.version)
    except RegistryError:
        # The version is gone from the registry; its predictions still say what it could say.
        return tuple(prediction.scores)


def kept_as(prediction: Prediction, said: str) -> str:
    """The label that is kept where feedback says `said`, which is one of `labels_of`."""
    is_verdict = prediction.task not in SCORES_TRUTHS
    return prediction.label if is_verdict and said == RIGHT else said
