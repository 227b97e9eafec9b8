"""Young predictions are provisional: how young, the labels' own delays say."""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring.reporting import pairs
from monitoring.reporting.maturity import load_maturity
from monitoring.rollups import Scope
from monitoring.windows import Window
from tests.monitoring.builders import MODEL, NOW, register
from tests.monitoring.reporting.history import Event, remember, spread

pytestmark = pytest.mark.django_db

MONTH = Scope(model=MODEL, window=Window(NOW - timedelta(days=20), NOW))
HOUR_S = 3600
# Bins of delays are 20 % wide, and a percentile of 500 labels varies by about as much.
TOLERANCE = 0.35


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def test_delays_and_coverage_are_found_although_the_newest_labels_are_missing() -> None:
    remember(spread(2000, days=2, mean_delay_h=12, coverage=0.5))
    report = load_maturity(MONTH, now=NOW)
    assert report.n == pytest.approx(2000, abs=20)
    # Of the labels that have come half took this long; many have not.
    assert report.p50_s == pytest.approx(12 * HOUR_S * np.log(2), rel=TOLERANCE)
    assert report.p95_s == pytest.approx(12 * HOUR_S * np.log(20), rel=TOLERANCE)
    assert report.curve[-1].share == pytest.approx(0.5, abs=0.06)
    assert report.verdict is None


def test_the_window_is_split_where_labels_are_nearly_complete() -> None:
    remember(spread(1500, days=10, mean_delay_h=4, coverage=0.4))
    report = load_maturity(MONTH, now=NOW)
    assert report.mature is not None
    assert report.provisional is not None
    assert report.mature.n_predicted + report.provisional.n_predicted == 1500
    assert report.mature.coverage == pytest.approx(0.4, abs=0.05)
    assert (report.provisional.coverage or 0) < 0.3
    assert report.mature_until is not None
    aged = NOW - report.mature_until - timedelta(seconds=report.p95_s or 0)
    assert timedelta() <= aged < timedelta(minutes=1)


def test_a_window_is_wholly_mature_or_wholly_provisional() -> None:
    remember(spread(1500, days=10, mean_delay_h=4, coverage=0.4))
    old = replace(MONTH, window=Window(NOW - timedelta(days=8), NOW - timedelta(days=5)))
    report = load_maturity(old, now=NOW)
    assert report.mature is not None
    assert report.provisional is None
    young = replace(MONTH, window=Window(NOW - timedelta(hours=1), NOW))
    report = load_maturity(young, now=NOW)
    assert report.mature is None
    assert report.provisional is not None


def test_too_few_labels_make_no_curve_and_everything_provisional() -> None:
    remember([Event(actual="POSITIVE")] * 19 + [Event()] * 50)
    report = load_maturity(MONTH, now=NOW)
    assert report.verdict == "INSUFFICIENT_DATA"
    assert (report.p95_s, report.mature_until, report.mature, report.curve) == (
        None,
        None,
        None,
        (),
    )
    assert report.provisional is not None
    assert report.provisional.n_predicted == 69


def test_delays_are_sampled_and_counts_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    remember(spread(2000, days=10, mean_delay_h=4, coverage=0.5))
    whole = load_maturity(MONTH, now=NOW)
    monkeypatch.setattr(pairs, "MOST_PAIRS", 300)
    sampled = load_maturity(MONTH, now=NOW)
    assert sampled.n_labelled == pytest.approx(whole.n_labelled, rel=0.01)
    assert sampled.p95_s == pytest.approx(whole.p95_s, rel=TOLERANCE)


def test_only_what_is_meant_counts() -> None:
    remember(
        replace(event, segment="slow") for event in spread(400, days=8, mean_delay_h=20, coverage=1)
    )
    remember(
        replace(event, source="user") for event in spread(400, days=8, mean_delay_h=1, coverage=1)
    )
    slow = load_maturity(replace(MONTH, segment="slow"), now=NOW)
    quick = load_maturity(replace(MONTH, source="user"), now=NOW)
    assert (slow.p50_s or 0) > 5 * (quick.p50_s or 0)


def test_the_queries_stay_the_same_however_much_there_is() -> None:
    remember(spread(50, days=8, mean_delay_h=1, coverage=1))
    with CaptureQueriesContext(connection) as few:
        load_maturity(MONTH, now=NOW)
    remember(spread(1000, days=8, mean_delay_h=1, coverage=1, seed=2))
    with CaptureQueriesContext(connection) as many:
        load_maturity(MONTH, now=NOW)
    assert len(few) == len(many)
