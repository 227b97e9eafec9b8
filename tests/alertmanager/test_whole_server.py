"""A real server: its worker delivers, Prometheus scrapes it and fires the shipped rules."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monitoring.notifiers.webhook import sign
from tests.alertmanager.tools import Alertmanager, Prometheus, need, wait_until
from tests.e2e import databases
from tests.e2e.server import Server
from tests.monitoring.alerting.receivers import receiving

SECRET = "a secret of sixteen"
FIRE = """
from datetime import timedelta
from django.utils import timezone
from monitoring.alerting.services import take
from monitoring.alerting.signals import Policy, Signal
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

take(
    Signal(
        model="acme/mood", version=2, kind="quality", verdict=Verdict.DEGRADED,
        severity=Severity.CRITICAL, summary="labels say so", at=timezone.now(),
    ),
    Policy(fires_after=1),
    now=timezone.now(),
)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    need("prometheus", "prometheus-alertmanager")
    home = tmp_path / "home"
    made = Server(home, "--no-starter", BELLWETHER_WEBHOOK_HOSTS="127.0.0.1").start()
    yield made
    made.stop()
    databases.drop_for(home)


def add_webhook(server: Server, url: str) -> None:
    """Make a channel over HTTP and try it."""
    config = {"url": url, "secret": SECRET}
    with server.client() as client:
        made = client.post(
            "/api/v1/channels", json={"name": "hook", "kind": "webhook", "config": config}
        )
        assert made.status_code == 201, made.text
        tried = client.post(f"/api/v1/channels/{made.json()['id']}/test")
        assert tried.json()["state"] == "sent"


@pytest.mark.e2e
def test_the_worker_delivers_prometheus_reads_and_the_shipped_rules_fire(
    server: Server, tmp_path: Path
) -> None:
    for name in ("am", "prometheus"):
        (tmp_path / name).mkdir()
    with receiving() as people, receiving() as hook:
        add_webhook(server, hook.url)
        server.manage("shell", "-v", "0", "-c", FIRE)
        alertmanager = Alertmanager(tmp_path / "am", people.url)
        prometheus = Prometheus(
            tmp_path / "prometheus",
            server.url.removeprefix("http://").rstrip("/"),
            server.first_run["api_key"],
            alertmanager.url.removeprefix("http://"),
        )
        try:
            alertmanager.start()
            prometheus.start()
            [series] = wait_until(lambda: prometheus.query('bellwether_alerts{state="firing"}'))
            assert series["metric"]["model"] == "acme/mood"
            assert series["metric"]["severity"] == "critical"
            wait_until(lambda: prometheus.query("bellwether_outbox_lag_seconds == 0"))
            [rule] = wait_until(alertmanager.alerts)
            assert rule["labels"]["alertname"] == "ModelIsWorse"
            assert rule["labels"]["version"] == "2"
            rules = prometheus.get("/api/v1/rules")["data"]["groups"]
            health = {rule["health"] for group in rules for rule in group["rules"]}
            assert health == {"ok"}
            # The worker, a process of its own, looks every five seconds.
            wait_until(lambda: len(hook.received) > 1, 40.0)
            _, headers, body = hook.received[-1]
            assert json.loads(body)["event"] == "firing"
            timestamp = headers["x-bellwether-timestamp"]
            assert headers["x-bellwether-signature"] == sign(SECRET, timestamp, body)
            with server.client() as client:
                [alert] = client.get("/api/v1/alerts").json()["results"]
                shown = client.get(f"/api/v1/alerts/{alert['id']}").json()
            [told] = shown["transitions"][-1]["notifications"]
            assert (told["state"], told["n_attempts"]) == ("sent", 1)
            assert len(hook.received) == 2, "the test and the alert, each once"
        finally:
            prometheus.stop()
            alertmanager.stop()
