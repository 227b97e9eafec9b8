"""Sources of labels stay apart: an audit's are weighed, what users say decides nothing."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring.models import ConfusionCell
from monitoring.quality.weighted import Cell
from monitoring.queries import load_quality
from monitoring.rollups import By, Scope, load_labels
from monitoring.windows import Window
from tests.monitoring.builders import MODEL, NOW, register
from tests.monitoring.reporting.history import Event, remember

pytestmark = pytest.mark.django_db

WEEK = Scope(model=MODEL, window=Window(NOW - timedelta(days=7), NOW))


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


def events(n: int, actual: str | None, source: str = "delayed", weight: int = 1000) -> list[Event]:
    return [Event(actual=actual, source=source, weight=weight)] * n


def test_an_audit_s_labels_are_weighed_and_the_headline_counts_them() -> None:
    # Right answers were drawn with a probability of 1/9, wrong ones always.
    remember(events(10, "POSITIVE", "audit", 9000) + events(10, "NEGATIVE", "audit"))
    report = load_quality(WEEK)
    [audit] = report.by_source
    assert report.quality.accuracy.value == 0.5
    assert audit.quality.accuracy.value == pytest.approx(0.9)
    assert (audit.quality.n_labelled, audit.coverage) == (20, 1.0)
    assert audit.n_effective == pytest.approx(100**2 / (10 * 81 + 10))
    assert audit.is_trusted


def test_each_source_is_judged_alone_and_users_are_never_trusted() -> None:
    remember(
        events(30, "POSITIVE") + events(20, "NEGATIVE", "user") + events(5, "POSITIVE", "audit")
    )
    report = load_quality(WEEK)
    found = {part.source: (part.quality.accuracy.value, part.coverage) for part in report.by_source}
    assert found == {"audit": (1.0, 5 / 55), "delayed": (1.0, 30 / 55), "user": (0.0, 20 / 55)}
    assert [part.source for part in report.trusted] == ["audit", "delayed"]
    assert report.quality.accuracy.value == 35 / 55


def test_groups_by_source_share_all_predictions() -> None:
    remember(events(30, "POSITIVE") + events(20, "NEGATIVE", "user") + events(50, None))
    report = load_quality(Scope(model=MODEL, window=WEEK.window, by=By.SOURCE))
    found = {part.group: (part.n_predicted, part.quality.n_labelled) for part in report.groups}
    assert found == {"delayed": (100, 30), "user": (100, 20)}
    assert report.n_predicted == 100


def test_a_source_that_was_corrected_away_is_not_listed() -> None:
    remember(events(1, "POSITIVE", "user"))
    ConfusionCell.objects.update(n=0, weight=0, weight_squared=0)
    assert load_quality(WEEK).by_source == ()


def test_weights_of_all_grains_and_edges_add_up() -> None:
    start = NOW - timedelta(days=3)
    remember(
        Event(at=start + timedelta(minutes=17 * i), actual="POSITIVE", weight=1500)
        for i in range(200)
    )
    window = Window(start + timedelta(minutes=34), start + timedelta(minutes=17 * 150))
    labels = load_labels(Scope(model=MODEL, window=window))
    assert labels == {None: {("delayed", "POSITIVE", "POSITIVE"): Cell(148, 222.0, 333.0)}}


def test_a_report_makes_the_same_queries_however_much_there_is() -> None:
    with CaptureQueriesContext(connection) as few:
        load_quality(WEEK)
    remember(
        Event(at=NOW - timedelta(hours=i % 160), actual="POSITIVE", segment=f"s{i % 9}")
        for i in range(1000)
    )
    with CaptureQueriesContext(connection) as many:
        load_quality(WEEK)
    assert len(few) == len(many)
