"""Whether a model's probabilities are true, by the labels of the newest predictions."""

from collections.abc import Sequence

import numpy as np

from monitoring.quality import calibration
from monitoring.quality.calibration import CalibrationReport
from monitoring.queries import TRUSTED
from monitoring.reporting.pairs import Pair, load_pairs
from monitoring.rollups import Scope


def load_calibration(scope: Scope) -> CalibrationReport:
    """Judge the probabilities of up to 10,000 labelled predictions in `scope`.

    Where it names no source, only trusted ones: corrections by users say that every answer is
    wrong, however sure it was. Of an audit that prefers uncertain answers, each point of the
    reliability curve is right, and the mean over points leans to the uncertain ones.
    """
    sources = TRUSTED if scope.source is None else (scope.source,)
    return judge(load_pairs(scope, sources))


def judge(pairs: Sequence[Pair]) -> CalibrationReport:
    """The same of `pairs`; those whose truth is none of the scored labels are left out."""
    known = [pair for pair in pairs if pair.actual in pair.scores]
    labels = sorted({label for pair in known for label in pair.scores})
    place = {label: i for i, label in enumerate(labels)}
    probabilities = np.zeros((len(known), len(labels)))
    for i, pair in enumerate(known):
        for label, score in pair.scores.items():
            probabilities[i, place[label]] = score
    actual = np.array([place[pair.actual] for pair in known], dtype=np.int64)
    return calibration.report(probabilities, actual)
