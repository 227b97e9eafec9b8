"""Probabilities are judged by trusted labels of single predictions."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from monitoring.models import Feedback, Prediction
from monitoring.reporting import pairs
from monitoring.reporting.calibration import judge, load_calibration
from monitoring.reporting.pairs import Pair, load_pairs
from monitoring.rollups import Scope
from monitoring.windows import Window
from tests.monitoring.builders import MODEL, NOW, register
from tests.monitoring.reporting.history import Event, remember

pytestmark = pytest.mark.django_db

WEEK = Scope(model=MODEL, window=Window(NOW - timedelta(days=7), NOW))


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def history(n: int, *, temperature: float = 1.0, seed: int = 3) -> list[Event]:
    """Answers whose true log odds are the stated ones divided by `temperature`."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(1.5, 1.5, n)
    stated, true = 1 / (1 + np.exp(-odds)), 1 / (1 + np.exp(-odds / temperature))
    actual = rng.random(n) < true
    return [
        Event(
            label="POSITIVE" if p > 0.5 else "NEGATIVE",
            scores={"NEGATIVE": float(1 - p), "POSITIVE": float(p)},
            actual="POSITIVE" if is_positive else "NEGATIVE",
        )
        for p, is_positive in zip(stated, actual, strict=True)
    ]


def test_true_probabilities_are_not_called_false() -> None:
    remember(history(1500))
    report = load_calibration(WEEK)
    assert report.n == 1500
    assert report.error is not None
    assert report.error.p_value > 0.05
    assert report.temperature == pytest.approx(1, abs=0.15)


def test_a_model_that_is_too_sure_is_found_out() -> None:
    remember(history(1500, temperature=3))
    report = load_calibration(WEEK)
    assert report.error is not None
    assert report.error.p_value < 0.01
    assert report.error.gap > 0.05
    assert report.temperature == pytest.approx(3, abs=0.6)


def test_what_users_correct_is_used_only_when_it_is_asked_for() -> None:
    remember(replace(event, source="user") for event in history(120))
    assert load_calibration(WEEK).n == 0
    assert load_calibration(WEEK).verdict == "INSUFFICIENT_DATA"
    assert load_calibration(replace(WEEK, source="user")).n == 120


def test_only_the_label_that_counts_is_joined() -> None:
    remember([Event(actual="POSITIVE"), Event(actual="POSITIVE")])
    first = Prediction.objects.first()
    assert first is not None
    Feedback.objects.create(prediction=first, revision=2, label="NEGATIVE", source="audit", at=NOW)
    found = load_pairs(WEEK, ("audit", "delayed"))
    assert [pair.actual for pair in found] == ["NEGATIVE", "POSITIVE"]
    assert [pair.actual for pair in load_pairs(WEEK, ("delayed",))] == ["POSITIVE"]


def test_only_what_is_meant_is_joined_and_never_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    events = [
        Event(actual="POSITIVE", version=2, segment="web"),
        Event(actual="POSITIVE", segment="web"),
        Event(actual="POSITIVE", at=NOW - timedelta(days=9)),
    ]
    remember(events)
    Prediction.objects.filter(version=1, segment="web").update(route="pinned")
    delayed = ("delayed",)
    assert len(load_pairs(WEEK, delayed)) == 1
    assert len(load_pairs(replace(WEEK, version=2, segment="web"), delayed)) == 1
    assert load_pairs(replace(WEEK, version=1), delayed) == []
    remember(events)
    monkeypatch.setattr(pairs, "MOST_PAIRS", 1)
    assert len(load_pairs(WEEK, delayed)) == 1


def test_classes_that_were_not_scored_are_left_out() -> None:
    scores = {"A": 0.7, "B": 0.3}
    report = judge([Pair(NOW, NOW, "A", scores), Pair(NOW, NOW, "C", scores)])
    assert report.n == 1


def test_answers_that_are_no_labels_are_left_out() -> None:
    remember([Event(actual="POSITIVE"), Event(actual="POSITIVE")])
    Prediction.objects.filter(pk=Prediction.objects.first().pk).update(  # type: ignore[union-attr]
        task="question-answering"
    )
    assert len(load_pairs(WEEK, ("delayed",))) == 1
