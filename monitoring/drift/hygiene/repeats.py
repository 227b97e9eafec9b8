"""Whether more texts than before came shortly before already."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import exceeds
from monitoring.drift.hygiene.findings import finding_of
from monitoring.drift.reference import Observed, Reference

# A reference made from a file has no repeats and live traffic has retries: that alone is no news.
TOLERANCE = 0.05


@dataclass(frozen=True, slots=True)
class Repeats:
    """Binomial tail of the share of repeated texts beyond the reference's plus five points."""

    name: str = "repeats"
    family: Family = Family.HYGIENE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = reference.sums, observed.sums
        if not has_enough(before.n, now.n):
            return insufficient(self, before.n, now.n, "too few predictions")
        found = exceeds(before.n_repeated, before.n, now.n_repeated, now.n, TOLERANCE)
        details = {"reference": before.n_repeated / before.n, "window": now.n_repeated / now.n}
        return finding_of(self, found, before.n, now.n, {"share": details})
