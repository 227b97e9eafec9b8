"""Which dimensions of the embedding are distributed otherwise."""

import math
from dataclasses import dataclass

import numpy as np
import scipy
from scipy import special

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.combining import holm
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.tails import auc_equivalent
from monitoring.drift.views import embeddings_of

_MOST_NAMED = 10
# The mean of the square of Kolmogorov's limiting distribution.
_MEAN_SQUARE = math.pi**2 / 12


@dataclass(frozen=True, slots=True)
class KolmogorovSmirnov:
    """Two-sample Kolmogorov-Smirnov of each dimension, with Holm's correction over all.

    Weak where a change spreads over many dimensions, as it does in most embeddings: for naming
    dimensions rather than for raising alarms.
    """

    name: str = "kolmogorov_smirnov"
    family: Family = Family.INPUTS
    needs_sample: bool = True
    most_rows: int = 2000

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        pair = embeddings_of(reference, observed, self.most_rows)
        if pair is None:
            return insufficient(self, 0, 0, "no samples of embeddings of one size")
        sizes = len(pair.reference), len(pair.window)
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few embeddings")
        found = scipy.stats.ks_2samp(pair.window, pair.reference, axis=0, method="asymp")
        adjusted = holm(found.pvalue.tolist())
        order = np.argsort(adjusted, kind="stable")[:_MOST_NAMED].tolist()
        dimensions = [
            {"dimension": i, "distance": float(found.statistic[i]), "p_value": adjusted[i]}
            for i in order
        ]
        best = order[0]
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=sizes[0],
            n_window=sizes[1],
            is_sufficient=True,
            statistic=float(found.statistic[best]),
            p_value=adjusted[best],
            effect=_effect(float(found.statistic[best]), *sizes),
            details={"dimensions": dimensions},
        )


def _effect(distance: float, n_reference: int, n: int) -> float:
    """The AUC of the shift of a normal whose distribution functions lie so far apart."""
    square = max(distance**2 - _MEAN_SQUARE * (1 / n + 1 / n_reference), 0.0)
    half = min((1 + math.sqrt(square)) / 2, 1 - 1e-12)
    return auc_equivalent(float(2 * special.ndtri(half)) ** 2)
