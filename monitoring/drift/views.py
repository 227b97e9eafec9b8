"""What on-demand detectors look at: bounded rows of samples, and confidences in a few bins."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from monitoring.drift.grids import Counts, merged
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.sample import Floats32, Sample


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Embeddings [N, d] of the reference and [n, d] of the window, and the rows they are."""

    reference: Floats32
    window: Floats32
    reference_rows: npt.NDArray[np.intp]
    window_rows: npt.NDArray[np.intp]


def embeddings_of(reference: Reference, observed: Observed, most_rows: int) -> Pair | None:
    """Finite embeddings, evenly thinned to `most_rows` each; None where they cannot be compared."""
    if reference.sample is None or observed.sample is None:
        return None
    first = _finite(reference.sample, most_rows)
    second = _finite(observed.sample, most_rows)
    a, b = reference.sample.embeddings[first], observed.sample.embeddings[second]
    if a.shape[1] != b.shape[1] or not a.shape[1]:
        return None
    return Pair(a, b, first, second)


def confidences_of(sample: Sample) -> npt.NDArray[np.float64]:
    """[n] probabilities of the predicted class, in the sample's order."""
    rows = np.arange(len(sample))
    return sample.probabilities[rows, sample.predicted].astype(np.float64)


def confidence_counts(
    reference: Reference, observed: Observed, n_groups: int
) -> tuple[Counts, Counts]:
    """Histograms of the predicted class's probability in groups of equal mass of the reference."""
    before = reference.sums.confidence.sum(axis=0)
    now = observed.sums.confidence.sum(axis=0)
    groups = merged(before, n_groups)
    k = int(groups.max()) + 1
    return (
        np.bincount(groups, weights=before, minlength=k).astype(np.int64),
        np.bincount(groups, weights=now, minlength=k).astype(np.int64),
    )


def _finite(sample: Sample, most_rows: int) -> npt.NDArray[np.intp]:
    rows = np.flatnonzero(np.isfinite(sample.embeddings).all(axis=1))
    if len(rows) <= most_rows:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most_rows).astype(np.intp)]
