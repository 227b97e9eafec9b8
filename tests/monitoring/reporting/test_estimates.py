"""Quality is estimated where labels are missing, and held against them where they came."""

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from monitoring.drift import reference as references
from monitoring.drift.sample import Sample, make_sample
from monitoring.drift.sums import encode, sums_of
from monitoring.models import Reference, ReferenceOrigin, ReferenceState, Span, TrafficSum
from monitoring.reporting.estimates import BACKTEST_DAYS, load_estimates
from monitoring.rollups import Scope
from monitoring.windows import Window
from registry.models import RegisteredModel, Route, Version
from tests.monitoring.builders import MODEL, NOW, register
from tests.monitoring.reporting.history import Event, remember

pytestmark = pytest.mark.django_db

LABELS = ("NEGATIVE", "POSITIVE")
WEEK = Scope(model=MODEL, version=1, window=Window(NOW - timedelta(days=7), NOW))


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def answers(n: int, *, mean_odds: float = 2.0, seed: int = 1) -> Sample:
    """Answers with true probabilities: the lower `mean_odds`, the harder the texts."""
    rng = np.random.default_rng(seed)
    p = 1 / (1 + np.exp(-rng.normal(mean_odds, 1, n)))
    is_positive = rng.random(n) < 0.5
    p = np.where(is_positive, p, 1 - p)
    actual = rng.random(n) < p
    return make_sample(
        labels=LABELS,
        predicted=(p > 0.5).astype(int),
        probabilities=np.stack([1 - p, p], axis=1),
        actual=actual.astype(int),
    )


def accuracy(sample: Sample) -> float:
    return float((sample.actual == sample.predicted).mean())


def make_reference(sample: Sample) -> Reference:
    made = references.fit(sample, rng=np.random.default_rng(5))
    return Reference.objects.create(
        model=MODEL,
        version=1,
        origin=ReferenceOrigin.TEXTS,
        state=ReferenceState.READY,
        is_active=True,
        n=len(sample),
        payload=references.encode(made),
        created_by="tests",
        created_at=NOW,
        ready_at=NOW,
    )


def summed(sample: Sample, at: datetime, segment: str = "") -> None:
    TrafficSum.objects.create(
        model=MODEL,
        version=1,
        segment=segment,
        span=Span.HOUR,
        start_at=at,
        end_at=at + timedelta(hours=1),
        n=len(sample),
        payload=encode(sums_of(sample)),
    )


def remembered(sample: Sample, at: datetime) -> None:
    """The same answers as rows, with their labels."""
    remember(
        Event(
            at=at,
            label=LABELS[predicted],
            actual=LABELS[actual],
            delay=timedelta(minutes=30),
        )
        for predicted, actual in zip(sample.predicted, sample.actual, strict=True)
    )


def test_harder_texts_lower_the_estimate_as_much_as_the_truth() -> None:
    reference, window = answers(2000), answers(2000, mean_odds=1.0, seed=2)
    row = make_reference(reference)
    summed(window, NOW - timedelta(days=1))
    report = load_estimates(WEEK, now=NOW)
    assert report is not None
    assert (report.version, report.reference, report.estimated.n) == (1, row.pk, 2000)
    cbpe = report.estimated.accuracy["cbpe"]  # type: ignore[index]
    assert cbpe.low is not None
    assert cbpe.high is not None
    assert cbpe.low <= accuracy(window) <= cbpe.high
    assert accuracy(reference) - accuracy(window) > 0.1
    assert report.errors == ()


def test_past_days_say_how_far_off_estimates_are() -> None:
    make_reference(answers(2000))
    for day in range(BACKTEST_DAYS):
        at = (NOW - timedelta(days=2 + day)).replace(hour=9, minute=0)
        sample = answers(300, mean_odds=1.5, seed=10 + day)
        summed(sample, at)
        remembered(sample, at)
    report = load_estimates(WEEK, now=NOW)
    assert report is not None
    by_method = {error.method.value: error for error in report.errors}
    assert set(by_method) == {"cbpe", "atc", "doc"}
    assert by_method["cbpe"].n_windows >= 5
    assert by_method["cbpe"].is_sufficient
    # The labels of 300 answers alone make .016 of it.
    assert by_method["cbpe"].absolute < 0.04


def test_labels_by_users_are_no_truth_to_hold_estimates_against() -> None:
    make_reference(answers(2000))
    at = (NOW - timedelta(days=2)).replace(hour=9, minute=0)
    summed(answers(300), at)
    remember(Event(at=at, actual="NEGATIVE", source="user") for _ in range(100))
    report = load_estimates(WEEK, now=NOW)
    assert report is not None
    assert report.errors == ()


def test_without_a_labelled_reference_nothing_is_estimated() -> None:
    assert load_estimates(WEEK, now=NOW) is None
    assert load_estimates(replace(WEEK, version=None), now=NOW) is None
    unlabelled = answers(500)
    fields = {name: getattr(unlabelled, name) for name in Sample.__dataclass_fields__}
    make_reference(Sample(**(fields | {"actual": np.full(500, -1)})))
    assert load_estimates(WEEK, now=NOW) is None


def test_the_live_version_is_meant_where_none_is_named() -> None:
    make_reference(answers(2000))
    model = RegisteredModel.objects.get()
    Route.objects.create(
        model=model, version=Version.objects.get(), mode="live", weight=100, position=0
    )
    report = load_estimates(replace(WEEK, version=None), now=NOW)
    assert report is not None
    assert (report.version, report.estimated.n) == (1, 0)


def test_a_segment_is_estimated_alone() -> None:
    make_reference(answers(2000))
    summed(answers(200), NOW - timedelta(days=1), "web")
    summed(answers(300), NOW - timedelta(days=1))
    report = load_estimates(replace(WEEK, segment="web"), now=NOW)
    assert report is not None
    assert report.estimated.n == 200
