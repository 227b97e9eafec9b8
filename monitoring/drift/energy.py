"""Energy distance between two samples of embeddings, with permutations."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.permutations import kernel_test, squared_distances
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.views import embeddings_of


@dataclass(frozen=True, slots=True)
class Energy:
    """Twice the distances between minus those within (Székely and Rizzo, 2004); no bandwidth.

    For an audit: p-values end at 1/(1 + n_permutations).
    """

    name: str = "energy"
    family: Family = Family.INPUTS
    needs_sample: bool = True
    most_rows: int = 1000
    n_permutations: int = 499
    seed: int = 0

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        pair = embeddings_of(reference, observed, self.most_rows)
        if pair is None:
            return insufficient(self, 0, 0, "no samples of embeddings of one size")
        n_reference, n_window = len(pair.reference), len(pair.window)
        if not has_enough(n_reference, n_window):
            return insufficient(self, n_reference, n_window, "too few embeddings")
        rows = np.concatenate([pair.reference, pair.window])
        rng = np.random.default_rng(self.seed)
        kernel = -np.sqrt(squared_distances(rows))
        found = kernel_test(kernel, n_reference, n_permutations=self.n_permutations, rng=rng)
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=n_reference,
            n_window=n_window,
            is_sufficient=True,
            statistic=found.statistic,
            p_value=found.p_value,
            effect=found.effect,
            details={"n_permutations": self.n_permutations},
        )
