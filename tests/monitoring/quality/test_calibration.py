"""A perfect model is not called miscalibrated; a model that is too sure is, and by how much."""

from itertools import pairwise

import numpy as np
import pytest

from monitoring.drift import grids
from monitoring.quality.calibration import (
    brier,
    calibration_error,
    log_loss,
    reliability,
    report,
)
from monitoring.quality.report import Verdict
from monitoring.quality.temperature import at_temperature, fit_binned_temperature, fit_temperature
from tests.monitoring.quality.streams import answers


def confident(n: int, rng: np.random.Generator) -> np.ndarray:
    return np.asarray(0.5 + rng.beta(3, 1, size=n) / 2)


def test_a_perfect_model_is_called_miscalibrated_no_oftener_than_the_level() -> None:
    rng = np.random.default_rng(61)
    p_values = []
    for _ in range(600):
        confidence = confident(250, rng)
        is_right = rng.random(250) < confidence
        error = calibration_error(confidence, is_right, n_nulls=99, rng=rng)
        p_values.append(error.p_value)
    # Two standard errors of 600 runs: .018 at .05, .024 at .1.
    assert np.mean(np.array(p_values) <= 0.05) == pytest.approx(0.05, abs=0.018)
    assert np.mean(np.array(p_values) <= 0.10) == pytest.approx(0.10, abs=0.024)


def test_a_perfect_model_has_an_error_that_is_all_chance() -> None:
    rng = np.random.default_rng(62)
    errors = []
    for _ in range(100):
        confidence = confident(300, rng)
        errors.append(calibration_error(confidence, rng.random(300) < confidence, n_nulls=50))
    assert np.mean([error.value for error in errors]) > 0.05
    differences = [error.value - error.null_mean for error in errors]
    assert abs(np.mean(differences)) < 0.005


def test_a_model_that_is_too_sure_is_found_and_its_gap_has_the_sign() -> None:
    rng = np.random.default_rng(63)
    confidence = confident(1000, rng)
    error = calibration_error(confidence, rng.random(1000) < confidence - 0.1)
    assert error.p_value < 0.01
    assert error.gap == pytest.approx(0.1, abs=0.03)
    assert error.excess == pytest.approx(0.1, abs=0.04)


@pytest.mark.parametrize("sureness", [0.5, 1.0, 2.0])
def test_the_temperature_is_recovered(sureness: float) -> None:
    rng = np.random.default_rng(64)
    sample = answers(4000, rng, sureness=sureness)
    temperature = fit_temperature(sample.probabilities, sample.actual)
    assert temperature == pytest.approx(sureness, rel=0.12)
    honest = at_temperature(sample.probabilities, temperature)
    assert log_loss(honest, sample.actual) <= log_loss(
        sample.probabilities.astype(np.float64), sample.actual
    )


@pytest.mark.parametrize("sureness", [0.5, 1.0, 2.0])
def test_two_classes_need_only_their_bins_for_the_temperature(sureness: float) -> None:
    rng = np.random.default_rng(65)
    sample = answers(4000, rng, k=2, sureness=sureness)
    confidence = sample.probabilities.max(axis=1)
    is_right = sample.actual == sample.predicted
    binned = fit_binned_temperature(
        grids.count(confidence, grids.PROBABILITY),
        grids.count(confidence[is_right], grids.PROBABILITY),
    )
    exact = fit_temperature(sample.probabilities, sample.actual)
    assert binned == pytest.approx(exact, rel=0.05)


def test_the_scores_are_those_of_their_definitions() -> None:
    rows = np.array([[0.7, 0.3], [0.2, 0.8]])
    truth = np.array([0, 0])
    assert brier(rows, truth) == pytest.approx((0.09 + 0.09 + 0.64 + 0.64) / 2)
    assert log_loss(rows, truth) == pytest.approx(-(np.log(0.7) + np.log(0.2)) / 2)


