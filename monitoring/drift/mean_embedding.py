"""Whether the texts' mean embedding has moved."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding
from monitoring.drift.mean_tests import Mean, judge_means
from monitoring.drift.reference import Observed, Reference


@dataclass(frozen=True, slots=True)
class MeanEmbedding:
    """Euclidean distance of means and Hotelling's whitened one, Cauchy-combined.

    The whitener comes from one half of the reference, its null moments from the other.
    """

    name: str = "mean_embedding"
    family: Family = Family.INPUTS
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = reference.sums, observed.sums
        return judge_means(
            self,
            Mean(before.embedding, before.n_embedded),
            Mean(now.embedding, now.n_embedded),
            reference.plain,
            reference.whitened,
        )
