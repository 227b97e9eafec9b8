"""Whether texts hold more, or fewer, tokens that the model does not know."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import compare_ordered
from monitoring.drift.dispersion import thinned
from monitoring.drift.hygiene.findings import finding_of, is_measured
from monitoring.drift.reference import Observed, Reference


@dataclass(frozen=True, slots=True)
class UnknownTokens:
    """Anderson-Darling on each text's share of unknown tokens."""

    name: str = "unknown_tokens"
    family: Family = Family.HYGIENE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = reference.sums.unknown, observed.sums.unknown
        sizes = int(before.sum()), int(now.sum())
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few predictions")
        if not is_measured(reference.sums.tokens) or not is_measured(observed.sums.tokens):
            return insufficient(self, *sizes, "tokens were not counted")
        shares = (1 - int(before[0]) / sizes[0], 1 - int(now[0]) / sizes[1])
        details = {"texts_with_unknown": {"reference": shares[0], "window": shares[1]}}
        counts = thinned(before, now, reference.dispersion("unknown"))
        return finding_of(self, compare_ordered(*counts), *sizes, details)
