"""Quality without labels: right when inputs change, blind when the truth does, and both stated."""

from dataclasses import replace

import numpy as np
import pytest

from monitoring.drift.reference import fit as make_reference
from monitoring.drift.sample import Sample, make_sample
from monitoring.drift.sums import nothing, sums_of
from monitoring.quality.estimates import Calibration, Method, calibrate, estimate, fit
from monitoring.quality.metrics import scores
from monitoring.quality.report import UNDEFINED, Estimate, Verdict
from tests.monitoring.quality.streams import answers


def calibrated(rng: np.random.Generator, n: int = 1000, **how: float) -> Calibration:
    found = fit(answers(n, rng, sureness=1.5, **how))
    assert found is not None
    return found


def realised(sample: Sample) -> tuple[float, float, np.ndarray]:
    """Accuracy, macro F1 and F1 of each class."""
    k = len(sample.labels)
    table = np.zeros((k, k))
    np.add.at(table, (sample.actual, sample.predicted), 1)
    rates = scores(table)
    return float(rates.accuracy), float(rates.macro(rates.f1)), rates.f1


def holds(shown: Estimate, value: float) -> bool:
    assert shown.low is not None
    assert shown.high is not None
    return shown.low <= value <= shown.high


@pytest.mark.parametrize("separation", [2.5, 1.5])
def test_cbpe_is_unbiased_and_holds_the_truth_under_covariate_shift(separation: float) -> None:
    rng = np.random.default_rng(71)
    runs, held, errors = 150, np.zeros(3), []
    for _ in range(runs):
        calibration = calibrated(rng)
        window = answers(800, rng, sureness=1.5, separation=separation)
        shown = estimate(calibration, sums_of(window), n_draws=200)
        accuracy, macro, f1 = realised(window)
        errors.append((shown.accuracy[Method.CBPE].value or 0) - accuracy)
        held += [
            holds(shown.accuracy[Method.CBPE], accuracy),
            holds(shown.macro_f1, macro),
            holds(shown.classes[0].f1, f1[0]),
        ]
    # 150 runs know the bias to .0035 and a coverage of .95 to .036 (two standard errors).
    assert abs(np.mean(errors)) <= 0.012
    assert (held / runs >= 0.90).all(), held / runs


def test_doc_follows_a_covariate_shift_too() -> None:
    rng = np.random.default_rng(72)
    calibration = calibrated(rng, 2000)
    window = answers(5000, rng, sureness=1.5, separation=1.5)
    shown = estimate(calibration, sums_of(window))
    assert shown.accuracy[Method.DOC].value == pytest.approx(realised(window)[0], abs=0.04)
    assert realised(window)[0] < calibration.accuracy - 0.1


@pytest.mark.parametrize("method", Method)
def test_every_method_is_blind_to_concept_drift(method: Method) -> None:
    rng = np.random.default_rng(73)
    calibration = calibrated(rng, 2000)
    window = answers(5000, rng, sureness=1.5, flipped=0.3)
    shown = estimate(calibration, sums_of(window))
    assert realised(window)[0] < calibration.accuracy - 0.15
    assert shown.accuracy[method].value == pytest.approx(calibration.accuracy, abs=0.04)


@pytest.mark.parametrize("method", Method)
def test_without_a_shift_every_method_gives_the_reference_s_accuracy(method: Method) -> None:
    rng = np.random.default_rng(74)
    calibration = calibrated(rng, 2000)
    shown = estimate(calibration, sums_of(answers(5000, rng, sureness=1.5)))
    assert shown.accuracy[method].value == pytest.approx(calibration.accuracy, abs=0.03)
    assert shown.spread is not None
    assert shown.spread < 0.04


def test_sums_of_parts_give_the_whole_s_estimate() -> None:
    rng = np.random.default_rng(75)
    calibration = calibrated(rng)
    window = answers(1000, rng, sureness=1.5)
    parts = sums_of(window.take(range(300))) + sums_of(window.take(range(300, 1000)))
    whole, joined = (estimate(calibration, sums) for sums in (sums_of(window), parts))
    assert joined.macro_f1.value == pytest.approx(whole.macro_f1.value)


def test_a_class_the_reference_did_not_have_is_estimated_by_the_pooled_curve() -> None:
    rng = np.random.default_rng(76)
    calibration = calibrated(rng, 2000)
    window = answers(2000, rng, sureness=1.5)
    renamed = replace(sums_of(window), labels=("c0", "c1", "new"))
    shown = estimate(calibration, renamed)
    assert [row.label for row in shown.classes] == ["c0", "c1", "new"]
    assert shown.classes[2].f1.value == pytest.approx(realised(window)[2][2], abs=0.04)


def test_many_classes_have_no_columns_and_are_estimated_all_the_same() -> None:
    rng = np.random.default_rng(77)
    calibration = fit(answers(4000, rng, k=40, separation=5.0))
    assert calibration is not None
    window = answers(2000, rng, k=40, separation=5.0)
    sums = sums_of(window)
    assert not sums.has_columns
    shown = estimate(calibration, sums)
    accuracy, macro, _ = realised(window)
    assert shown.accuracy[Method.CBPE].value == pytest.approx(accuracy, abs=0.03)
    assert shown.macro_f1.value == pytest.approx(macro, abs=0.04)


def test_too_few_labels_make_no_calibration() -> None:
    rng = np.random.default_rng(78)
    assert fit(answers(199, rng)) is None
    unlabelled = answers(300, rng)
    unlabelled.actual[:150] = -1
    assert fit(unlabelled) is None


def test_a_reference_is_calibrated_on_its_kept_answers() -> None:
    rng = np.random.default_rng(79)
    sample = answers(500, rng)
    calibration = calibrate(make_reference(sample, rng=rng))
    assert calibration is not None
    assert calibration.n_labelled == 500
    assert calibration.accuracy == pytest.approx(realised(sample)[0])


def test_a_model_that_never_erred_is_taken_at_its_word_but_not_for_perfect() -> None:
    rng = np.random.default_rng(80)
    confidence = rng.uniform(0.9, 1.0, 400)
    flawless = make_sample(
        labels=["a", "b"],
        predicted=np.zeros(400, int),
        probabilities=np.stack([confidence, 1 - confidence], axis=1),
        actual=np.zeros(400, int),
    )
    calibration = fit(flawless)
    assert calibration is not None
    shown = estimate(calibration, sums_of(flawless)).accuracy[Method.CBPE]
    assert shown.low is not None
    assert 0.95 < shown.low < 1


def test_little_or_no_traffic_is_its_own_verdict() -> None:
    rng = np.random.default_rng(81)
    calibration = calibrated(rng)
    empty = estimate(calibration, nothing(("c0", "c1", "c2")))
    assert (empty.n, empty.spread, empty.macro_f1) == (0, None, UNDEFINED)
    assert empty.verdict is Verdict.INSUFFICIENT_DATA
    few = estimate(calibration, sums_of(answers(99, rng)))
    assert few.verdict is Verdict.INSUFFICIENT_DATA
    assert estimate(calibration, sums_of(answers(100, rng))).verdict is None


def test_the_same_sums_always_get_the_same_estimate() -> None:
    rng = np.random.default_rng(82)
    calibration, sums = calibrated(rng), sums_of(answers(500, rng))
    assert estimate(calibration, sums) == estimate(calibration, sums)
