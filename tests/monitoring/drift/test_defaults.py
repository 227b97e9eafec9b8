from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pytest

from monitoring.drift import catalogue
from monitoring.drift.base import Family, Finding
from monitoring.drift.judging import judge
from monitoring.drift.reference import Observed, Reference, decode, encode
from monitoring.drift.sample import make_sample
from monitoring.drift.sums import nothing, sums_of
from monitoring.verdicts import Verdict
from tests.monitoring.drift.builders import (
    LABELS,
    assert_level,
    assert_used,
    draw,
    effect_of,
    judged,
    observed,
    p_of,
    reference,
)

N_REFERENCES, N_WINDOWS = 25, 40
NAMES = [detector.name for detector in catalogue.DEFAULTS]
SHIFTS: Mapping[str, Mapping[str, Any]] = {
    "class_counts": {"prior": (0.6, 0.2, 0.2)},
    "softmax": {"prior": (0.6, 0.2, 0.2)},
    "mean_embedding": {"shift": 0.5},
    "shape": {"spread": 1.6},
    "lengths": {"mean_tokens": 26},
    "unknown_tokens": {"unknown": 0.1},
    "scripts": {"scripts": ("latin", "greek")},
    "languages": {"languages": ("en", "en", "de")},
    "repeats": {"repeated": 0.25},
    "empties": {"empty": 0.1},
    "latency": {"slower": 3.0},
}


@cache
def quiet_findings() -> list[list[Finding]]:
    """The findings of all defaults for windows of quiet traffic, over many references."""
    rng = np.random.default_rng(1)
    found = []
    for seed in range(N_REFERENCES):
        of = reference(800, seed)
        for _ in range(N_WINDOWS):
            window = observed(draw(100, rng), of)
            found.append([detector.judge(of, window) for detector in catalogue.DEFAULTS])
    return found


@pytest.mark.parametrize("name", NAMES)
def test_a_quiet_window_alarms_no_more_often_than_the_level_says(name: str) -> None:
    p_values = [
        finding.p_value
        for findings in quiet_findings()
        for finding in findings
        if finding.detector == name and finding.p_value is not None
    ]
    assert len(p_values) == N_REFERENCES * N_WINDOWS
    for level in (0.05, 0.01):
        assert_level(p_values, level, times=1.2)


@pytest.mark.parametrize("name", ["class_counts", "softmax", "mean_embedding", "shape", "lengths"])
def test_a_level_is_used_rather_than_wasted(name: str) -> None:
    p_values = [f.p_value for found in quiet_findings() for f in found if f.detector == name]
    assert_used([p for p in p_values if p is not None], 0.05, least=0.4)


def test_all_families_together_keep_the_level_of_an_evaluation() -> None:
    verdicts = [judge(found, alpha=0.05, floor=0.5).verdict for found in quiet_findings()]
    bad = [0.0 if verdict is Verdict.DRIFT else 1.0 for verdict in verdicts]
    assert_level(bad, 0.05)


@pytest.mark.parametrize("name", NAMES)
def test_an_obvious_shift_is_found_at_the_level_of_a_daily_budget(name: str) -> None:
    rng = np.random.default_rng(2)
    finding = judged(catalogue.get(name), draw(400, rng, **SHIFTS[name]))
    assert p_of(finding) < 1e-5
    assert effect_of(finding) > 0.55


@pytest.mark.parametrize("name", NAMES)
def test_too_few_predictions_or_references_are_no_verdict(name: str) -> None:
    rng = np.random.default_rng(3)
    detector = catalogue.get(name)
    for of, n in ((reference(), 49), (reference(199), 300)):
        finding = judged(detector, draw(n, rng), of)
        assert not finding.is_sufficient
        assert finding.p_value is None
        assert finding.details["reason"]


@pytest.mark.parametrize("name", NAMES)
def test_sums_of_nothing_are_no_verdict(name: str) -> None:
    of = reference()
    assert not catalogue.get(name).judge(of, Observed(sums=nothing())).is_sufficient
    empty = Reference(
        sums=nothing(),
        sample=None,
        confusion=np.zeros((0, 0), np.int64),
        basis=None,
        plain=None,
        whitened=None,
        shape=None,
        shape_whitened=None,
    )
    assert not catalogue.get(name).judge(empty, Observed(sums=of.sums)).is_sufficient


def test_a_reference_that_was_stored_finds_the_same() -> None:
    of = reference()
    stored = decode(encode(of))
    window = observed(draw(100, np.random.default_rng(4), shift=0.1), of)
    for detector in catalogue.DEFAULTS:
        assert detector.judge(stored, window) == detector.judge(of, window)


