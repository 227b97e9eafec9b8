"""Whether more, or fewer, texts are empty."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import compare_shares
from monitoring.drift.hygiene.findings import finding_of
from monitoring.drift.reference import Observed, Reference


@dataclass(frozen=True, slots=True)
class Empties:
    """Fisher's exact test, or the G-test where counts are large, on the share of empty texts."""

    name: str = "empties"
    family: Family = Family.HYGIENE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = reference.sums, observed.sums
        if not has_enough(before.n, now.n):
            return insufficient(self, before.n, now.n, "too few predictions")
        found = compare_shares(before.n_empty, before.n, now.n_empty, now.n)
        details = {"reference": before.n_empty / before.n, "window": now.n_empty / now.n}
        return finding_of(self, found, before.n, now.n, {"share": details})
