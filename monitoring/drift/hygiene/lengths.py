"""Whether texts are longer or shorter, in tokens, than they used to be."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import compare_ordered
from monitoring.drift.dispersion import thinned
from monitoring.drift.grids import TOKENS
from monitoring.drift.hygiene.findings import finding_of, is_measured, medians
from monitoring.drift.reference import Observed, Reference


@dataclass(frozen=True, slots=True)
class Lengths:
    """Anderson-Darling on the numbers of tokens."""

    name: str = "lengths"
    family: Family = Family.HYGIENE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = reference.sums.tokens, observed.sums.tokens
        sizes = int(before.sum()), int(now.sum())
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few predictions")
        if not is_measured(before) or not is_measured(now):
            return insufficient(self, *sizes, "tokens were not counted")
        details = {"median_tokens": medians(before, now, TOKENS)}
        counts = thinned(before, now, reference.dispersion("tokens"))
        return finding_of(self, compare_ordered(*counts), *sizes, details)
