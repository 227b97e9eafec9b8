"""Channels: where notifications go. Their configs hold secrets, which are never shown again."""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from access.errors import BellwetherError
from monitoring.alerting.messages import message_of
from monitoring.errors import ChannelExists, ChannelNotFound, DeliveryFailed, InvalidChannel
from monitoring.models import Channel, ChannelKind, Notification, NotificationState
from monitoring.notifiers.alertmanager import AlertmanagerNotifier
from monitoring.notifiers.alertmanager import read as read_alertmanager
from monitoring.notifiers.apprise import AppriseNotifier, load
from monitoring.notifiers.apprise import read as read_apprise
from monitoring.notifiers.base import Notifier, invalid
from monitoring.notifiers.email import EmailNotifier
from monitoring.notifiers.email import read as read_email
from monitoring.notifiers.memory import MemoryNotifier
from monitoring.notifiers.memory import read as read_memory
from monitoring.notifiers.webhook import WebhookNotifier
from monitoring.notifiers.webhook import read as read_webhook
from monitoring.severity import Severity

MAX_CHANNELS = 100
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,79}")
_PATTERN = re.compile(r"[A-Za-z0-9*?._/\[\]-]{1,200}")
_MAX_ERROR_CHARS = 500


def make_notifier(channel: Channel) -> Notifier:
    """What sends for a channel. Raises InvalidChannel for a kind that nobody knows."""
    allowed: list[str] = settings.BELLWETHER_WEBHOOK_HOSTS
    match channel.kind:
        case ChannelKind.EMAIL:
            return EmailNotifier(channel.config)
        case ChannelKind.WEBHOOK:
            return WebhookNotifier(channel.config, allowed=allowed)
        case ChannelKind.ALERTMANAGER:
            return AlertmanagerNotifier(channel.config, allowed=allowed)
        case ChannelKind.APPRISE:
            return AppriseNotifier(channel.config)
        case ChannelKind.MEMORY:
            return MemoryNotifier(channel.config)
    raise invalid("kind", f"must be one of {', '.join(ChannelKind.values)}")


def check_config(kind: str, config: object) -> dict[str, object]:
    """A kind's config as it is kept. Raises InvalidChannel or NotifyUnavailable."""
    allowed: list[str] = settings.BELLWETHER_WEBHOOK_HOSTS
    match kind:
        case ChannelKind.EMAIL:
            if not settings.BELLWETHER_EMAIL_URL:
                raise invalid("kind", "email needs a mail server: set BELLWETHER_EMAIL_URL")
            return read_email(config)
        case ChannelKind.WEBHOOK:
            return read_webhook(config, allowed=allowed)
        case ChannelKind.ALERTMANAGER:
            return read_alertmanager(config, allowed=allowed)
        case ChannelKind.APPRISE:
            load()
            return read_apprise(config, allowed=allowed)
        case ChannelKind.MEMORY:
            return read_memory(config)
    raise invalid("kind", f"must be one of {', '.join(ChannelKind.values)}")


def create_channel(
    name: str,
    kind: str,
    config: object,
    *,
    actor: str,
    now: datetime,
    models_matching: str = "*",
    min_severity: str = Severity.WARNING,
) -> Channel:
    """Raises InvalidChannel, ChannelExists or NotifyUnavailable."""
    fields = _check(
        {"name": name, "models_matching": models_matching, "min_severity": min_severity}
    )
    checked = check_config(kind, config)
    if Channel.objects.count() >= MAX_CHANNELS:
        raise InvalidChannel(f"There are {MAX_CHANNELS} channels already: remove one first.")
    row = Channel(kind=kind, config=checked, created_by=actor, created_at=now, **fields)
    return _save(row)


def change_channel(channel_id: int, changes: Mapping[str, Any]) -> Channel:
    """Change some of name, config, models_matching, min_severity and is_enabled; never the kind.

    Raises ChannelNotFound, InvalidChannel or ChannelExists.
    """
    with transaction.atomic():
        row = Channel.objects.select_for_update(no_key=True).filter(pk=channel_id).first()
        if row is None:
            raise not_found(channel_id)
        fields = _check({key: changes[key] for key in changes if key != "config"})
        if "config" in changes:
            fields["config"] = check_config(row.kind, changes["config"])
        for key, value in fields.items():
            setattr(row, key, value)
        if fields.get("is_enabled"):
            row.disabled_reason = ""
        return _save(row)


def delete_channel(channel_id: int) -> None:
    """With its notifications. Raises ChannelNotFound."""
    deleted, _ = Channel.objects.filter(pk=channel_id).delete()
    if not deleted:
        raise not_found(channel_id)


def get_channel(channel_id: int) -> Channel:
    """Raises ChannelNotFound."""
    row = Channel.objects.filter(pk=channel_id).first()
    if row is None:
        raise not_found(channel_id)
    return row


def find_channel(name: str) -> Channel:
    """The channel called `name`. Raises ChannelNotFound."""
    row = Channel.objects.filter(name=name).first()
    if row is None:
        raise ChannelNotFound(
            f"There is no channel {name[:80]!r}; list the channels to see their names.",
            details={"name": name[:80]},
        )
    return row


def try_channel(channel_id: int, *, now: datetime) -> Notification:
    """Send a test now, whether the channel is enabled or not; takes 10 s at most.

    The attempt is kept like any other. Raises ChannelNotFound or DeliveryFailed.
    """
    channel = get_channel(channel_id)
    row = Notification.objects.create(
        channel=channel,
        state=NotificationState.DEAD,
        is_test=True,
        n_attempts=1,
        due_at=now,
        created_at=now,
    )
    try:
        make_notifier(channel).send(message_of(row))
    except BellwetherError as error:
        row.error = error.message[:_MAX_ERROR_CHARS]
        row.save(update_fields=["error"])
        if isinstance(error, DeliveryFailed):
            raise
        raise DeliveryFailed(error.message, is_permanent=True) from error
    row.state, row.sent_at = NotificationState.SENT, now
    row.save(update_fields=["state", "sent_at"])
    return row


def not_found(channel_id: int) -> ChannelNotFound:
    return ChannelNotFound(
        f"There is no channel {channel_id}; list the channels to see their ids.",
        details={"id": channel_id},
    )


def _check(fields: Mapping[str, Any]) -> dict[str, Any]:
    known = ("name", "models_matching", "min_severity", "is_enabled")
    for field, value in fields.items():
        if field not in known:
            raise invalid(field, f"cannot be set; {', '.join((*known, 'config'))} can")
        if problem := _problem(field, value):
            raise invalid(field, problem)
    return dict(fields)


def _problem(field: str, value: object) -> str:
    if field == "is_enabled":
        return "" if isinstance(value, bool) else "must be true or false"
    if field == "min_severity":
        return "" if value in list(Severity) else f"must be one of {', '.join(Severity)}"
    if field == "models_matching":
        is_pattern = isinstance(value, str) and _PATTERN.fullmatch(value)
        return "" if is_pattern else "must be a pattern of namespace/name, such as acme/*"
    is_name = isinstance(value, str) and _NAME.fullmatch(value)
    return "" if is_name else "must be 1 to 80 letters, digits, blanks, dots, dashes"


def _save(row: Channel) -> Channel:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise ChannelExists(
            f"There is a channel {row.name!r} already: choose another name.",
            details={"name": row.name},
        ) from error
    return row
