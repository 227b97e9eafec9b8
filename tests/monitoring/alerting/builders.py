"""Signals, channels and rows for the tests of alerts."""

from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring.alerting.channels import create_channel
from monitoring.alerting.services import take
from monitoring.alerting.signals import Policy, Signal
from monitoring.models import Alert, Channel, Notification
from monitoring.notifiers import memory
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

MODEL = "acme/mood"
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
POLICY = Policy()


def signal(verdict: Verdict = Verdict.DRIFT, at: datetime = START, **changes: Any) -> Signal:
    fields: dict[str, Any] = {
        "model": MODEL,
        "version": 1,
        "kind": "drift",
        "verdict": verdict,
        "severity": Severity.WARNING,
        "summary": "the texts have changed",
        "at": at,
        "details": {"p_value": 1e-7, "n_window": 1000},
    }
    return Signal(**(fields | changes))


class Clock:
    """Takes signals a minute apart."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def tell(self, *verdicts: Verdict, policy: Policy = POLICY, **changes: Any) -> None:
        for verdict in verdicts:
            self.at += MINUTE
            take(signal(verdict, self.at, **changes), policy, now=self.at)

    def fire(self, **changes: Any) -> Alert:
        self.tell(Verdict.DRIFT, Verdict.DRIFT, **changes)
        return Alert.objects.get(
            state="firing",
            **{k: v for k, v in changes.items() if k in ("model", "version", "kind")},
        )

    def resolve(self, **changes: Any) -> None:
        self.tell(Verdict.OK, Verdict.OK, **changes)


def memory_channel(box: str = "ops", **changes: Any) -> Channel:
    return create_channel(
        changes.pop("name", box), "memory", {"box": box}, actor="tests", now=START, **changes
    )


def states() -> list[str]:
    """States of all notifications in the order they were made."""
    return list(Notification.objects.order_by("pk").values_list("state", flat=True))


def events(box: str = "ops") -> list[str]:
    return [str(message.event) for message in memory.SENT[box]]
