"""Whether the model's probabilities are distributed otherwise than they used to be."""

from dataclasses import dataclass

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.combining import holm
from monitoring.drift.contrasts import compare_ordered
from monitoring.drift.dispersion import thinned
from monitoring.drift.grids import Counts
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.sums import Sums, aligned


@dataclass(frozen=True, slots=True)
class Softmax:
    """Black-box shift detection: each class's probabilities by Anderson-Darling, with Holm.

    After Lipton, Wang and Smola (2018) and Rabanser and others (2019), on fixed bins instead of
    Kolmogorov-Smirnov. Two classes have one free column. Above 32 classes no columns are kept, and
    the probability of the predicted class is looked at.
    """

    name: str = "softmax"
    family: Family = Family.OUTPUTS
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = aligned(reference.sums, observed.sums)
        if not has_enough(before.n, now.n):
            return insufficient(self, before.n, now.n, "too few predictions")
        columns = _columns(before, now)
        if not columns:
            return insufficient(self, before.n, now.n, "no probabilities were kept")
        dispersion = reference.dispersion("probabilities")
        found = [
            compare_ordered(*thinned(first, second, dispersion)) for _, first, second in columns
        ]
        adjusted = holm([contrast.p_value for contrast in found])
        best = adjusted.index(min(adjusted))
        return Finding(
            detector=self.name,
            family=self.family,
            n_reference=before.n,
            n_window=now.n,
            is_sufficient=True,
            statistic=found[best].statistic,
            p_value=adjusted[best],
            effect=found[best].effect,
            details={"column": columns[best][0], "n_columns": len(columns)},
        )


def _columns(before: Sums, now: Sums) -> list[tuple[str, Counts, Counts]]:
    """(name, the reference's histogram, the window's) of what can be compared."""
    if before.has_columns and now.has_columns:
        # The second of two classes mirrors the first.
        labels = now.labels[:1] if len(now.labels) == 2 else now.labels
        pairs = zip(labels, before.probabilities, now.probabilities, strict=False)
        columns = list(pairs)
    else:
        columns = [("confidence", before.confidence.sum(axis=0), now.confidence.sum(axis=0))]
    return [column for column in columns if column[1].any() and column[2].any()]
