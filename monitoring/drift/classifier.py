"""Can a classifier tell the window from the reference, and by which texts and words?"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.grids import Floats
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.sample import Sample
from monitoring.drift.views import Pair, embeddings_of
from monitoring.drift.words import MOST_CHARACTERS, distinguishing

_MOST_TEXTS = 10
_MOST_WORDS = 20
_LONGEST_TEXT = MOST_CHARACTERS // 2


@dataclass(frozen=True, slots=True)
class Classifier:
    """Classifier two-sample test (Lopez-Paz and Oquab, 2017): cross-fitted, judged by its AUC.

    Linear discriminant with Ledoit-Wolf shrinkage. Its use is to explain an alarm: the window's
    texts least like the reference, and the words that differ most.
    """

    name: str = "classifier"
    family: Family = Family.INPUTS
    needs_sample: bool = True
    most_rows: int = 2000
    n_folds: int = 5
    seed: int = 0

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        pair = embeddings_of(reference, observed, self.most_rows)
        if pair is None or reference.sample is None or observed.sample is None:
            return insufficient(self, 0, 0, "no samples of embeddings of one size")
        sizes = len(pair.reference), len(pair.window)
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few embeddings")
        scores, z, auc = _cross_fit(pair, self.n_folds, self.seed)
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=sizes[0],
            n_window=sizes[1],
            is_sufficient=True,
            statistic=auc,
            p_value=float(special.ndtr(-z)),
            effect=max(auc, 0.5),
            details=_explained(reference.sample, observed.sample, pair, scores),
        )


def _cross_fit(pair: Pair, n_folds: int, seed: int) -> tuple[Floats, float, float]:
    """Each window row's score by models that did not see it; z and AUC over all folds."""
    from sklearn.model_selection import StratifiedKFold

    rows = np.concatenate([pair.reference, pair.window]).astype(np.float64)
    is_window = np.arange(len(rows)) >= len(pair.reference)
    scale = rows.std(axis=0)
    rows = rows[:, scale > 0] / scale[scale > 0]
    scores, aucs, variances = np.zeros(len(rows)), [], []
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=seed)
    for training, held in folds.split(rows, is_window):
        scores[held] = _scored(rows[training], is_window[training], rows[held])
        auc, variance = _auc(scores[held], is_window[held])
        aucs.append(auc)
        variances.append(variance)
    mean = float(np.mean(aucs))
    z = (mean - 0.5) / (float(np.sum(variances)) ** 0.5 / n_folds)
    return scores[is_window], z, mean


def _scored(rows: Floats, is_window: npt.NDArray[np.bool_], held: Floats) -> Floats:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    if not rows.shape[1]:
        return np.zeros(len(held))
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[0.5, 0.5])
    scores: Floats = model.fit(rows, is_window).decision_function(held)
    return scores


def _auc(scores: Floats, is_window: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """AUC and its variance where there is nothing to tell."""
    from scipy.stats import rankdata

    n = int(is_window.sum())
    n_reference = len(scores) - n
    u = float(rankdata(scores)[is_window].sum()) - n * (n + 1) / 2
    return u / (n * n_reference), (len(scores) + 1) / (12 * n * n_reference)


def _explained(reference: Sample, window: Sample, pair: Pair, scores: Floats) -> dict[str, Any]:
    order = np.argsort(-scores, kind="stable")
    unlike = [(window.texts[pair.window_rows[i]], float(scores[i])) for i in order]
    texts = [
        {"text": text[:_LONGEST_TEXT], "score": round(score, 3)} for text, score in unlike if text
    ]
    words = distinguishing(
        [text for text in reference.texts if text],
        [text for text in window.texts if text],
        _MOST_WORDS,
    )
    return {
        "texts": texts[:_MOST_TEXTS],
        "words": [
            {"word": w.word, "z": round(w.z, 2), "reference": w.n_reference, "window": w.n_window}
            for w in words
        ],
    }
