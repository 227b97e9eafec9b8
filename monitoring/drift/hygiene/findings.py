"""A contrast of counts as the finding of a hygiene detector."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from monitoring.drift.base import Detector, Finding
from monitoring.drift.contrasts import Contrast
from monitoring.drift.grids import Counts, Floats, middles


def finding_of(
    detector: Detector,
    contrast: Contrast,
    n_reference: int,
    n_window: int,
    details: Mapping[str, Any],
) -> Finding:
    return Finding(
        detector=detector.name,
        family=detector.family,
        n_reference=n_reference,
        n_window=n_window,
        is_sufficient=True,
        statistic=contrast.statistic,
        p_value=contrast.p_value,
        effect=contrast.effect,
        details=details,
    )


def is_measured(counts: Counts) -> bool:
    """Whether a histogram holds anything but values below its range, as unknown ones are."""
    return bool(counts[1:].any())


def medians(reference: Counts, window: Counts, edges: Floats) -> dict[str, float]:
    """About where the middle of either histogram lies."""
    return {"reference": _median(reference, edges), "window": _median(window, edges)}


def _median(counts: Counts, edges: Floats) -> float:
    place = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return float(f"{middles(edges)[min(place, len(edges))]:.4g}")
