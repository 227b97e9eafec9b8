"""Whether the model's confidence changed somewhere within the window."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.grids import Floats
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.tails import auc_equivalent
from monitoring.drift.views import confidences_of


@dataclass(frozen=True, slots=True)
class PageHinkley:
    """The Page-Hinkley test (Page, 1954), to either side, over the window's sample in its order.

    The level is known from the reference, not learnt on the way. Instead of a threshold picked by
    hand, windows drawn from the reference's sample say how high the statistic climbs by chance.
    `tolerance` is the change of the mean, in sd, that does not matter.
    """

    name: str = "page_hinkley"
    family: Family = Family.OUTPUTS
    needs_sample: bool = True
    tolerance: float = 0.1
    n_resamples: int = 199
    seed: int = 0

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        if reference.sample is None or observed.sample is None:
            return insufficient(self, 0, 0, "no samples were kept")
        before, now = confidences_of(reference.sample), confidences_of(observed.sample)
        if not has_enough(len(before), len(now)):
            return insufficient(self, len(before), len(now), "too few predictions")
        scale = max(float(before.std()), 1e-12)
        rng = np.random.default_rng(self.seed)
        drawn = rng.choice(before, size=(self.n_resamples, len(now)))
        # The reference's mean is an estimate too; the real window bears its error, so must these.
        errors = rng.normal(0.0, scale / len(before) ** 0.5, size=(self.n_resamples, 1))
        rows = (np.concatenate([now[None], drawn + errors]) - before.mean()) / scale
        climbs = highest_climbs(rows, self.tolerance)
        statistic, null = float(climbs[0]), climbs[1:]
        k = int((null >= statistic * (1 - 1e-9)).sum())
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=len(before),
            n_window=len(now),
            is_sufficient=True,
            statistic=statistic,
            p_value=(1 + k) / (1 + self.n_resamples),
            effect=auc_equivalent(float(rows[0].mean()) ** 2),
            details={"tolerance_sd": self.tolerance},
        )


def highest_climbs(rows: Floats, tolerance: float) -> Floats:
    """[b] largest rises of the cumulative sums of [b, n] standardised values, to either side.

    >>> highest_climbs(np.array([[0.0, 0.0, 1.0, 1.0]]), 0.0).tolist()
    [2.0]
    """
    sides = []
    for signed in (rows, -rows):
        sums = np.cumsum(signed - tolerance, axis=1)
        lowest = np.minimum(np.minimum.accumulate(sums, axis=1), 0.0)
        sides.append((sums - lowest).max(axis=1))
    highest: Floats = np.maximum(*sides)
    return highest
