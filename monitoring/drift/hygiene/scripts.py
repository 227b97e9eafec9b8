"""Whether texts are in other writing systems than they used to be."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import compare_categories
from monitoring.drift.dispersion import thinned
from monitoring.drift.hygiene.findings import finding_of
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.shares import as_counts, largest_changes


@dataclass(frozen=True, slots=True)
class Scripts:
    """G-test on the counts of texts in each writing system."""

    name: str = "scripts"
    family: Family = Family.HYGIENE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        names, before, now = as_counts(reference.sums.scripts, observed.sums.scripts)
        sizes = int(before.sum()), int(now.sum())
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few texts")
        details = {"scripts": largest_changes(names, before, now)}
        counts = thinned(before, now, reference.dispersion("scripts"))
        return finding_of(self, compare_categories(*counts), *sizes, details)
