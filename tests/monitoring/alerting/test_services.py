import threading
from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.test import Client

from monitoring.alerting.pruning import prune
from monitoring.alerting.services import acknowledge, end_source, resolve_for_version, take
from monitoring.alerting.signals import Policy
from monitoring.errors import AlertIsOver, AlertNotFound, InvalidFilter
from monitoring.models import (
    Alert,
    AlertState,
    Channel,
    Evaluation,
    Monitor,
    Notification,
    Transition,
)
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.alerting.builders import (
    MINUTE,
    MODEL,
    POLICY,
    START,
    Clock,
    memory_channel,
    signal,
)

BAD, GOOD, UNKNOWN = Verdict.DRIFT, Verdict.OK, Verdict.INSUFFICIENT_DATA


def transitions() -> list[tuple[str, str]]:
    return list(Transition.objects.order_by("pk").values_list("from_state", "to_state"))


@pytest.mark.django_db
def test_a_quiet_stream_leaves_no_row() -> None:
    Clock().tell(*[GOOD, UNKNOWN] * 20)
    assert not Alert.objects.exists()


@pytest.mark.django_db
def test_an_incident_is_one_alert_with_its_transitions() -> None:
    clock = Clock()
    clock.fire()
    clock.resolve()
    alert = Alert.objects.get()
    assert alert.state == AlertState.RESOLVED
    assert (alert.opened_at, alert.fired_at, alert.resolved_at) == (
        START + MINUTE,
        START + 2 * MINUTE,
        START + 4 * MINUTE,
    )
    assert alert.summary == "the texts have changed"
    assert alert.details["n_window"] == 1000
    assert transitions() == [
        ("inactive", "pending"),
        ("pending", "firing"),
        ("firing", "resolved"),
    ]


@pytest.mark.django_db
def test_what_never_fired_is_one_row_however_often_it_flickered() -> None:
    memory_channel()
    Clock().tell(*[BAD, GOOD] * 10)
    assert Alert.objects.get().state == AlertState.INACTIVE
    assert not Notification.objects.exists()


@pytest.mark.django_db
def test_a_later_incident_is_another_alert() -> None:
    clock = Clock()
    clock.fire()
    clock.resolve()
    clock.at += timedelta(days=2)
    clock.fire()
    assert Alert.objects.filter(state=AlertState.FIRING).count() == 1
    assert Alert.objects.count() == 2


@pytest.mark.django_db
def test_each_model_version_and_kind_has_its_own_alert() -> None:
    clock = Clock()
    clock.fire()
    for changes in ({"model": "acme/other"}, {"version": 2}, {"kind": "quality"}):
        clock.fire(**changes)
    assert Alert.objects.filter(state=AlertState.FIRING).count() == 4


@pytest.mark.django_db
def test_channels_are_told_in_the_same_transaction() -> None:
    memory_channel()
    clock = Clock()
    with transaction.atomic():
        clock.tell(BAD, BAD)
        transaction.set_rollback(True)
    assert not Alert.objects.exists()
    assert not Notification.objects.exists()
    clock.fire()
    [row] = Notification.objects.all()
    assert row.transition is not None
    assert row.transition.to_state == AlertState.FIRING
    assert row.transition.is_told


@pytest.mark.django_db
def test_only_channels_that_want_it_are_told() -> None:
    memory_channel("all")
    memory_channel("critical", min_severity="critical")
    memory_channel("other models", models_matching="other/*")
    memory_channel("this namespace", models_matching="acme/*")
    Clock().fire()
    names = set(Notification.objects.values_list("channel__name", flat=True))
    assert names == {"all", "this namespace"}


@pytest.mark.django_db
def test_a_rise_tells_those_who_had_not_cared_and_all_hear_the_end() -> None:
    memory_channel("all")
    memory_channel("critical", min_severity="critical")
    clock = Clock()
    clock.fire()
    clock.tell(BAD, severity=Severity.CRITICAL)
    clock.resolve()
    told = Notification.objects.order_by("pk").values_list("channel__name", "transition__to_state")
    assert list(told) == [
        ("all", "firing"),
        ("all", "firing"),
        ("critical", "firing"),
        ("all", "resolved"),
        ("critical", "resolved"),
    ]
    rise = Transition.objects.get(severity_before="warning")
    assert rise.severity == "critical"


@pytest.mark.django_db
def test_two_monitors_of_one_kind_are_told_apart_by_their_evaluations() -> None:
    clock, ids = Clock(), []
    for name in ("count", "day"):
        monitor = Monitor.objects.create(
            model=MODEL,
            name=name,
            kind="drift",
            window_by="count",
            window=1000,
            created_by="tests",
            created_at=START,
        )
        evaluation = Evaluation.objects.create(
            monitor=monitor, model=MODEL, version=1, kind="drift", at=START, verdict="DRIFT"
        )
        ids.append(evaluation.pk)
    for _ in range(2):
        clock.tell(BAD, evaluation=ids[0])
        clock.tell(GOOD, evaluation=ids[1])
    alert = Alert.objects.get()
    assert alert.state == AlertState.FIRING
    assert len(alert.tallies) == 1


@pytest.mark.django_db
def test_details_too_long_to_send_are_left_to_the_evaluation() -> None:
    Clock().fire(details={"texts": "a" * 20_000})
    assert "left_out" in Alert.objects.get().details


