"""Energy distance between two samples of embeddings, with permutations."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.base import Family, Finding
from monitoring.drift.grids import Floats
from monitoring.drift.permutations import judge_by_kernel
from monitoring.drift.reference import Observed, Reference


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
        return judge_by_kernel(self, reference, observed)

    def kernel(self, distances: Floats) -> tuple[Floats, dict[str, float]]:
        return -np.sqrt(distances), {}
