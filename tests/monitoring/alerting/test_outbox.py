import random
import threading
from datetime import timedelta

import pytest
from django.db import connection

from monitoring.alerting.channels import change_channel
from monitoring.alerting.outbox import (
    CLAIM,
    MAX_ATTEMPTS,
    deliver_due,
    is_due,
    retry_after_s,
)
from monitoring.alerting.services import acknowledge
from monitoring.alerting.silences import silence, unsilence
from monitoring.errors import DeliveryFailed
from monitoring.models import Notification, NotificationState
from monitoring.notifiers import memory
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.alerting.builders import (
    MINUTE,
    MODEL,
    START,
    Clock,
    events,
    memory_channel,
    states,
)

BAD = Verdict.DRIFT
HOUR = timedelta(hours=1)


def only() -> Notification:
    return Notification.objects.get()


def fail(times: int, *, is_permanent: bool = False, box: str = "ops") -> None:
    error = DeliveryFailed("no room at the inn", is_permanent=is_permanent)
    memory.FAILURES[box] += [error] * times


@pytest.mark.django_db
def test_an_incident_is_told_once_when_it_fires_and_once_when_it_ends() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    assert is_due(clock.at)
    assert deliver_due(clock.at) == 1
    assert deliver_due(clock.at) == 0
    clock.resolve()
    assert deliver_due(clock.at) == 1
    assert not is_due(clock.at + HOUR)
    assert events() == ["firing", "resolved"]
    assert states() == ["sent", "sent"]


@pytest.mark.django_db
def test_a_message_says_what_where_how_bad_and_with_which_numbers() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    deliver_due(clock.at)
    [message] = memory.SENT["ops"]
    assert message.title == "[warning] acme/mood v1 drift"
    assert "the texts have changed" in message.text
    assert "p_value: 1e-07" in message.text
    assert message.id == str(only().pk)


@pytest.mark.django_db
def test_a_failure_is_tried_again_later_and_later() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    fail(2)
    at, rng, waits = clock.at, random.Random(1), []
    for _ in range(3):
        deliver_due(at, rng=rng)
        row = only()
        if row.state == NotificationState.SENT:
            break
        assert deliver_due(row.due_at - timedelta(seconds=1), rng=rng) == 0
        waits.append((row.due_at - at).total_seconds())
        at = row.due_at
    assert 24 <= waits[0] <= 36
    assert 72 <= waits[1] <= 108
    assert events() == ["firing"]
    assert only().n_attempts == 3
    assert only().error == ""


def test_eight_tries_take_hours_and_no_wait_is_over_five() -> None:
    rng = random.Random(1)
    waits = [retry_after_s(n, rng) for n in range(1, MAX_ATTEMPTS)]
    assert 4 * 3600 < sum(waits) < 12 * 3600
    assert max(waits) < 5 * 3600


@pytest.mark.django_db
def test_after_eight_failures_a_notification_is_dead_and_its_channel_goes_on() -> None:
    channel = memory_channel()
    clock = Clock()
    clock.fire()
    fail(MAX_ATTEMPTS)
    at = clock.at
    for _ in range(MAX_ATTEMPTS):
        deliver_due(at, rng=random.Random(1))
        at += timedelta(hours=5)
    assert states() == ["dead"]
    assert only().error == "no room at the inn"
    channel.refresh_from_db()
    assert channel.is_enabled


@pytest.mark.django_db
def test_a_permanent_failure_disables_the_channel_with_the_reason() -> None:
    channel = memory_channel()
    clock = Clock()
    clock.fire()
    clock.fire(version=2)
    fail(1, is_permanent=True)
    deliver_due(clock.at)
    deliver_due(clock.at + MINUTE)
    channel.refresh_from_db()
    assert not channel.is_enabled
    assert channel.disabled_reason == "no room at the inn"
    assert states() == ["dead", "withheld"]
    assert Notification.objects.get(state="withheld").error == "the channel is disabled"
    clock.fire(version=3)
    assert len(states()) == 2
    assert change_channel(channel.pk, {"is_enabled": True}).disabled_reason == ""


@pytest.mark.django_db
def test_one_channels_failure_holds_back_no_other() -> None:
    memory_channel("down")
    memory_channel("up")
    clock = Clock()
    clock.fire()
    clock.fire(version=2)
    fail(5, box="down")
    assert deliver_due(clock.at) == 2
    assert events("up") == ["firing", "firing"]
    assert len(memory.FAILURES["down"]) == 4, "a channel that fails is asked once a run"