@pytest.mark.django_db
def test_when_a_version_is_no_longer_live_its_alerts_end_with_the_reason() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    clock.tell(BAD, kind="latency")
    clock.fire(version=2)
    n_closed = resolve_for_version(MODEL, 1, reason="version 2 was promoted", now=clock.at)
    assert n_closed == 2
    assert set(Alert.objects.filter(version=1).values_list("state", flat=True)) == {
        "resolved",
        "inactive",
    }
    assert Alert.objects.get(version=2).state == AlertState.FIRING
    last = Transition.objects.get(to_state="resolved")
    assert last.reason == "version 2 was promoted"
    assert Notification.objects.filter(transition=last).count() == 1
    assert resolve_for_version(MODEL, 1, reason="again", now=clock.at) == 0


@pytest.mark.django_db
def test_the_first_to_acknowledge_is_kept() -> None:
    alert = Clock().fire()
    acknowledge(alert.pk, actor="ann", now=START, note="looking")
    row = acknowledge(alert.pk, actor="bob", now=START + MINUTE)
    assert (row.acknowledged_by, row.acknowledged_at, row.note) == ("ann", START, "looking")


@pytest.mark.django_db
def test_only_what_fires_can_be_acknowledged() -> None:
    clock = Clock()
    alert = clock.fire()
    clock.resolve()
    with pytest.raises(AlertIsOver, match="resolved"):
        acknowledge(alert.pk, actor="ann", now=START)
    with pytest.raises(AlertNotFound):
        acknowledge(uuid4(), actor="ann", now=START)


@pytest.mark.django_db
def test_a_note_too_long_is_refused() -> None:
    alert = Clock().fire()
    with pytest.raises(InvalidFilter, match="500"):
        acknowledge(alert.pk, actor="ann", now=START, note="a" * 501)


@pytest.mark.django_db
def test_a_day_of_flapping_makes_two_notifications() -> None:
    memory_channel()
    clock = Clock()
    for _ in range(48):
        clock.at += 24 * MINUTE
        clock.tell(BAD, BAD, BAD, GOOD, GOOD, GOOD)
    assert Notification.objects.count() == 2


@pytest.mark.django_db
def test_taking_a_signal_costs_a_bounded_number_of_queries(
    django_assert_max_num_queries: object,
) -> None:
    memory_channel()
    clock = Clock()
    with django_assert_max_num_queries(3):  # type: ignore[operator]
        take(signal(GOOD), POLICY, now=START)
    clock.tell(BAD)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        clock.tell(BAD)


@pytest.mark.django_db(transaction=True)
def test_evaluators_at_once_open_one_alert() -> None:
    n_threads, failures = 6, []
    barrier = threading.Barrier(n_threads)

    def evaluate(number: int) -> None:
        try:
            barrier.wait(10)
            said = signal(BAD, START, source=f"monitor {number}")
            with transaction.atomic():
                take(said, Policy(fires_after=1), now=START)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    memory_channel()
    threads = [threading.Thread(target=evaluate, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert failures == []
    alert = Alert.objects.get()
    assert alert.state == AlertState.FIRING
    assert len(alert.tallies) == n_threads
    assert transitions() == [("inactive", "pending"), ("pending", "firing")]
    assert Notification.objects.count() == 1


@pytest.mark.django_db
def test_what_the_evaluation_measured_is_told_with_the_alert() -> None:
    row = Evaluation.objects.create(
        model=MODEL,
        version=1,
        kind="drift",
        at=START,
        verdict="DRIFT",
        n_window=700,
        n_reference=2000,
        effect=0.4,
    )
    Clock().fire(evaluation=row.pk, details={"monitor": "drift"})
    details = Alert.objects.get().details
    assert details == {"monitor": "drift", "n_window": 700, "n_reference": 2000, "effect": 0.4}


@pytest.mark.django_db
def test_alerts_that_ended_long_ago_are_forgotten_and_open_ones_are_not() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    clock.resolve()
    clock.fire(version=2)
    clock.tell(BAD, GOOD, version=3)
    later = clock.at + timedelta(days=8)
    assert prune(later, days=400) == 0
    assert not Transition.objects.filter(alert__version=3).exists()
    assert prune(clock.at + timedelta(days=401), days=400) == 1
    assert set(Alert.objects.values_list("version", flat=True)) == {2, 3}


@pytest.mark.django_db
def test_the_admin_shows_alerts_and_channels_without_secrets(admin_client: Client) -> None:
    channel = memory_channel()
    Channel.objects.filter(pk=channel.pk).update(
        kind="webhook", config={"url": "https://hooks.example.org/in", "secret": "very-secret"}
    )
    clock = Clock()
    alert = clock.fire()
    for path in ("alerts/", f"alerts/{alert.pk}/", "channels/", f"channels/{channel.pk}/"):
        answer = admin_client.get(f"/admin/{path}")
        assert answer.status_code == 200
        assert "very-secret" not in answer.content.decode()


@pytest.mark.django_db
def test_when_a_monitor_is_gone_its_alerts_end_unless_another_one_keeps_them() -> None:
    clock = Clock()
    clock.fire(source="monitor 1")
    clock.tell(BAD, BAD, source="monitor 2")
    clock.fire(kind="latency", source="monitor 1")
    end = {"reason": "The monitor was deleted.", "now": clock.at}
    assert end_source(MODEL, "monitor 1", **end) == 1  # type: ignore[arg-type]
    assert Alert.objects.get(state=AlertState.FIRING).kind == "drift"
    assert end_source(MODEL, "monitor 2", **end) == 1  # type: ignore[arg-type]
    assert end_source(MODEL, "monitor 2", **end) == 0  # type: ignore[arg-type]


@pytest.mark.django_db
def test_what_was_closed_by_hand_may_fire_again_at_once() -> None:
    clock = Clock()
    clock.fire()
    resolve_for_version(MODEL, 1, reason="version 2 was promoted", now=clock.at)
    assert clock.fire().state == AlertState.FIRING
