"""The Jensen-Shannon distance of the predicted classes' shares."""

from dataclasses import dataclass

import scipy

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import compare_categories
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.shares import largest_changes
from monitoring.drift.sums import aligned


@dataclass(frozen=True, slots=True)
class JensenShannon:
    """Distance in [0, 1] (base 2, by scipy); judged by the G-test, whose statistic it is a
    rescaling of for two samples of one size.
    """

    name: str = "jensen_shannon"
    family: Family = Family.OUTPUTS
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = aligned(reference.sums, observed.sums)
        if not has_enough(before.n, now.n):
            return insufficient(self, before.n, now.n, "too few predictions")
        counts = before.label_counts, now.label_counts
        found = compare_categories(*counts)
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=before.n,
            n_window=now.n,
            is_sufficient=True,
            statistic=float(scipy.spatial.distance.jensenshannon(*counts, base=2)),
            p_value=found.p_value,
            effect=found.effect,
            details={"classes": largest_changes(now.labels, *counts)},
        )
