"""Maximum mean discrepancy between two samples of embeddings, with permutations."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.base import Family, Finding
from monitoring.drift.grids import Floats
from monitoring.drift.permutations import judge_by_kernel
from monitoring.drift.reference import Observed, Reference


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
        return judge_by_kernel(self, reference, observed)

    def kernel(self, distances: Floats) -> tuple[Floats, dict[str, float]]:
        median = float(np.median(distances[distances > 0])) if distances.any() else 1.0
        return np.exp(-distances / median), {"bandwidth": median**0.5}