def test_a_window_compared_with_its_own_reference_is_quiet() -> None:
    of = reference()
    for detector in catalogue.DEFAULTS:
        finding = detector.judge(of, Observed(sums=of.sums))
        assert p_of(finding) > 0.5
        assert finding.effect == 0.5


def test_embeddings_that_are_not_finite_are_left_out_and_hurt_no_test() -> None:
    rng = np.random.default_rng(5)
    sample = draw(300, rng)
    sample.embeddings[::10] = np.nan
    finding = judged(catalogue.get("mean_embedding"), sample)
    assert finding.n_window == 270
    assert p_of(finding) > 0.001


def test_embeddings_of_another_size_or_basis_are_no_verdict() -> None:
    of = reference()
    sample = make_sample(
        labels=LABELS,
        predicted=np.zeros(100, int),
        probabilities=np.full((100, 3), 1 / 3),
        embeddings=np.ones((100, 5)),
    )
    window = Observed(sums=sums_of(sample))
    for name in ("mean_embedding", "shape"):
        assert not catalogue.get(name).judge(of, window).is_sufficient


def test_answers_without_any_numbers_are_judged_by_their_classes_alone() -> None:
    of = reference()
    sample = make_sample(
        labels=LABELS, predicted=np.zeros(100, int), probabilities=np.full((100, 3), 1 / 3)
    )
    window = Observed(sums=sums_of(sample))
    judgement = judge([d.judge(of, window) for d in catalogue.DEFAULTS], alpha=0.01)
    assert judgement.families[Family.OUTPUTS].verdict is Verdict.DRIFT
    assert judgement.families[Family.INPUTS].verdict is Verdict.INSUFFICIENT_DATA
    assert not catalogue.get("lengths").judge(of, window).is_sufficient
    assert not catalogue.get("latency").judge(of, window).is_sufficient


def test_one_class_that_is_always_sure_is_quiet() -> None:
    sure = make_sample(labels=("only",), predicted=[0] * 400, probabilities=np.ones((400, 1)))
    of = Reference(
        sums=sums_of(sure),
        sample=None,
        confusion=np.zeros((1, 1), np.int64),
        basis=None,
        plain=None,
        whitened=None,
        shape=None,
        shape_whitened=None,
    )
    for name in ("class_counts", "softmax"):
        assert catalogue.get(name).judge(of, Observed(sums=of.sums)).p_value == 1.0


def test_a_class_that_appears_anew_is_found_and_named() -> None:
    of = reference()
    rng = np.random.default_rng(6)
    sample = draw(300, rng)
    predicted = np.where(rng.random(300) < 0.1, 3, sample.predicted)
    wide = make_sample(
        labels=(*LABELS, "unheard"), predicted=predicted, probabilities=np.eye(4)[predicted]
    )
    finding = catalogue.get("class_counts").judge(of, Observed(sums=sums_of(wide)))
    assert p_of(finding) < 1e-6
    assert "unheard" in [shown["name"] for shown in finding.details["classes"]]


def test_many_classes_are_judged_by_the_confidence() -> None:
    rng = np.random.default_rng(7)
    labels = [f"c{i:02d}" for i in range(40)]

    def answers(n: int, sharpness: float) -> Observed:
        p = rng.dirichlet(np.ones(40) * sharpness, n)
        sample = make_sample(labels=labels, predicted=p.argmax(axis=1), probabilities=p)
        return Observed(sums=sums_of(sample))

    before = answers(1000, 0.1)
    of = Reference(
        sums=before.sums,
        sample=None,
        confusion=np.zeros((40, 40), np.int64),
        basis=None,
        plain=None,
        whitened=None,
        shape=None,
        shape_whitened=None,
    )
    quiet = catalogue.get("softmax").judge(of, answers(300, 0.1))
    flat = catalogue.get("softmax").judge(of, answers(300, 0.3))
    assert quiet.details["column"] == "confidence"
    assert p_of(quiet) > 0.001
    assert p_of(flat) < 1e-6


def test_a_service_that_is_faster_or_a_little_slower_is_no_news() -> None:
    rng = np.random.default_rng(8)
    for slower in (0.3, 1.3):
        finding = judged(catalogue.get("latency"), draw(400, rng, slower=slower))
        assert p_of(finding) > 0.5


def test_retries_alone_are_no_news() -> None:
    rng = np.random.default_rng(9)
    finding = judged(catalogue.get("repeats"), draw(400, rng, repeated=0.04))
    assert p_of(finding) > 0.05
