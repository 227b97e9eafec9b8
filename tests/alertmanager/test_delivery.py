"""An alert that data fires, in a real Alertmanager: it arrives, stays one, survives, resolves."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import timezone
from scipy import stats

from monitoring.alerting.channels import create_channel
from monitoring.alerting.outbox import deliver_due
from monitoring.alerting.services import take
from monitoring.alerting.signals import Policy, Signal
from monitoring.alerting.syncing import sync_due
from monitoring.models import Channel, Notification
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.alertmanager.tools import Alertmanager, need, wait_until
from tests.monitoring.alerting.receivers import Receiver, receiving

pytestmark = pytest.mark.django_db
REFERENCE = np.random.default_rng(1).normal(size=2_000)
ALPHA = 1e-4
POLICY = Policy(fires_after=2, resolves_after=2)


@pytest.fixture
def people() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def alertmanager(tmp_path: Path, people: Receiver) -> Iterator[Alertmanager]:
    need("prometheus-alertmanager")
    made = Alertmanager(tmp_path, people.url)
    made.start()
    yield made
    made.stop()


@pytest.fixture
def channel(alertmanager: Alertmanager, settings: Any) -> Channel:
    settings.BELLWETHER_WEBHOOK_HOSTS = ["127.0.0.1"]
    config = {"url": alertmanager.url}
    return create_channel("alertmanager", "alertmanager", config, actor="tests", now=timezone.now())


class Traffic:
    """Evaluations of real samples, a second apart: drawn from the reference, or shifted."""

    def __init__(self) -> None:
        self.rng, self.at = np.random.default_rng(7), timezone.now() - timedelta(seconds=600)

    def evaluate(self, shift: float, *, n: int, severity: Severity = Severity.WARNING) -> None:
        for _ in range(n):
            self.at += timedelta(seconds=1)
            found = stats.ks_2samp(REFERENCE, self.rng.normal(loc=shift, size=500))
            said = Signal(
                model="acme/mood",
                version=2,
                kind="drift",
                verdict=Verdict.DRIFT if found.pvalue < ALPHA else Verdict.OK,
                severity=severity,
                summary="the texts have changed",
                at=self.at,
                details={"p_value": float(found.pvalue), "n_window": 500},
            )
            take(said, POLICY, now=self.at)
        deliver_due(timezone.now())


def told(people: Receiver) -> list[tuple[str, str]]:
    """(status, severity) of everything that Alertmanager told people, in order."""
    groups = [json.loads(body) for _, _, body in people.received]
    return [
        (each["status"], each["labels"]["severity"]) for group in groups for each in group["alerts"]
    ]


def ends_at(alertmanager: Alertmanager) -> datetime:
    [alert] = alertmanager.alerts()
    return datetime.fromisoformat(alert["endsAt"].replace("Z", "+00:00"))


def test_an_alert_fired_by_data_arrives_stays_one_and_resolves(
    alertmanager: Alertmanager, people: Receiver, channel: Channel
) -> None:
    traffic = Traffic()
    traffic.evaluate(0.0, n=10)
    assert alertmanager.alerts() == []

    traffic.evaluate(0.5, n=3)
    [alert] = alertmanager.alerts()
    assert alert["labels"] == {
        "alertname": "BellwetherDrift",
        "model": "acme/mood",
        "version": "2",
        "kind": "drift",
        "severity": "warning",
    }
    assert alert["annotations"]["detail_n_window"] == "500"
    wait_until(lambda: told(people) == [("firing", "warning")])

    # Other numbers, sent every minute: still the same alert, with an end that moves on.
    before, now = ends_at(alertmanager), timezone.now()
    for k in range(1, 4):
        traffic.evaluate(0.6, n=1)
        assert sync_due(now + timedelta(minutes=k)) == 1
    assert ends_at(alertmanager) > before
    assert len(alertmanager.alerts()) == 1

    # A metric that flickers does not make it flap.
    for shift in (0.0, 0.5, 0.0, 0.5):
        traffic.evaluate(shift, n=1)
    assert len(alertmanager.alerts()) == 1

    traffic.evaluate(0.0, n=6)
    wait_until(lambda: alertmanager.alerts() == [])
    wait_until(lambda: told(people) == [("firing", "warning"), ("resolved", "warning")])
    assert Notification.objects.filter(state="sent").count() == 2


def test_a_restart_of_alertmanager_loses_no_alert(
    alertmanager: Alertmanager, people: Receiver, channel: Channel
) -> None:
    traffic = Traffic()
    traffic.evaluate(0.5, n=3)
    wait_until(lambda: told(people) == [("firing", "warning")])
    alertmanager.stop()
    assert sync_due(timezone.now() + timedelta(minutes=1)) == 0, "nobody is there"
    alertmanager.start()
    assert alertmanager.alerts() == [], "it keeps no alerts itself"
    assert sync_due(timezone.now() + timedelta(minutes=3)) == 1
    assert len(alertmanager.alerts()) == 1
    traffic.evaluate(0.0, n=2)
    wait_until(lambda: alertmanager.alerts() == [])
    wait_until(lambda: told(people)[-1] == ("resolved", "warning"))
    assert told(people).count(("firing", "warning")) == 1, "people are not told again"


def test_what_fired_while_alertmanager_was_down_arrives_later(
    alertmanager: Alertmanager, people: Receiver, channel: Channel
) -> None:
    alertmanager.stop()
    Traffic().evaluate(0.5, n=3)
    row = Notification.objects.get()
    assert row.state == "queued"
    assert "127.0.0.1" in row.error
    alertmanager.start()
    assert deliver_due(row.due_at) == 1
    assert len(alertmanager.alerts()) == 1


def test_a_rise_of_severity_replaces_the_label_set(
    alertmanager: Alertmanager, people: Receiver, channel: Channel
) -> None:
    traffic = Traffic()
    traffic.evaluate(0.5, n=3)
    wait_until(lambda: told(people) == [("firing", "warning")])
    traffic.evaluate(0.5, n=1, severity=Severity.CRITICAL)
    [alert] = wait_until(alertmanager.alerts)
    assert alert["labels"]["severity"] == "critical"
    wait_until(lambda: ("firing", "critical") in told(people))
    wait_until(lambda: ("resolved", "warning") in told(people))
    traffic.evaluate(0.0, n=2)
    wait_until(lambda: told(people)[-1] == ("resolved", "critical"))
    assert len(told(people)) == 4
