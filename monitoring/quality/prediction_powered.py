"""Accuracy from few labels and many confidences together.

Prediction-powered inference (Angelopoulos et al., 2023), with inverse probabilities as weights
(arXiv 2508.10149): the mean calibrated confidence over *all* predictions, plus the weighted mean of
(right - confidence) over the labelled ones. The first term is precise and may be wrong, the second
corrects it without bias; where confidence is worth anything, the interval is narrower than the
labels' own. The second term is also the sign of concept drift: without any it is 0.
"""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.sums import Sums
from monitoring.quality.estimates import Calibration
from monitoring.quality.metrics import Floats
from monitoring.quality.report import MIN_LABELLED, Estimate, Verdict

_Z = 1.959963984540054


@dataclass(frozen=True, slots=True, eq=False)
class LabelledAnswers:
    """`is_right`, calibrated `confidence` and `weight` of m labelled predictions."""

    is_right: Floats
    confidence: Floats
    weight: Floats


@dataclass(frozen=True, slots=True)
class Powered:
    """`accuracy` over all predictions; `correction` is what the labels add to the confidences."""

    accuracy: Estimate
    correction: Estimate
    n: int
    n_labelled: int
    verdict: Verdict | None


def powered(calibration: Calibration, sums: Sums, labelled: LabelledAnswers) -> Powered:
    """Join the confidences of all answers in `sums` with those `labelled` among them.

    Intervals are normal, at 95 %; INSUFFICIENT_DATA under 20 labels. Raises ValueError for none.
    """
    n, m = int(sums.confidence.sum()), len(labelled.weight)
    if not (n and m):
        raise ValueError("neither answers nor labels may be missing")
    mean, variance = _confidence(calibration, sums)
    residuals = labelled.is_right - labelled.confidence
    shares = labelled.weight / labelled.weight.sum()
    correction = float(shares @ residuals)
    error = float(np.square(shares) @ np.square(residuals - correction)) * m / max(m - 1, 1)
    return Powered(
        accuracy=_interval(mean + correction, error + variance / n, 0.0),
        correction=_interval(correction, error, -1.0),
        n=n,
        n_labelled=m,
        verdict=Verdict.INSUFFICIENT_DATA if m < MIN_LABELLED else None,
    )


def calibrated(calibration: Calibration, label: str, confidence: Floats) -> Floats:
    """The chances of being right of answers `label` with these confidences."""
    return calibration.calibrator.curve(label).at(confidence)


def _confidence(calibration: Calibration, sums: Sums) -> tuple[float, float]:
    """Mean and variance of the calibrated confidence."""
    chances = np.stack([calibration.calibrator.curve(label).by_bin() for label in sums.labels])
    weights = sums.confidence / sums.confidence.sum()
    mean = float((weights * chances).sum())
    return mean, float((weights * np.square(chances - mean)).sum())


def _interval(value: float, variance: float, lowest: float) -> Estimate:
    error = _Z * float(np.sqrt(variance))
    return Estimate(value, max(value - error, lowest), min(value + error, 1.0))
