"""What must be said again and again: Alertmanager forgets what it is not reminded of.

Each minute every such channel gets the alerts that it was told of and that still fire. A failure is
logged and made good a minute later.
"""

import logging
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from access.errors import BellwetherError
from monitoring.alerting.channels import make_notifier
from monitoring.alerting.messages import message_of_alert
from monitoring.models import (
    Alert,
    AlertState,
    Channel,
    ChannelKind,
    Notification,
    NotificationState,
)
from monitoring.notifiers.alertmanager import RESEND_EVERY, AlertmanagerNotifier

log = logging.getLogger(__name__)

MOST_ALERTS = 500


def is_due(now: datetime) -> bool:
    """Whether a channel waits for its minute and has something to hear."""
    return any(_still_firing(channel).exists() for channel in _due(now))


def sync_due(now: datetime) -> int:
    """Remind every channel whose minute has come; returns how many were."""
    n_synced = 0
    for channel in _due(now):
        if _due(now).filter(pk=channel.pk).update(synced_at=now):
            n_synced += _sync(channel, now)
    return n_synced


def _sync(channel: Channel, now: datetime) -> bool:
    alerts = _still_firing(channel)[:MOST_ALERTS]
    messages = [message_of_alert(alert, id=f"{alert.pk}-{now.timestamp():.0f}") for alert in alerts]
    try:
        notifier = make_notifier(channel)
        if not messages or not isinstance(notifier, AlertmanagerNotifier):
            return False
        notifier.send_again(messages)
    except BellwetherError as error:
        log.warning("channel %s was not reminded: %s", channel.name, error.message)
        return False
    return True


def _due(now: datetime) -> QuerySet[Channel]:
    is_time = Q(synced_at=None) | Q(synced_at__lte=now - RESEND_EVERY)
    return Channel.objects.filter(is_time, kind=ChannelKind.ALERTMANAGER, is_enabled=True)


def _still_firing(channel: Channel) -> QuerySet[Alert]:
    told = Notification.objects.filter(
        channel=channel, transition__alert=OuterRef("pk"), state=NotificationState.SENT
    )
    return Alert.objects.filter(Exists(told), state=AlertState.FIRING).order_by("pk")
