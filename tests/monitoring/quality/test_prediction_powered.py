"""Few labels and many confidences together say more than either."""

import numpy as np
import pytest

from monitoring.drift.sample import Sample
from monitoring.drift.sums import nothing, sums_of
from monitoring.quality.estimates import Calibration, fit
from monitoring.quality.prediction_powered import LabelledAnswers, Powered, calibrated, powered
from monitoring.quality.report import Verdict
from tests.monitoring.quality.streams import answers


def drawn(
    calibration: Calibration, window: Sample, m: int, rng: np.random.Generator
) -> LabelledAnswers:
    """About m labels, doubtful answers asked for more often."""
    confidence = window.probabilities.max(axis=1)
    doubt = 0.05 + (1 - confidence)
    probability = np.minimum(doubt / doubt.sum() * m, 1.0)
    rows = np.flatnonzero(rng.random(len(window)) < probability)
    chances = [
        calibrated(calibration, window.labels[window.predicted[i]], confidence[i : i + 1])[0]
        for i in rows
    ]
    return LabelledAnswers(
        is_right=(window.actual == window.predicted)[rows].astype(np.float64),
        confidence=np.array(chances),
        weight=1 / probability[rows],
    )


def judged(rng: np.random.Generator, *, flipped: float = 0.0) -> tuple[Powered, float]:
    calibration = fit(answers(1000, rng))
    assert calibration is not None
    window = answers(2000, rng, flipped=flipped)
    shown = powered(calibration, sums_of(window), drawn(calibration, window, 200, rng))
    return shown, float((window.actual == window.predicted).mean())


@pytest.mark.parametrize("flipped", [0.0, 0.3])
def test_intervals_hold_the_truth_also_under_concept_drift(flipped: float) -> None:
    rng = np.random.default_rng(111)
    runs, held = 150, 0
    for _ in range(runs):
        shown, truth = judged(rng, flipped=flipped)
        assert shown.accuracy.low is not None
        assert shown.accuracy.high is not None
        held += shown.accuracy.low <= truth <= shown.accuracy.high
    assert held / runs >= 0.95 - 0.045  # two and a half standard errors of 150 runs


def test_the_correction_shows_concept_drift_and_nothing_without_it() -> None:
    rng = np.random.default_rng(112)
    drifted = [judged(rng, flipped=0.3)[0].correction.high or 0 for _ in range(20)]
    quiet = [judged(rng)[0].correction.high or 0 for _ in range(20)]
    assert sum(high < 0 for high in drifted) >= 18
    assert sum(high < 0 for high in quiet) <= 3


def test_confidence_narrows_the_interval_of_few_labels() -> None:
    rng = np.random.default_rng(113)
    shown, _ = judged(rng)
    alone = 1.96 * np.sqrt(0.76 * 0.24 / shown.n_labelled)
    assert shown.accuracy.high is not None
    assert shown.accuracy.value is not None
    assert shown.accuracy.high - shown.accuracy.value < alone


def test_few_labels_are_insufficient_and_none_are_refused() -> None:
    rng = np.random.default_rng(114)
    calibration = fit(answers(500, rng))
    assert calibration is not None
    window = sums_of(answers(100, rng))
    one = LabelledAnswers(*(np.ones(1) for _ in range(3)))
    assert powered(calibration, window, one).verdict is Verdict.INSUFFICIENT_DATA
    none = LabelledAnswers(*(np.ones(0) for _ in range(3)))
    with pytest.raises(ValueError, match="labels"):
        powered(calibration, window, none)
    with pytest.raises(ValueError, match="answers"):
        powered(calibration, nothing(), one)
