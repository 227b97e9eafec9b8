"""From rows to an evaluation, its alert and what it carries forward: all or nothing."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring.alerting import services as alerting
from monitoring.drift.reference import Reference
from monitoring.errors import MonitorNotFound
from monitoring.evaluating import evaluator, loaders, services
from monitoring.evaluating.evaluator import evaluate
from monitoring.evaluating.loaders import quality as quality_loader
from monitoring.models import (
    Alert,
    AlertState,
    Evaluation,
    Feedback,
    Monitor,
    QualityStream,
    Transition,
)
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.evaluating.builders import (
    NOW,
    add_labels,
    add_monitor,
    add_traffic,
    draw,
    go_live,
    keep_reference,
    usual_reference,
)

pytestmark = pytest.mark.django_db
BY_COUNT = {"window_by": "count", "window": 1000, "every_s": 60, "every_n": 100}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture
def reference() -> Reference:
    go_live()
    return keep_reference(usual_reference())


def evaluated(monitor: Monitor, at: datetime = NOW) -> Evaluation:
    row = evaluate(monitor.pk, at)
    assert row is not None
    row.refresh_from_db()
    return row


def test_quiet_traffic_is_an_evaluation_and_no_alert(reference: Reference) -> None:
    add_traffic(draw(rng(1), 1000), reference.basis)
    monitor = add_monitor("drift", **BY_COUNT)
    row = evaluated(monitor)
    assert (row.verdict, row.n_window, row.version) == (Verdict.OK, 1000, 1)
    assert row.cost_s > 0
    assert row.reference is not None
    monitor.refresh_from_db()
    assert (monitor.evaluated_at, monitor.n_at_evaluation) == (NOW, 1000)
    assert not Alert.objects.exists()


def test_drift_becomes_an_alert_after_as_many_evaluations_as_were_asked(
    reference: Reference,
) -> None:
    add_traffic(draw(rng(1), 1000, shift=0.4), reference.basis)
    monitor = add_monitor("drift", fires_after=2, **BY_COUNT)
    evaluated(monitor)
    assert Alert.objects.get().state == AlertState.PENDING
    row = evaluated(monitor, NOW + timedelta(minutes=1))
    alert = Alert.objects.get()
    assert (alert.state, alert.severity, alert.kind) == (AlertState.FIRING, Severity.INFO, "drift")
    assert alert.evaluation == row.pk
    assert alert.details["monitor"] == "drift"


def test_drift_warns_once_an_estimate_says_that_accuracy_is_lost(reference: Reference) -> None:
    add_traffic(draw(rng(1), 1000, shift=0.4, sharpness=0.3), reference.basis)
    drift = add_monitor("drift", fires_after=1, **BY_COUNT)
    estimate = add_monitor("estimate", **BY_COUNT)
    assert evaluated(drift).severity == Severity.INFO
    assert evaluated(estimate).verdict == Verdict.DEGRADED
    assert evaluated(drift, NOW + timedelta(minutes=1)).severity == Severity.WARNING
    assert Alert.objects.get(kind="drift").severity == Severity.WARNING


def test_a_promotion_pauses_the_comparison_until_enough_traffic_came(
    reference: Reference,
) -> None:
    add_traffic(draw(rng(1), 1000, shift=0.4), reference.basis, end=NOW)
    monitor = add_monitor("drift", fires_after=1, **BY_COUNT)
    assert evaluated(monitor).verdict == Verdict.DRIFT
    promoted_at = NOW + timedelta(minutes=1)
    go_live(2, at=promoted_at)
    second = keep_reference(usual_reference(), number=2)
    # A canary's answers from before the promotion do not count.
    add_traffic(draw(rng(3), 600, shift=0.4), second.basis, number=2, end=promoted_at)
    add_traffic(
        draw(rng(4), 400, shift=0.4),
        second.basis,
        number=2,
        end=promoted_at + timedelta(minutes=1),
    )
    row = evaluated(monitor, promoted_at + timedelta(minutes=2))
    assert (row.version, row.verdict) == (2, Verdict.INSUFFICIENT_DATA)
    assert row.n_window == 400


def test_a_promotion_ends_the_alerts_of_the_version_before(reference: Reference) -> None:
    add_traffic(draw(rng(1), 1000, shift=0.4), reference.basis)
    monitor = add_monitor("drift", fires_after=1, **BY_COUNT)
    evaluated(monitor)
    assert Alert.objects.get().state == AlertState.FIRING
    go_live(2, at=NOW + timedelta(seconds=30))
    evaluated(monitor, NOW + timedelta(minutes=1))
    assert Alert.objects.get().state == AlertState.RESOLVED
    assert "Version 2 answers now" in Transition.objects.order_by("id").last().reason  # type: ignore[union-attr]


def test_what_a_reference_was_made_of_is_not_compared_with_it(reference: Reference) -> None:
    add_traffic(draw(rng(1), 1000), reference.basis)
    keep_reference(usual_reference(), at=NOW + timedelta(seconds=1))
    monitor = add_monitor("drift", **BY_COUNT)
    assert evaluated(monitor, NOW + timedelta(minutes=1)).n_window == 0


@pytest.mark.parametrize("way", ["off", "deleted"])
def test_an_alert_ends_when_nobody_asks_any_more(reference: Reference, way: str) -> None:
    add_traffic(draw(rng(1), 1000, shift=0.4), reference.basis)
    one, two = (add_monitor("drift", name=name, fires_after=1, **BY_COUNT) for name in "ab")
    evaluated(one)
    evaluated(two)
    for monitor, state in ((one, AlertState.FIRING), (two, AlertState.RESOLVED)):
        if way == "off":
            services.change(monitor.pk, {"is_enabled": False}, actor="tests", now=NOW)
        else:
            services.delete(monitor.pk, actor="tests", now=NOW)
        assert Alert.objects.get().state == state


def test_evaluation_and_alert_are_kept_together_or_not_at_all(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_traffic(draw(rng(1), 1000, shift=0.4), reference.basis)
    monitor = add_monitor("drift", **BY_COUNT)

    def refuse(*args: Any, **kwargs: Any) -> None:
        alerting.take(*args, **kwargs)
        raise RuntimeError("out of luck")

    monkeypatch.setattr(evaluator, "take", refuse)
    row = evaluated(monitor)
    # What remains is the evaluation that says that there is none.
    assert (row.verdict, row.details) == (Verdict.INSUFFICIENT_DATA, {"error": "internal_error"})
    assert Evaluation.objects.count() == 1
    assert not Alert.objects.exists()


def test_a_question_that_fails_is_seen_by_the_stuck_monitor_and_hurts_no_other(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_traffic(draw(rng(1), 1000), reference.basis)
    broken, sound = add_monitor("drift", **BY_COUNT), add_monitor("estimate", **BY_COUNT)
    stuck = add_monitor("stuck", fires_after=1)

    def fail(*args: Any) -> None:
        raise RuntimeError("no such column")

    monkeypatch.setattr(loaders.drift, "ask", fail)
    for minute in range(2):
        at = NOW + timedelta(minutes=minute)
        assert "error" in evaluated(broken, at).details
        assert evaluated(sound, at).verdict == Verdict.OK
    row = evaluated(stuck, NOW + timedelta(minutes=2))
    assert row.verdict == Verdict.BREACH
    assert "drift fails: RuntimeError" in row.summary
    assert Alert.objects.get().kind == "stuck"
    monkeypatch.undo()
    evaluated(broken, NOW + timedelta(minutes=3))
    assert evaluated(stuck, NOW + timedelta(minutes=4)).verdict == Verdict.OK


def test_of_two_evaluations_at_once_the_first_counts(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_traffic(draw(rng(1), 1000), reference.basis)
    add_labels(50, 5, at=NOW - timedelta(minutes=1))
    monitor = add_monitor("quality")
    ask = loaders.ask

    def ask_late(*args: Any) -> Any:
        outcome = ask(*args)
        monkeypatch.undo()
        evaluate(monitor.pk, NOW)
        return outcome

    monkeypatch.setattr(evaluator, "ask", ask_late)
    row = evaluated(monitor, NOW + timedelta(milliseconds=1))
    assert row.at == NOW
    assert Evaluation.objects.count() == 1
    assert QualityStream.objects.get().n == 50


def test_each_label_is_taken_in_once_in_order_of_arrival(reference: Reference) -> None:
    monitor = add_monitor("quality")
    add_labels(40, 4, at=NOW - timedelta(minutes=2))
    assert evaluated(monitor).n_window == 40
    assert evaluated(monitor, NOW + timedelta(minutes=1)).n_window == 40
    add_labels(10, 1, at=NOW + timedelta(minutes=1))
    assert evaluated(monitor, NOW + timedelta(minutes=2)).n_window == 50


def test_labels_wait_until_every_earlier_row_has_settled(reference: Reference) -> None:
    monitor = add_monitor("quality")
    add_labels(20, 2, at=NOW - timedelta(seconds=2))
    assert evaluated(monitor).n_window == 0
    # A replica whose clock is behind: its row is old, but comes after a young one.
    add_labels(20, 2, at=NOW - timedelta(minutes=1))
    assert evaluated(monitor, NOW + timedelta(seconds=1)).n_window == 0
    assert evaluated(monitor, NOW + timedelta(minutes=1)).n_window == 40


def test_users_corrections_and_revisions_are_no_sample(reference: Reference) -> None:
    monitor = add_monitor("quality")
    at = NOW - timedelta(minutes=1)
    add_labels(30, 30, at=at, source="user")
    add_labels(30, 0, at=at)
    for row in list(Feedback.objects.filter(source="delayed")):
        Feedback.objects.create(
            prediction_id=row.prediction_id, revision=2, label="?", source="audit", at=at
        )
    given = evaluated(monitor)
    assert given.n_window == 30
    assert given.details["streams"][0]["value"] == 1


def test_degradation_by_labels_is_critical_and_fires_at_once(reference: Reference) -> None:
    monitor = add_monitor("quality", fires_after=1)
    add_labels(300, 150, at=NOW - timedelta(minutes=1))
    assert evaluated(monitor).verdict == Verdict.DEGRADED
    alert = Alert.objects.get()
    assert (alert.state, alert.severity) == (AlertState.FIRING, Severity.CRITICAL)
    assert QualityStream.objects.get().alarmed_at == NOW


def test_many_labels_are_taken_in_by_chunks(
    reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quality_loader, "CHUNK", 30)
    monitor = add_monitor("quality")
    add_labels(70, 7, at=NOW - timedelta(minutes=1))
    counts = [evaluated(monitor, NOW + timedelta(minutes=i)).n_window for i in range(4)]
    assert counts == [30, 60, 70, 70]


def test_a_new_reference_begins_anew_with_labels_after_it(reference: Reference) -> None:
    monitor = add_monitor("quality")
    add_labels(40, 4, at=NOW - timedelta(minutes=5))
    assert evaluated(monitor).n_window == 40
    keep_reference(usual_reference(), at=NOW + timedelta(seconds=1))
    add_labels(20, 2, at=NOW + timedelta(minutes=1))
    assert evaluated(monitor, NOW + timedelta(minutes=2)).n_window == 20


def test_two_quality_monitors_have_streams_of_their_own(reference: Reference) -> None:
    add_labels(40, 4, at=NOW - timedelta(minutes=5))
    for name in ("strict", "lenient"):
        assert evaluated(add_monitor("quality", name=name)).n_window == 40


def test_a_model_without_a_live_version_has_nothing_to_ask_about() -> None:
    go_live()
    monitor = add_monitor("drift")
    from registry.models import Route

    Route.objects.all().delete()
    assert evaluate(monitor.pk, NOW) is None
    assert not Evaluation.objects.exists()


def test_a_monitor_that_is_not_there_is_an_error() -> None:
    with pytest.raises(MonitorNotFound, match="no monitor 4"):
        evaluate(4, NOW)


def test_a_pinned_version_is_looked_at_whether_it_is_live_or_not(reference: Reference) -> None:
    go_live(2)
    add_traffic(draw(rng(1), 1000), reference.basis)
    monitor = add_monitor("drift", version=1, **BY_COUNT)
    assert evaluated(monitor).version == 1


@pytest.mark.each_on_postgres
@pytest.mark.parametrize(
    ("kind", "most"),
    [
        ("drift", 22),
        ("quality", 26),
        ("estimate", 18),
        ("calibration", 18),
        ("classic", 30),
        ("traffic", 24),
        ("feedback", 26),
        ("errors", 30),
        ("latency", 18),
        ("stuck", 16),
    ],
)
def test_an_evaluation_costs_as_many_queries_whatever_the_traffic(
    reference: Reference, kind: str, most: int
) -> None:
    monitor = add_monitor(kind)
    counts = []
    for i in range(2):
        at = NOW + timedelta(hours=i)
        for j in range(3 + 10 * i):
            add_traffic(draw(rng(j), 200), reference.basis, end=at - timedelta(minutes=5 * j))
        add_labels(60 + 100 * i, 6, at=at - timedelta(minutes=2))
        evaluated(monitor, at)
        with CaptureQueriesContext(connection) as queries:
            evaluated(monitor, at + timedelta(minutes=1))
        counts.append(len(queries))
    assert counts[0] == counts[1] <= most


@pytest.mark.each_on_postgres
@pytest.mark.parametrize(
    ("kind", "windows"),
    [
        ("traffic", (960, 86_400)),
        ("feedback", (3600, 14 * 86_400)),
        ("errors", (300, 90 * 86_400)),
        ("latency", (300, 90 * 86_400)),
        ("classic", (300, 90 * 86_400)),
        ("calibration", (300, 90 * 86_400)),
        ("drift", (300, 90 * 86_400)),
    ],
)
def test_the_longest_and_shortest_windows_can_be_answered(
    reference: Reference, kind: str, windows: tuple[int, int]
) -> None:
    add_traffic(draw(rng(1), 1000), reference.basis)
    add_labels(60, 6, at=NOW - timedelta(minutes=2))
    for i, window in enumerate(windows):
        row = evaluated(add_monitor(kind, name=f"w{i}", window=window))
        assert "error" not in row.details


def test_the_first_evaluation_may_spend_what_its_period_has(reference: Reference) -> None:
    add_traffic(draw(rng(1), 1000), reference.basis)
    monitor = add_monitor("drift", **BY_COUNT, created_at=NOW)
    day = evaluated(monitor).alpha
    assert day == pytest.approx(0.1 * 60 / (90 * 86_400))


def test_drift_monitors_of_a_model_share_their_part_of_the_budget(reference: Reference) -> None:
    add_traffic(draw(rng(1), 1000), reference.basis)
    alone = add_monitor("drift", name="one", **BY_COUNT)
    first = evaluated(alone).alpha
    add_monitor("drift", name="two", **BY_COUNT)
    second = evaluated(alone, NOW + timedelta(days=1)).alpha
    assert first is not None
    assert second == pytest.approx(first / 2)
