"""Maximum mean discrepancy between two samples of embeddings, with permutations."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.permutations import kernel_test, squared_distances
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.views import embeddings_of


@dataclass(frozen=True, slots=True)
class MMD:
    """Gaussian kernel at the median distance (Gretton and others, 2012).

    Sees any change of distribution, by work that grows with the square of the rows. For an audit:
    p-values end at 1/(1 + n_permutations).
    """

    name: str = "mmd"
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
        distances = squared_distances(np.concatenate([pair.reference, pair.window]))
        median = float(np.median(distances[distances > 0])) if distances.any() else 1.0
        kernel = np.exp(-distances / median)
        rng = np.random.default_rng(self.seed)
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
            details={"bandwidth": median**0.5, "n_permutations": self.n_permutations},
        )
