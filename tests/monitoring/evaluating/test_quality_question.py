"""Quality, calibration, estimates and the classic rule, decided from labels and confidence."""

from datetime import timedelta

import numpy as np
import pytest
from scipy import stats

from monitoring.drift.sums import sums_of
from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.options import (
    CalibrationOptions,
    ClassicOptions,
    EstimateOptions,
    QualityOptions,
)
from monitoring.evaluating.questions import calibration, classic, estimate, quality
from monitoring.evaluating.questions.quality import OWN_BASELINE, QualityFacts, Standing
from monitoring.quality.degradation import Labelled
from monitoring.quality.estimates import calibrate
from monitoring.quality.metrics import matrix
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.evaluating.builders import LABELS, MODEL, NOW, draw, usual_reference

ARL = 10_000.0
QUESTION = Question(model=MODEL, version=1, at=NOW, window=86_400, by_count=False, alpha=1e-5)
OPTIONS = QualityOptions()
# 10 % errors over 1,000 labels.
CONFUSION = np.array([[450, 50], [50, 450]])


def labels(
    rng: np.random.Generator, n: int, error: float, *, source: str = "delayed", weight: float = 1
) -> list[Labelled]:
    predicted = rng.integers(2, size=n)
    actual = np.where(rng.random(n) < error, 1 - predicted, predicted)
    return [
        Labelled(LABELS[a], LABELS[p], weight, source)
        for a, p in zip(actual, predicted, strict=True)
    ]


def take(standing: Standing, fresh: list[Labelled]) -> tuple[Standing, Answer]:
    facts = QualityFacts(labels=LABELS, fresh=fresh, arl=ARL)
    after = quality.take_in(standing, OPTIONS, facts)
    return after, quality.answer(QUESTION, OPTIONS, facts, after)


def test_errors_like_the_baselines_are_fine() -> None:
    rng = np.random.default_rng(1)
    _, given = take(quality.begin(LABELS, CONFUSION), labels(rng, 1000, 0.10))
    assert given.verdict is Verdict.OK
    assert (given.n_reference, given.n_window, given.threshold) == (1000, 1000, ARL)


def test_twice_the_errors_are_critical() -> None:
    rng = np.random.default_rng(1)
    _, given = take(quality.begin(LABELS, CONFUSION), labels(rng, 600, 0.25))
    assert (given.verdict, given.severity) == (Verdict.DEGRADED, Severity.CRITICAL)
    assert given.details["streams"][0]["source"] == "delayed"


def test_it_makes_no_difference_in_how_many_batches_labels_come() -> None:
    rng = np.random.default_rng(2)
    fresh = labels(rng, 300, 0.15)
    whole, _ = take(quality.begin(LABELS, CONFUSION), fresh)
    standing = quality.begin(LABELS, CONFUSION)
    for i in range(0, 300, 7):
        standing, _ = take(quality.from_json(quality.to_json(standing)), fresh[i : i + 7])
    assert standing.progress.n == whole.progress.n == 300
    for key, state in whole.progress.states.items():
        assert standing.progress.states[key].levels == pytest.approx(state.levels)


def test_without_a_labelled_reference_the_first_labels_are_the_baseline() -> None:
    rng = np.random.default_rng(3)
    standing, given = take(quality.begin(LABELS, None), labels(rng, OWN_BASELINE - 1, 0.1))
    assert given.verdict is Verdict.INSUFFICIENT_DATA
    standing, given = take(standing, labels(rng, 101, 0.1))
    assert standing.is_complete
    assert (given.n_reference, given.n_window) == (OWN_BASELINE, 100)
    frozen = dict(standing.baseline)
    standing, given = take(standing, labels(rng, 800, 0.35))
    assert dict(standing.baseline) == frozen
    assert given.verdict is Verdict.DEGRADED


def test_a_reference_with_a_few_labels_is_no_baseline() -> None:
    assert not quality.begin(LABELS, np.array([[20, 1], [1, 20]])).is_complete


def test_a_few_labels_are_too_few_to_judge() -> None:
    _, given = take(quality.begin(LABELS, CONFUSION), labels(np.random.default_rng(1), 10, 0))
    assert given.verdict is Verdict.INSUFFICIENT_DATA


def test_weights_of_an_audit_are_bounded_by_what_was_known_before() -> None:
    rng = np.random.default_rng(4)
    standing, _ = take(
        quality.begin(LABELS, CONFUSION), labels(rng, 50, 0.1, source="audit", weight=12)
    )
    assert standing.heaviest == {"audit": 12}


def test_a_state_that_nobody_wrote_is_refused() -> None:
    for fields in ({}, {"baseline": 3, "is_complete": True, "heaviest": {}, "streams": []}):
        with pytest.raises(ValueError, match="not the standing"):
            quality.from_json(fields)


def test_quiet_labels_alarm_no_more_often_than_the_run_length_allows() -> None:
    rng, n_streams, n_each, arl = np.random.default_rng(5), 100, 500, 1000.0
    options = QualityOptions(tolerance=0.0)
    n_alarms = 0
    for _ in range(n_streams):
        standing = quality.begin(LABELS, CONFUSION)
        facts = QualityFacts(labels=LABELS, fresh=labels(rng, n_each, 0.10), arl=arl)
        standing = quality.take_in(standing, options, facts)
        answer = quality.answer(QUESTION, options, facts, standing)
        n_alarms += answer.verdict is Verdict.DEGRADED
    # By the run length at most n_each / arl of them; the baseline's own bound makes it fewer.
    assert n_alarms <= stats.binom.ppf(0.9999, n_streams, n_each / arl)


