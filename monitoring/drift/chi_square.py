"""Pearson's chi-square of the predicted classes."""

from dataclasses import dataclass

import numpy as np
import scipy

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.shares import largest_changes
from monitoring.drift.sums import aligned
from monitoring.drift.tails import effect_of


@dataclass(frozen=True, slots=True)
class ChiSquare:
    """The test most tools use, by scipy; its far tail is too long where classes are rare."""

    name: str = "chi_square"
    family: Family = Family.OUTPUTS
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = aligned(reference.sums, observed.sums)
        if not has_enough(before.n, now.n):
            return insufficient(self, before.n, now.n, "too few predictions")
        rows = np.stack([before.label_counts, now.label_counts])
        rows = rows[:, rows.any(axis=0)]
        statistic, p_value, freedom = 0.0, 1.0, rows.shape[1] - 1
        if freedom:
            found = scipy.stats.chi2_contingency(rows, correction=False)
            statistic, p_value = float(found.statistic), float(found.pvalue)
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=before.n,
            n_window=now.n,
            is_sufficient=True,
            statistic=statistic,
            p_value=p_value,
            effect=effect_of(statistic, freedom, now.n, before.n),
            details={"classes": largest_changes(now.labels, before.label_counts, now.label_counts)},
        )
