import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from prometheus_client import CollectorRegistry, generate_latest

from monitoring import metrics
from monitoring.alerting.outbox import deliver_due
from monitoring.metrics import FAMILIES, MonitorCollector, load_readings, register
from monitoring.models import Evaluation, Monitor, Notification, Prediction
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem
from monitoring.verdicts import Verdict
from tests.monitoring.alerting.builders import START, Clock, memory_channel
from tests.monitoring.builders import MODEL, labels_of, make_prediction

pytestmark = pytest.mark.django_db
NOW = START + timedelta(hours=1)


def monitor(kind: str, name: str = "", **changes: Any) -> Monitor:
    return Monitor.objects.create(
        model=MODEL,
        name=name or kind,
        kind=kind,
        window_by="count",
        window=1000,
        created_by="tests",
        created_at=START,
        **changes,
    )


def evaluate(asked: Monitor, **changes: Any) -> None:
    fields = {"at": NOW, "version": 1, "verdict": "OK", "n_window": 1000, **changes}
    Evaluation.objects.create(monitor=asked, model=MODEL, kind=asked.kind, **fields)


def shown() -> dict[tuple[str, tuple[str, ...]], float]:
    return {(family.name, labels): value for family, labels, value in load_readings(NOW)}


def test_an_empty_monitor_shows_an_empty_outbox() -> None:
    readings = shown()
    assert readings["bellwether_outbox_lag_seconds", ()] == 0
    assert readings["bellwether_notifications", ("dead",)] == 0
    assert len(readings) == 5


def test_open_alerts_are_shown_and_ended_ones_are_not() -> None:
    clock = Clock()
    clock.fire()
    clock.tell(Verdict.DRIFT, kind="latency")
    clock.fire(version=2)
    clock.resolve(version=2)
    alerts = {labels for name, labels in shown() if name == "bellwether_alerts"}
    assert alerts == {
        (MODEL, "1", "drift", "warning", "firing"),
        (MODEL, "1", "latency", "warning", "pending"),
    }


def test_the_newest_evaluation_of_each_monitor_is_shown() -> None:
    drift = monitor("drift")
    evaluate(drift, at=NOW - timedelta(hours=1), p_value=0.9)
    families = {"inputs": {"p_value": 1e-6, "effect": 0.7}, "shape": {"p_value": None}}
    evaluate(
        drift,
        value=9.0,
        p_value=1e-6,
        effect=0.7,
        severity="info",
        verdict="DRIFT",
        details={"families": families},
    )
    readings, labels = shown(), (MODEL, "1", "drift", "drift")
    assert readings["bellwether_monitor_value", labels] == 9.0
    assert readings["bellwether_monitor_p_value", labels] == 1e-6
    assert readings["bellwether_monitor_items", labels] == 1000
    assert readings["bellwether_monitor_bad", labels] == 1
    drifting = (MODEL, "1", "drift", "inputs")
    assert readings["bellwether_drift_p_value", drifting] == 1e-6
    assert readings["bellwether_drift_effect", drifting] == 0.7
    assert ("bellwether_drift_p_value", (MODEL, "1", "drift", "shape")) not in readings


def test_evidence_and_estimates_have_gauges_of_their_own() -> None:
    evaluate(monitor("quality"), value=12.5, threshold=1000.0)
    evaluate(monitor("estimate"), value=0.9, details={"macro_f1": [0.8, 0.85, 0.9]})
    readings = shown()
    assert readings["bellwether_quality_e_value", (MODEL, "1", "quality")] == 12.5
    assert readings["bellwether_monitor_threshold", (MODEL, "1", "quality", "quality")] == 1000
    assert readings["bellwether_f1_estimated", (MODEL, "1")] == 0.85


def test_the_age_of_an_evaluation_grows_until_the_next() -> None:
    monitor("drift", evaluated_at=NOW - timedelta(seconds=90))
    monitor("quality")
    monitor("latency", is_enabled=False)
    ages = {k: v for k, v in shown().items() if k[0] == "bellwether_evaluation_age_seconds"}
    assert ages == {
        ("bellwether_evaluation_age_seconds", (MODEL, "drift", "drift")): 90,
        ("bellwether_evaluation_age_seconds", (MODEL, "quality", "quality")): 3600,
    }


def test_realised_f1_and_coverage_come_from_the_roll_ups() -> None:
    monitor("quality")
    for _ in range(4):
        make_prediction(at=START)
    ids = list(Prediction.objects.values_list("id", flat=True))
    items = [FeedbackItem(ids[0], "POSITIVE", "audit"), FeedbackItem(ids[1], "NEGATIVE", "audit")]
    give_feedback(items, key_id="k", now=START, load_labels=labels_of)
    readings = shown()
    assert readings["bellwether_feedback_coverage", (MODEL, "1")] == 0.5
    assert readings["bellwether_f1_realised", (MODEL, "1")] == pytest.approx(1 / 3)


def test_what_waits_in_the_outbox_is_counted_and_timed() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    readings = shown()
    assert readings["bellwether_notifications", ("queued",)] == 1
    assert readings["bellwether_outbox_lag_seconds", ()] == (NOW - clock.at).total_seconds()
    deliver_due(clock.at)
    assert shown()["bellwether_outbox_lag_seconds", ()] == 0
    assert shown()["bellwether_notifications", ("sent",)] == 1
    Notification.objects.update(created_at=NOW - timedelta(days=2))
    assert shown()["bellwether_notifications", ("sent",)] == 0


def test_a_scrape_reads_nothing_and_a_refresh_at_most_every_ten_seconds(
    django_assert_num_queries: Any, django_assert_max_num_queries: Any
) -> None:
    Clock().fire()
    registry = CollectorRegistry()
    collector = register(registry)
    with django_assert_max_num_queries(10):
        collector.refresh()
    with django_assert_num_queries(0):
        collector.refresh()
        text = generate_latest(registry).decode()
    assert 'bellwether_alerts{kind="drift",model="acme/mood",severity="warning"' in text
    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == {
        family.name for family in FAMILIES
    }


def test_of_two_monitors_that_estimate_one_number_one_is_shown() -> None:
    for name, value in (("first", 0.7), ("second", 0.8)):
        evaluate(monitor("estimate", name), details={"macro_f1": [0.5, value, 0.9]})
    registry = CollectorRegistry()
    register(registry).refresh()
    text = generate_latest(registry).decode()
    assert text.count("\nbellwether_f1_estimated{") == 1


def test_without_the_database_the_last_numbers_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = MonitorCollector()
    Clock().fire()
    collector.refresh()
    before = list(collector.collect())

    def fail(now: object) -> object:
        raise DatabaseError("gone")

    monkeypatch.setattr(metrics, "load_readings", fail)
    monkeypatch.setattr(metrics, "FRESH_S", 0.0)
    collector.refresh()
    assert list(collector.collect()) == before


def test_while_one_reads_others_show_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    collector, entered, may_end = MonitorCollector(), threading.Event(), threading.Event()

    def wait(now: object) -> list[object]:
        entered.set()
        may_end.wait(10)
        return []

    monkeypatch.setattr(metrics, "load_readings", wait)
    slow = threading.Thread(target=collector.refresh)
    slow.start()
    assert entered.wait(10)
    collector.refresh()
    may_end.set()
    slow.join(10)
    assert not slow.is_alive()