def test_bins_of_the_curve_hold_about_equally_many_and_all() -> None:
    rng = np.random.default_rng(66)
    confidence = confident(1501, rng)
    points = reliability(confidence, rng.random(1501) < confidence)
    assert len(points) == 15
    assert sum(point.n for point in points) == 1501
    assert max(point.n for point in points) - min(point.n for point in points) <= 1
    assert all(a.confidence < b.confidence for a, b in pairwise(points))
    assert all(point.low <= point.accuracy <= point.high for point in points)


def test_equal_confidences_share_a_bin() -> None:
    points = reliability(np.full(100, 0.9), np.arange(100) < 85)
    assert [(point.n, point.accuracy) for point in points] == [(100, 0.85)]


def test_a_report_says_when_there_is_too_little() -> None:
    rng = np.random.default_rng(67)
    empty = report(np.zeros((0, 2)), [])
    assert (empty.n, empty.error, empty.points) == (0, None, ())
    assert empty.verdict is Verdict.INSUFFICIENT_DATA
    few = answers(99, rng)
    assert report(few.probabilities, few.actual).verdict is Verdict.INSUFFICIENT_DATA
    some = answers(499, rng)
    judged = report(some.probabilities, some.actual)
    assert (judged.verdict, judged.temperature) == (None, None)


def test_rows_that_were_kept_in_few_digits_are_judged_all_the_same() -> None:
    rng = np.random.default_rng(68)
    sample = answers(1000, rng)
    rounded = np.round(sample.probabilities, 2)
    judged = report(rounded, sample.actual)
    exact = report(sample.probabilities, sample.actual)
    assert judged.error is not None
    assert exact.error is not None
    assert judged.error.value == pytest.approx(exact.error.value, abs=0.01)


def drawn_by_doubt(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence, rightness and weights of labels that doubtful answers were asked for more. The
    model is honest where it is sure and ten points too sure where it is not.
    """
    confidence = confident(20 * n, rng)
    is_right = rng.random(20 * n) < np.where(confidence < 0.8, confidence - 0.1, confidence)
    probability = np.where(confidence < 0.8, 0.2, 0.02)
    asked = rng.random(20 * n) < probability
    return confidence[asked], is_right[asked], 1 / probability[asked]


def test_weights_undo_a_draw_that_prefers_doubtful_answers() -> None:
    rng = np.random.default_rng(69)
    confidence, is_right, weight = drawn_by_doubt(1500, rng)
    everything = confident(400_000, rng)
    true_gap = 0.1 * float((everything < 0.8).mean())
    naive = calibration_error(confidence, is_right, n_nulls=50)
    honest = calibration_error(confidence, is_right, weight, n_nulls=50)
    assert naive.gap > true_gap + 0.03
    assert honest.gap == pytest.approx(true_gap, abs=0.02)
    assert sum(point.n for point in reliability(confidence, is_right, weight)) == len(confidence)


def test_equal_weights_change_nothing() -> None:
    rng = np.random.default_rng(70)
    sample = answers(900, rng)
    plain = report(sample.probabilities, sample.actual)
    weighted = report(sample.probabilities, sample.actual, np.full(900, 4.0))
    assert weighted.error is not None
    assert plain.error is not None
    assert weighted.error.value == pytest.approx(plain.error.value)
    assert weighted.brier == pytest.approx(plain.brier)
    assert weighted.temperature == pytest.approx(plain.temperature, abs=1e-3)
    assert [p.low for p in weighted.points] == pytest.approx([p.low for p in plain.points])


def test_a_perfect_model_keeps_its_level_with_weights() -> None:
    rng = np.random.default_rng(71)
    called = 0
    for _ in range(400):
        confidence = confident(250, rng)
        is_right = rng.random(250) < confidence
        weight = np.where(confidence < 0.8, 1.0, 10.0)
        error = calibration_error(confidence, is_right, weight, n_nulls=99, rng=rng)
        called += error.p_value <= 0.05
    assert called / 400 == pytest.approx(0.05, abs=0.022)  # two standard errors