@pytest.mark.django_db
def test_what_no_channel_should_raise_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    memory.FAILURES["ops"].append(KeyError("a bug"))  # type: ignore[arg-type]
    assert deliver_due(clock.at) == 0
    assert only().error == "unexpected KeyError"
    assert deliver_due(clock.at + MINUTE) == 1
    assert "raised what no channel should" in caplog.text


@pytest.mark.django_db
def test_a_channel_hears_of_an_alert_in_order() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    fail(2)
    deliver_due(clock.at)
    deliver_due(clock.at + MINUTE, rng=random.Random(1))
    clock.resolve()
    again_at = Notification.objects.get(transition__to_state="firing").due_at
    assert again_at > clock.at
    assert deliver_due(clock.at) == 0
    assert not is_due(clock.at)
    assert deliver_due(again_at) == 2
    assert events() == ["firing", "resolved"]


@pytest.mark.django_db
def test_a_silence_puts_off_and_its_end_tells() -> None:
    memory_channel()
    silence(until=START + HOUR, actor="ann", now=START, model=MODEL)
    clock = Clock()
    clock.fire()
    assert deliver_due(clock.at) == 0
    assert not is_due(clock.at)
    assert only().error == "silenced until 2026-11-21 13:00 UTC"
    assert only().n_attempts == 0
    assert deliver_due(START + HOUR + MINUTE) == 1


@pytest.mark.django_db
def test_what_ended_within_a_silence_is_never_told() -> None:
    memory_channel()
    silence(until=START + HOUR, actor="ann", now=START)
    clock = Clock()
    clock.fire()
    deliver_due(clock.at)
    clock.resolve()
    deliver_due(clock.at)
    assert not is_due(clock.at)
    deliver_due(START + HOUR + MINUTE)
    assert events() == []
    assert list(Notification.objects.order_by("pk").values_list("state", "error")) == [
        ("withheld", "the alert was over before the silence"),
        ("withheld", "it was not told here that the alert fired"),
    ]


@pytest.mark.django_db
def test_ending_a_silence_early_tells_at_once() -> None:
    memory_channel()
    held = silence(until=START + HOUR, actor="ann", now=START, kind="drift")
    clock = Clock()
    clock.fire()
    deliver_due(clock.at)
    unsilence(held.pk, now=clock.at)
    assert deliver_due(clock.at) == 1


@pytest.mark.django_db
def test_a_silence_of_another_model_version_or_kind_keeps_nothing_back() -> None:
    memory_channel()
    for changes in (
        {"model": "acme/other"},
        {"model": MODEL, "version": 2},
        {"kind": "quality"},
    ):
        silence(until=START + HOUR, actor="ann", now=START, **changes)  # type: ignore[arg-type]
    clock = Clock()
    clock.fire()
    assert deliver_due(clock.at) == 1


@pytest.mark.django_db
def test_the_end_of_what_was_told_is_told_also_in_a_silence() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    deliver_due(clock.at)
    silence(until=clock.at + HOUR, actor="ann", now=clock.at)
    clock.resolve()
    assert deliver_due(clock.at) == 1
    assert events() == ["firing", "resolved"]


@pytest.mark.django_db
def test_an_acknowledged_alert_is_told_again_only_when_it_gets_critical() -> None:
    memory_channel(min_severity="info")
    clock = Clock()
    alert = clock.fire(severity=Severity.INFO)
    deliver_due(clock.at)
    acknowledge(alert.pk, actor="ann", now=clock.at)
    clock.tell(BAD, severity=Severity.WARNING)
    deliver_due(clock.at)
    assert Notification.objects.get(state="withheld").error == "acknowledged by ann"
    clock.tell(BAD, severity=Severity.CRITICAL)
    deliver_due(clock.at)
    clock.resolve()
    deliver_due(clock.at)
    assert events() == ["firing", "worse", "resolved"]


@pytest.mark.django_db
def test_a_worker_that_died_while_sending_is_taken_over() -> None:
    memory_channel()
    clock = Clock()
    clock.fire()
    Notification.objects.update(claimed_until=clock.at + CLAIM, n_attempts=1)
    assert deliver_due(clock.at + MINUTE) == 0
    assert deliver_due(clock.at + CLAIM + MINUTE) == 1


@pytest.mark.django_db(transaction=True)
def test_two_workers_at_once_send_each_notification_once() -> None:
    memory_channel()
    clock = Clock()
    for version in range(1, 7):
        clock.fire(version=version)
    n_sent, failures = [], []
    barrier = threading.Barrier(3)

    def work() -> None:
        try:
            barrier.wait(10)
            n_sent.append(deliver_due(clock.at))
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
    assert failures == []
    assert sum(n_sent) == 6
    assert sorted(message.version for message in memory.SENT["ops"]) == [1, 2, 3, 4, 5, 6]
    assert set(states()) == {"sent"}
