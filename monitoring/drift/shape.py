"""Whether embeddings spread otherwise although their mean may have stayed."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, insufficient
from monitoring.drift.mean_tests import Mean, judge_means
from monitoring.drift.reference import Observed, Reference


@dataclass(frozen=True, slots=True)
class Shape:
    """Means of random Fourier features and of squared components, plain and whitened.

    The plain distance of random features approximates the maximum mean discrepancy (Rahimi and
    Recht, 2007; Gretton and others, 2012).
    """

    name: str = "shape"
    family: Family = Family.SHAPE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = reference.sums, observed.sums
        if before.basis != now.basis:
            reason = "the window's features are in another basis"
            return insufficient(self, before.n_featured, now.n_featured, reason)
        return judge_means(
            self,
            Mean(before.features, before.n_featured),
            Mean(now.features, now.n_featured),
            reference.shape,
            reference.shape_whitened,
        )
