"""What the page of channels shows: where alerts are told, and what was sent, newest first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db.models import OuterRef, Subquery

from monitoring.alerting.channels import get_channel
from monitoring.errors import InvalidFilter
from monitoring.models import Channel, ChannelKind, Notification, NotificationState

PAGE_SIZE = 30
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KindWords:
    """What a kind of channel is, with an example of what it needs."""

    title: str
    about: str
    example: str


KINDS: Mapping[str, KindWords] = {
    ChannelKind.EMAIL.value: KindWords(
        "Email",
        "Plain mail to a few addresses. The server must know a mail server: BELLWETHER_EMAIL_URL.",
        "ml-team@example.org",
    ),
    ChannelKind.WEBHOOK.value: KindWords(
        "Webhook",
        "JSON by POST to an address of yours, signed with a secret that you both know.",
        "https://ops.example.org/hooks/bellwether",
    ),
    ChannelKind.APPRISE.value: KindWords(
        "Chat and pagers (apprise)",
        "Slack, Discord, Teams, Telegram, PagerDuty, Opsgenie and others, by an apprise address.",
        "slack://token-a/token-b/token-c",
    ),
    ChannelKind.ALERTMANAGER.value: KindWords(
        "Prometheus Alertmanager",
        "Alerts join those that you have: Alertmanager groups, routes and mutes them.",
        "http://alertmanager:9093",
    ),
    ChannelKind.MEMORY.value: KindWords(
        "Memory",
        "Keeps messages in the process that sends them: for tests, nobody reads them.",
        "box",
    ),
}
STATES = {
    NotificationState.QUEUED.value: ("queued", "info"),
    NotificationState.SENT.value: ("sent", "good"),
    NotificationState.WITHHELD.value: ("withheld", ""),
    NotificationState.DEAD.value: ("failed", "bad"),
}
"""State of a delivery → the word that people read, and how its badge looks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRow:
    """A channel without its secrets; `target` says where it leads as far as that may be shown."""

    id: int
    name: str
    kind: str
    title: str
    target: str
    models_matching: str
    min_severity: str
    is_enabled: bool
    disabled_reason: str
    last_state: str
    last_at: datetime | None
    last_error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters:
    channel: int | None = None
    state: str = ""
    before: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLog:
    """One page of deliveries; `before` continues it, None where it ends."""

    rows: tuple[Notification, ...]
    before: int | None


def load_channels() -> list[ChannelRow]:
    """Every channel by name, each with its newest delivery; in one query."""
    newest = Notification.objects.filter(channel=OuterRef("pk")).order_by("-pk")
    rows: Any = Channel.objects.annotate(
        last_state=Subquery(newest.values("state")[:1]),
        last_at=Subquery(newest.values("created_at")[:1]),
        last_error=Subquery(newest.values("error")[:1]),
    ).order_by("name")
    return [
        ChannelRow(
            id=row.pk,
            name=row.name,
            kind=row.kind,
            title=words_of(row.kind).title,
            target=target_of(row),
            models_matching=row.models_matching,
            min_severity=row.min_severity,
            is_enabled=row.is_enabled,
            disabled_reason=row.disabled_reason,
            last_state=row.last_state or "",
            last_at=row.last_at,
            last_error=row.last_error or "",
        )
        for row in rows
    ]


def words_of(kind: str) -> KindWords:
    return KINDS.get(kind, KindWords(kind, "", ""))


def target_of(channel: Channel) -> str:
    """The host of an address, or how many addresses: paths, queries and tokens are secrets."""
    if channel.kind == ChannelKind.EMAIL:
        n = len(channel.config.get("to", ()))
        return f"{n} address" if n == 1 else f"{n} addresses"
    if channel.kind == ChannelKind.MEMORY:
        return str(channel.config.get("box", ""))
    parts = urlsplit(str(channel.config.get("url", "")))
    # Many services have a token where other addresses have their host.
    return parts.scheme if channel.kind == ChannelKind.APPRISE else parts.hostname or ""


def read_log_filters(params: Mapping[str, str]) -> LogFilters:
    """What the log is narrowed to. Raises InvalidFilter, naming the field."""
    state = params.get("state", "")
    if state and state not in STATES:
        raise _invalid("state", f"must be one of {', '.join(STATES)}")
    return LogFilters(
        channel=_number(params, "channel"), state=state, before=_number(params, "before")
    )


def load_log(filters: LogFilters) -> DeliveryLog:
    """What was sent or is to be, newest first; in one query."""
    rows = Notification.objects.select_related("channel", "transition__alert")
    if filters.channel is not None:
        rows = rows.filter(channel=filters.channel)
    if filters.state:
        rows = rows.filter(state=filters.state)
    if filters.before is not None:
        rows = rows.filter(pk__lt=filters.before)
    found = list(rows.order_by("-pk")[: PAGE_SIZE + 1])
    shown = tuple(found[:PAGE_SIZE])
    return DeliveryLog(rows=shown, before=shown[-1].pk if len(found) > PAGE_SIZE else None)


def merged_config(channel: int, given: Mapping[str, object]) -> dict[str, object]:
    """The channel's config with what was given; what was left empty stays as it is.

    Raises ChannelNotFound.
    """
    kept = get_channel(channel).config
    return {**kept, **{name: value for name, value in given.items() if value}}


def _number(params: Mapping[str, str], name: str) -> int | None:
    text = params.get(name, "")
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > _LARGEST_ID:
        raise _invalid(name, "must be a number")
    return int(text)


def _invalid(field: str, remedy: str) -> InvalidFilter:
    return InvalidFilter(f"{field!r} {remedy}.", details={"field": field})
