"""What people read of a reference. Pure."""

from typing import Any

import numpy as np

from monitoring.drift.grids import PROBABILITY, TOKENS, Counts, Floats, middles
from monitoring.drift.reference import Reference

# A list of more labels is no summary; the counts of the others are left out.
MOST_LABELS = 32


def summarise(reference: Reference) -> dict[str, Any]:
    """JSON facts: predictions by label, quality of the labelled ones, sizes."""
    sums, sample = reference.sums, reference.sample
    order = np.argsort(-sums.label_counts, kind="stable")[:MOST_LABELS]
    return {
        "labels": {sums.labels[i]: int(sums.label_counts[i]) for i in order},
        "n_labels": len(sums.labels),
        **_quality(reference.confusion),
        "median_tokens": _median(sums.tokens, TOKENS),
        "median_confidence": _median(sums.confidence.sum(axis=0), PROBABILITY),
        "n_embedded": sums.n_embedded,
        "embedding_size": len(sums.embedding),
        "is_whitened": reference.whitened is not None,
        "n_rows": 0 if sample is None else len(sample),
        "n_texts": 0 if sample is None else sum(text is not None for text in sample.texts),
    }


def _quality(confusion: Counts) -> dict[str, float | None]:
    n = int(confusion.sum())
    if not n:
        return {"accuracy": None, "macro_f1": None}
    hits = np.diag(confusion)
    sizes = confusion.sum(axis=0) + confusion.sum(axis=1)
    f1 = 2 * hits[sizes > 0] / sizes[sizes > 0]
    return {"accuracy": round(float(hits.sum() / n), 6), "macro_f1": round(float(f1.mean()), 6)}


def _median(counts: Counts, edges: Floats) -> float | None:
    """Roughly: the middle of the bin that the middle item is in."""
    n = int(counts.sum())
    if not n:
        return None
    place = int(np.searchsorted(np.cumsum(counts), n / 2))
    return round(float(middles(edges)[place]), 4)