def rows(
    rng: np.random.Generator, n: int, *, over: float = 0.0, source: str = "delayed"
) -> calibration.Answers:
    """Answers that are right `over` less often than they are confident."""
    sure = rng.uniform(0.6, 0.99, n)
    right = rng.random(n) < sure - over
    return calibration.Answers(
        source=source, confidence=sure, is_right=right.astype(float), weight=np.ones(n)
    )


def ask_calibration(*sources: calibration.Answers, gap: float = 0.0, alpha: float = 1e-4) -> Answer:
    question = Question(model=MODEL, version=1, at=NOW, window=86_400, by_count=False, alpha=alpha)
    facts = calibration.CalibrationFacts(sources=sources, reference_gap=gap)
    return calibration.answer(question, CalibrationOptions(), facts)


def test_confidence_that_holds_is_fine() -> None:
    given = ask_calibration(rows(np.random.default_rng(6), 2000))
    assert given.verdict is Verdict.OK
    assert set(given.details) >= {"ece", "ece_by_chance", "ece_p_value"}


@pytest.mark.parametrize("over", [0.15, -0.15])
def test_confidence_that_does_not_hold_is_a_warning(over: float) -> None:
    rng = np.random.default_rng(7)
    sure = rng.uniform(0.6, 0.8, 1500)
    right = (rng.random(1500) < sure - over).astype(float)
    given = ask_calibration(
        calibration.Answers(source="delayed", confidence=sure, is_right=right, weight=np.ones(1500))
    )
    assert (given.verdict, given.severity) == (Verdict.DEGRADED, Severity.WARNING)
    assert given.value == pytest.approx(over, abs=0.05)


def test_the_gap_that_the_reference_had_is_allowed() -> None:
    found = rows(np.random.default_rng(8), 3000, over=0.15)
    assert ask_calibration(found).verdict is Verdict.DEGRADED
    assert ask_calibration(found, gap=0.14).verdict is Verdict.OK


def test_a_few_labels_say_nothing_about_calibration() -> None:
    given = ask_calibration(rows(np.random.default_rng(8), 150, over=0.5))
    assert given.verdict is Verdict.INSUFFICIENT_DATA


def test_honest_confidence_alarms_no_more_often_than_its_level() -> None:
    rng, n, alpha = np.random.default_rng(9), 150, 0.05
    n_alarms = 0
    for _ in range(n):
        found = rows(rng, 300)
        p_value = 2 * calibration._p_value(found, 0.0, 0.0)
        n_alarms += p_value <= alpha
    assert n_alarms <= stats.binom.ppf(0.9999, n, alpha)


def test_weights_undo_a_biased_draw() -> None:
    """Unsure answers are asked about four times as often; unweighted, the model looks worse."""
    rng = np.random.default_rng(10)
    sure = rng.choice([0.7, 0.95], 4000)
    chance = np.where(sure == 0.7, 0.8, 0.2)
    right = (rng.random(4000) < sure - np.where(sure == 0.7, 0.1, 0.0)).astype(float)
    drawn = rng.random(4000) < chance
    found = calibration.Answers(
        source="audit",
        confidence=sure[drawn],
        is_right=right[drawn],
        weight=1 / chance[drawn],
    )
    everything = float(np.mean(sure - right))
    assert found.gap == pytest.approx(everything, abs=0.02)


REFERENCE = usual_reference()


def ask_estimate(seed: int, sharpness: float, n: int = 1000) -> Answer:
    facts = estimate.EstimateFacts(
        reference_id=1,
        calibration=calibrate(REFERENCE),
        sums=sums_of(draw(np.random.default_rng(seed), n, sharpness=sharpness)),
        start=NOW,
        end=NOW,
    )
    return estimate.answer(QUESTION, EstimateOptions(), facts)


def test_confidence_like_the_references_estimates_no_loss() -> None:
    given = ask_estimate(12, 1.0)
    assert given.verdict is Verdict.OK
    assert set(given.details["accuracy"]) == {"cbpe", "atc", "doc"}


def test_a_loss_that_even_the_upper_bound_shows_is_degraded_and_informs() -> None:
    given = ask_estimate(12, 0.3)
    assert (given.verdict, given.severity) == (Verdict.DEGRADED, Severity.INFO)
    assert given.effect is not None
    assert given.effect > 0.1


def test_few_predictions_or_no_labelled_reference_estimate_nothing() -> None:
    assert ask_estimate(12, 0.3, n=100).verdict is Verdict.INSUFFICIENT_DATA
    facts = estimate.EstimateFacts(
        reference_id=None, calibration=None, sums=REFERENCE.sums, start=None, end=None
    )
    given = estimate.answer(QUESTION, EstimateOptions(), facts)
    assert given.verdict is Verdict.INSUFFICIENT_DATA


def ask_classic(window: int, before: int) -> Answer:
    """Windows of 200 labels each, so many of them right."""

    def labelled(n_right: int) -> object:
        half, wrong = n_right // 2, (200 - n_right) // 2
        return matrix({("a", "a"): half, ("b", "b"): half, ("a", "b"): wrong, ("b", "a"): wrong})

    facts = classic.ClassicFacts(
        window=labelled(window),  # type: ignore[arg-type]
        before=labelled(before),  # type: ignore[arg-type]
        start=NOW - timedelta(days=1),
        end=NOW,
    )
    return classic.answer(QUESTION, ClassicOptions(), facts)


def test_the_classic_rule_is_a_relative_drop_of_f1() -> None:
    assert ask_classic(172, 180).verdict is Verdict.OK
    given = ask_classic(170, 180)
    assert (given.verdict, given.severity) == (Verdict.BREACH, Severity.INFO)
    assert given.effect == pytest.approx(1 - 170 / 180)
    # It says itself how little that means.
    assert given.alpha == pytest.approx(0.06, abs=0.04)
