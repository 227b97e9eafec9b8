"""How far the model's confidence has to be carried to look as it did."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.grids import PROBABILITY, Counts, Floats, middles
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.tails import auc_equivalent


@dataclass(frozen=True, slots=True)
class Wasserstein:
    """First Wasserstein distance of the predicted class's probability, in its own unit.

    From histograms; judged by dealing the pooled counts anew, which is exact. p-values end at
    1/(1 + n_permutations).
    """

    name: str = "wasserstein"
    family: Family = Family.OUTPUTS
    needs_sample: bool = False
    n_permutations: int = 999
    seed: int = 0

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        sizes = reference.sums.n, observed.sums.n
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few predictions")
        before = reference.sums.confidence.sum(axis=0)
        now = observed.sums.confidence.sum(axis=0)
        rng = np.random.default_rng(self.seed)
        drawn = rng.multivariate_hypergeometric(before + now, sizes[1], size=self.n_permutations)
        distances = _distances(before + now, np.concatenate([now[None], drawn]))
        statistic, null = float(distances[0]), distances[1:]
        k = int((null >= statistic * (1 - 1e-9)).sum())
        spread = _spread(before + now)
        excess = statistic**2 - float(np.square(null).mean())
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=sizes[0],
            n_window=sizes[1],
            is_sufficient=True,
            statistic=statistic,
            p_value=(1 + k) / (1 + self.n_permutations),
            effect=auc_equivalent(excess / spread**2 if spread else 0.0),
            details={"standardised": statistic / spread if spread else 0.0},
        )


def _distances(pooled: Counts, windows: Counts) -> Floats:
    """[b] distances of each of [b, bins] windows from what it leaves of `pooled`."""
    rest = pooled - windows
    gaps = np.cumsum(windows, axis=1) / windows.sum(axis=1, keepdims=True)
    gaps = gaps - np.cumsum(rest, axis=1) / rest.sum(axis=1, keepdims=True)
    lengths: Floats = np.abs(gaps[:, :-1]) @ np.diff(middles(PROBABILITY))
    return lengths


def _spread(counts: Counts) -> float:
    values = middles(PROBABILITY)
    mean = float(counts @ values) / int(counts.sum())
    return float(np.sqrt(counts @ (values - mean) ** 2 / counts.sum()))
