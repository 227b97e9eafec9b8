"""Prometheus Alertmanager by its API v2: labels are identity, numbers are annotations. Pure.

An alert that fires is sent again every minute, each time with an end four minutes ahead: one lost
message changes nothing, and one that is never taken back ends by itself. Labels never change while
an alert fires, but for its severity; then the old label set is ended as the new one begins.
https://prometheus.io/docs/alerting/latest/alerts_api/
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from monitoring.notifiers.base import Event, Message, read_fields, read_text
from monitoring.notifiers.posting import Poster, check_url
from monitoring.severity import Severity
from registry.netguard import Resolve, resolve_host

PATH = "/api/v2/alerts"
LASTS = timedelta(minutes=4)
RESEND_EVERY = timedelta(seconds=60)
_ALERT_NAME = "Bellwether"


def read(config: object, *, allowed: Collection[str] = ()) -> dict[str, object]:
    """A checked config: `url` of the Alertmanager, and a `token` if a proxy in front asks for one.

    Raises InvalidChannel.
    """
    fields = read_fields(config, needed=("url",), optional=("token",))
    url = check_url(fields["url"], "config.url", allowed).rstrip("/")
    return {"url": url, "token": read_text(fields, "token", longest=2_000)}


class AlertmanagerNotifier:
    def __init__(
        self,
        config: Mapping[str, object],
        *,
        allowed: Collection[str] = (),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        resolve: Resolve = resolve_host,
    ) -> None:
        self._poster = Poster(f"{config['url']}{PATH}", allowed=allowed, resolve=resolve)
        self._clock = clock
        token = config.get("token")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def send(self, message: Message) -> None:
        self._post(as_alerts(message, now=self._clock()))

    def send_again(self, messages: Sequence[Message]) -> None:
        """Say that these alerts still fire."""
        now = self._clock()
        self._post([each for message in messages for each in as_alerts(message, now=now)])

    def _post(self, alerts: list[dict[str, Any]]) -> None:
        self._poster.post(json.dumps(alerts).encode(), self._headers)


def as_alerts(message: Message, *, now: datetime) -> list[dict[str, Any]]:
    """The message as Alertmanager's alerts when it is sent `now`; a change of severity is two."""
    if message.event is Event.RESOLVED:
        return [_alert(message, message.severity, ends_at=message.at)]
    now_on = _alert(message, message.severity, ends_at=now + LASTS)
    if message.before is None:
        return [now_on]
    return [_alert(message, message.before, ends_at=message.at), now_on]


def _alert(message: Message, severity: Severity, *, ends_at: datetime) -> dict[str, Any]:
    alert: dict[str, Any] = {
        "labels": {
            "alertname": _ALERT_NAME + "".join(map(str.capitalize, message.kind.split("_"))),
            "model": message.model,
            "version": str(message.version),
            "kind": message.kind,
            "severity": str(severity),
        },
        "annotations": {
            "summary": message.summary,
            **{f"detail_{name}": shown for name, shown in message.numbers.items()},
        },
        "startsAt": message.fired_at.isoformat(),
        "endsAt": ends_at.isoformat(),
    }
    if message.link:
        alert["generatorURL"] = message.link
        alert["annotations"]["link"] = message.link
    return alert
