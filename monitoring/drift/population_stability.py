"""The population stability index of the model's confidence."""

from dataclasses import dataclass

import numpy as np
from scipy import special

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.grids import Counts, Floats
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.tails import effect_of
from monitoring.drift.views import confidence_counts

# An empty bin counts as half an answer: with the smallest number instead, as is often done, one new
# bin with a hundredth of the answers looks like a catastrophe.
_FLOOR = 0.5


@dataclass(frozen=True, slots=True)
class PopulationStability:
    """PSI over ten bins of equal mass of the probability of the predicted class.

    For those who have dashboards of it. Its usual limits, 0.1 and 0.25, do not depend on n; the
    p-value does: PSI·nN/(n+N) is about chi-square with one degree less than bins (Yurdakul, 2018).
    """

    name: str = "population_stability"
    family: Family = Family.OUTPUTS
    needs_sample: bool = False
    n_bins: int = 10

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        sizes = reference.sums.n, observed.sums.n
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few predictions")
        before, now = confidence_counts(reference, observed, self.n_bins)
        index = stability_index(before, now)
        statistic = index / (1 / sizes[0] + 1 / sizes[1])
        freedom = max(len(before) - 1, 1)
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=sizes[0],
            n_window=sizes[1],
            is_sufficient=True,
            statistic=index,
            p_value=float(special.chdtrc(freedom, statistic)),
            effect=effect_of(statistic, freedom, sizes[1], sizes[0]),
            details={"n_bins": len(before)},
        )


def stability_index(reference: Counts, window: Counts) -> float:
    """Sum of (q - p)·ln(q/p) over bins, empty ones counted as half an item.

    >>> round(stability_index(np.array([990, 0]), np.array([980, 10])), 3)
    0.029
    """
    p, q = _shares(reference), _shares(window)
    return float(((q - p) * np.log(q / p)).sum())


def _shares(counts: Counts) -> Floats:
    floored: Floats = np.maximum(counts, _FLOOR)
    shares: Floats = floored / floored.sum()
    return shares
