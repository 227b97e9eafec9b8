"""Slack, Teams, Discord, PagerDuty and others, by the library apprise (`requirements/notify.txt`).

Only services whose URLs say where they lead are allowed. Those that name a host of their own need
it listed in BELLWETHER_WEBHOOK_HOSTS. Pure; the library is loaded when a message is sent.
"""

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from monitoring.errors import DeliveryFailed, NotifyUnavailable
from monitoring.notifiers.base import TIMEOUT_S, Event, Message, invalid, read_fields, read_text
from monitoring.notifiers.posting import SETTING
from monitoring.severity import Severity
from registry.remote.facts import Target

FIXED = frozenset(
    {"discord", "gchat", "opsgenie", "pagerduty", "pover", "slack", "tgram", "wxteams"}
)
"""Schemes of services that live at one address."""
HOSTED = frozenset({"gotifys", "matrixs", "mmosts", "ntfys", "rockets", "workflows"})
"""Schemes whose URLs name the host."""
MAX_URL_CHARS = 1_000
_HTTPS_PORT = 443


def read(config: object, *, allowed: Collection[str] = ()) -> dict[str, object]:
    """A checked config: the apprise `url`. Raises InvalidChannel."""
    fields = read_fields(config, needed=("url",))
    url = read_text(fields, "url", longest=MAX_URL_CHARS)
    try:
        parts = urlsplit(url)
        # Only where a host is named: others have keys in its place, with colons of their own.
        port = parts.port if parts.scheme in HOSTED else None
    except ValueError as error:
        raise invalid("config.url", "is not a URL") from error
    target = Target(parts.scheme, (parts.hostname or "").lower(), port or _HTTPS_PORT)
    if target.scheme not in FIXED | HOSTED:
        known = ", ".join(sorted(FIXED | HOSTED))
        raise invalid("config.url", f"must begin with one of these and ://, {known}")
    if parts.query or parts.fragment:
        # A template of apprise's may name any file of this machine.
        raise invalid("config.url", "must not have a query")
    if target.scheme in HOSTED and not target.is_allowed_by(allowed):
        raise invalid("config.url", f"names a host that must be listed in {SETTING}")
    return {"url": url}


class AppriseNotifier:
    def __init__(self, config: Mapping[str, object]) -> None:
        self._url = str(config["url"])

    def send(self, message: Message) -> None:
        apprise = load()
        target = apprise.Apprise.instantiate(self._url, suppress_exceptions=True)
        if target is None:
            raise DeliveryFailed("apprise cannot read the channel's URL", is_permanent=True)
        target.socket_connect_timeout = target.socket_read_timeout = TIMEOUT_S / 2
        target.redirects = False
        way = apprise.Apprise()
        way.add(target)
        kind = _KINDS[message.severity] if message.event is not Event.RESOLVED else "success"
        if not way.notify(title=message.title, body=message.text, notify_type=kind):
            raise DeliveryFailed(f"{urlsplit(self._url).scheme} did not take the message")


_KINDS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


def load() -> Any:
    """The library. Raises NotifyUnavailable."""
    try:
        import apprise
    except ImportError as error:
        raise NotifyUnavailable(
            "Channels of the kind apprise need it installed: "
            "python -m pip install -r requirements/notify.txt"
        ) from error
    return apprise
