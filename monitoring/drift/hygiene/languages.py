"""Whether texts are in other languages than they used to be."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import compare_categories
from monitoring.drift.dispersion import thinned
from monitoring.drift.hygiene.findings import finding_of
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.shares import as_counts, largest_changes


@dataclass(frozen=True, slots=True)
class Languages:
    """G-test on the counts of texts in each language, of those texts whose language was found."""

    name: str = "languages"
    family: Family = Family.HYGIENE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        names, before, now = as_counts(reference.sums.languages, observed.sums.languages)
        sizes = int(before.sum()), int(now.sum())
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few texts")
        details = {"languages": largest_changes(names, before, now)}
        counts = thinned(before, now, reference.dispersion("languages"))
        return finding_of(self, compare_categories(*counts), *sizes, details)
