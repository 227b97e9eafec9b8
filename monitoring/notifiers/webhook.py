"""JSON by POST, signed so that the receiver knows who sent it and that it is fresh. Pure.

The header `X-Bellwether-Signature` is `sha256=` and the HMAC-SHA256, in hex, of
`X-Bellwether-Timestamp`, a dot and the body, by the channel's secret. `Idempotency-Key` is the same
each time a notification is tried.
"""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from monitoring.notifiers.base import Message, invalid, read_fields, read_text
from monitoring.notifiers.posting import Poster, check_url
from registry.netguard import Resolve, resolve_host

SHORTEST_SECRET, LONGEST_SECRET = 16, 200


def read(config: object, *, allowed: Collection[str] = ()) -> dict[str, object]:
    """A checked config: `url`, and a `secret` to sign with. Raises InvalidChannel."""
    fields = read_fields(config, needed=("url", "secret"))
    secret = read_text(fields, "secret", longest=LONGEST_SECRET)
    if len(secret) < SHORTEST_SECRET:
        raise invalid("config.secret", f"must have at least {SHORTEST_SECRET} characters")
    return {"url": check_url(fields["url"], "config.url", allowed), "secret": secret}


class WebhookNotifier:
    def __init__(
        self,
        config: Mapping[str, object],
        *,
        allowed: Collection[str] = (),
        clock: Callable[[], float] = time.time,
        resolve: Resolve = resolve_host,
    ) -> None:
        self._poster = Poster(str(config["url"]), allowed=allowed, resolve=resolve)
        self._secret, self._clock = str(config["secret"]), clock

    def send(self, message: Message) -> None:
        body = json.dumps(as_json(message), separators=(",", ":"), default=str).encode()
        timestamp = str(int(self._clock()))
        self._poster.post(
            body,
            {
                "Idempotency-Key": message.id,
                "X-Bellwether-Timestamp": timestamp,
                "X-Bellwether-Signature": sign(self._secret, timestamp, body),
            },
        )


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """The signature that a receiver should compute itself, and compare in constant time.

    >>> sign("a secret of sixteen", "1760000000", b'{"event":"test"}')[:23]
    'sha256=0c9309f0abc42ee8'
    """
    digest = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"sha256={digest.hexdigest()}"


def as_json(message: Message) -> dict[str, Any]:
    """What a webhook carries."""
    return {
        "id": message.id,
        "event": message.event,
        "alert": message.alert,
        "model": message.model,
        "version": message.version,
        "kind": message.kind,
        "severity": message.severity,
        "severity_before": message.before,
        "summary": message.summary,
        "details": dict(message.details),
        "at": _show(message.at),
        "fired_at": _show(message.fired_at),
        "resolved_at": _show(message.resolved_at),
        "link": message.link or None,
    }


def _show(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at else None
