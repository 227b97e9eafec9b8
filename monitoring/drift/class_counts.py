"""Whether the model answers other classes than it used to."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import compare_categories
from monitoring.drift.dispersion import thinned
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.shares import largest_changes
from monitoring.drift.sums import aligned


@dataclass(frozen=True, slots=True)
class ClassCounts:
    """G-test on the counts of predicted classes, Williams-corrected; rare classes exactly."""

    name: str = "class_counts"
    family: Family = Family.OUTPUTS
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = aligned(reference.sums, observed.sums)
        if not has_enough(before.n, now.n):
            return insufficient(self, before.n, now.n, "too few predictions")
        counts = thinned(
            before.label_counts, now.label_counts, reference.dispersion("label_counts")
        )
        found = compare_categories(*counts)
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=before.n,
            n_window=now.n,
            is_sufficient=True,
            statistic=found.statistic,
            p_value=found.p_value,
            effect=found.effect,
            details={"classes": largest_changes(now.labels, before.label_counts, now.label_counts)},
        )
