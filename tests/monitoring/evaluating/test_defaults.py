"""The monitors that every model gets, what becomes due, and old evaluations."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from monitoring.evaluating import due, services
from monitoring.evaluating.counting import load_day_count, load_new_counts
from monitoring.evaluating.defaults import DEFAULTS, ensure_defaults
from monitoring.evaluating.due import evaluate_all_due, is_any_due, load_due
from monitoring.evaluating.pruning import prune
from monitoring.models import Alert, Evaluation, Monitor
from monitoring.verdicts import Verdict
from tests.monitoring.builders import MODEL, register
from tests.monitoring.evaluating.builders import (
    NOW,
    add_counts,
    add_labels,
    add_monitor,
    add_traffic,
    draw,
    go_live,
    keep_reference,
    usual_reference,
)
from tests.monitoring.evaluating.test_evaluator import rng

pytestmark = pytest.mark.django_db


def test_a_model_gets_its_monitors_when_it_first_has_a_live_version() -> None:
    register()
    assert ensure_defaults(NOW) == 0
    Monitor.objects.all().delete()
    go_live()
    assert ensure_defaults(NOW) == len(DEFAULTS)
    assert ensure_defaults(NOW) == 0
    rows = {row.name: row for row in Monitor.objects.filter(model=MODEL)}
    assert set(rows) == {plan.name for plan in DEFAULTS}
    assert all(row.is_default for row in rows.values())


def test_what_became_of_a_default_is_remembered() -> None:
    go_live()
    ensure_defaults(NOW)
    rows = {row.name: row for row in Monitor.objects.all()}
    services.delete(rows["latency"].pk, actor="tests", now=NOW)
    services.change(rows["traffic"].pk, {"is_enabled": False}, actor="tests", now=NOW)
    services.change(rows["errors"].pk, {"window": 1800}, actor="tests", now=NOW)
    assert ensure_defaults(NOW + timedelta(days=1)) == 0
    assert not Monitor.objects.filter(name="latency", is_enabled=True).exists()
    assert not Monitor.objects.get(name="traffic").is_enabled
    assert Monitor.objects.get(name="errors").window == 1800


def test_a_model_of_another_name_has_monitors_of_its_own() -> None:
    go_live()
    go_live(model="acme/other")
    assert ensure_defaults(NOW) == 2 * len(DEFAULTS)


def test_due_monitors_are_evaluated_and_then_are_not_due() -> None:
    go_live()
    keep_reference(usual_reference())
    add_traffic(draw(rng(1), 1000), usual_reference().basis)
    assert is_any_due(NOW)
    n_enabled = sum(plan.is_enabled for plan in DEFAULTS)
    assert evaluate_all_due(NOW) == n_enabled
    assert Evaluation.objects.count() == n_enabled
    assert not Evaluation.objects.filter(details__has_key="error").exists()
    assert load_due(NOW + timedelta(seconds=20)) == []
    assert not is_any_due(NOW + timedelta(seconds=20))


def test_a_quiet_stream_with_labels_raises_no_alert() -> None:
    go_live()
    keep_reference(usual_reference())
    stream, n_rounds = rng(5), 12
    # As many errors as the reference has by its own confidence.
    n_wrong = round(100 * (1 - usual_reference().confusion.trace() / 2000))
    for i in range(n_rounds):
        at = NOW + timedelta(minutes=6 * i)
        add_traffic(draw(stream, 300), usual_reference().basis, end=at)
        add_labels(100, n_wrong, at=at - timedelta(seconds=30))
        evaluate_all_due(at)
    verdicts = dict(Evaluation.objects.order_by("at", "id").values_list("monitor__name", "verdict"))
    for name in ("drift by count", "drift by day", "quality", "estimate", "errors", "stuck"):
        assert verdicts[name] == Verdict.OK, name
    assert not Evaluation.objects.filter(severity__gt="").exists()
    assert not Alert.objects.exists()


def test_a_hundred_new_predictions_make_drift_due() -> None:
    go_live()
    keep_reference(usual_reference())
    add_traffic(draw(rng(1), 1000), usual_reference().basis)
    evaluate_all_due(NOW)
    add_counts(99, at=NOW)
    assert load_due(NOW + timedelta(seconds=30)) == []
    add_counts(1, at=NOW)
    due_now = Monitor.objects.filter(pk__in=load_due(NOW + timedelta(seconds=30)))
    assert set(due_now.values_list("name", flat=True)) == {"drift by count", "estimate"}


def test_the_stuck_monitor_comes_last() -> None:
    go_live()
    ensure_defaults(NOW)
    last = load_due(NOW)[-1]
    assert Monitor.objects.get(pk=last).kind == "stuck"


def test_looking_for_what_is_due_costs_the_same_for_many_models() -> None:
    counts = []
    for name in ("acme/a", "acme/b", "acme/c"):
        go_live(model=name)
        ensure_defaults(NOW)
        with CaptureQueriesContext(connection) as queries:
            load_due(NOW)
        counts.append(len(queries))
    assert set(counts) == {2}


def test_one_that_fails_beyond_help_leaves_the_others_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go_live()
    ensure_defaults(NOW)
    evaluate, failed = due.evaluate, []

    def fail_once(pk: int, now: Any) -> Any:
        if not failed:
            failed.append(pk)
            raise RuntimeError("the database is gone for a moment")
        return evaluate(pk, now)

    monkeypatch.setattr(due, "evaluate", fail_once)
    evaluate_all_due(NOW)
    assert Evaluation.objects.count() == sum(plan.is_enabled for plan in DEFAULTS) - 1


def test_a_round_is_bounded_in_time() -> None:
    go_live()
    assert evaluate_all_due(NOW, longest_s=-1) == 0


def test_new_predictions_are_counted_since_the_last_evaluation_across_days() -> None:
    go_live()
    monitor = add_monitor("drift")
    yesterday = NOW - timedelta(days=1)
    add_counts(30, at=yesterday)
    assert load_new_counts([monitor], NOW) == {monitor.pk: 30}
    n_then = load_day_count(MODEL, yesterday)
    Monitor.objects.update(evaluated_at=yesterday, n_at_evaluation=n_then)
    monitor.refresh_from_db()
    assert load_new_counts([monitor], NOW) == {monitor.pk: 0}
    add_counts(5, at=yesterday + timedelta(hours=1))
    add_counts(7, at=NOW)
    assert load_new_counts([monitor], NOW) == {monitor.pk: 12}
    Monitor.objects.update(evaluated_at=NOW - timedelta(days=40))
    monitor.refresh_from_db()
    assert load_new_counts([monitor], NOW) == {monitor.pk: 42}


def add_evaluation(monitor: Monitor, hours: float, verdict: Verdict = Verdict.OK) -> int:
    row = Evaluation.objects.create(
        monitor=monitor,
        model=MODEL,
        version=1,
        kind="drift",
        at=NOW - timedelta(hours=hours),
        verdict=verdict,
    )
    return row.pk


def test_old_evaluations_go_and_middle_aged_good_ones_are_thinned() -> None:
    go_live()
    monitor = add_monitor("drift")
    young = [add_evaluation(monitor, i / 60) for i in range(10)]
    # Ten minutes of one hour, three days ago.
    thinned = [add_evaluation(monitor, 72 + i / 60) for i in range(10)]
    bad = [add_evaluation(monitor, 72.1, Verdict.DRIFT) for _ in range(3)]
    other = add_evaluation(add_monitor("drift", name="other"), 72.1)
    old = add_evaluation(monitor, 24 * 31, Verdict.DRIFT)
    assert prune(NOW, days=30) == 10
    left = set(Evaluation.objects.values_list("pk", flat=True))
    assert left == {*young, *bad, other, max(thinned)}
    assert old not in left
    assert prune(NOW, days=30) == 0
