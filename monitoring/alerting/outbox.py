"""Delivery of what was decided: each transition once to each channel, with retries.

A worker claims a notification by a conditional update, so of two workers one sends it. One that
dies between sending and marking may send twice: the notification's id goes along as idempotency
key. A channel is told of one alert in order. A failure is tried again later and later, for hours;
one that trying cannot mend disables its channel. What is not sent says why.
"""

import logging
import random
import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import F, Q, QuerySet

from access.errors import BellwetherError
from monitoring.alerting import matching, syncing
from monitoring.alerting.channels import make_notifier
from monitoring.alerting.messages import message_of
from monitoring.errors import DeliveryFailed
from monitoring.models import AlertState, Channel, Notification, NotificationState, Transition
from monitoring.severity import Severity

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 8
FIRST_RETRY_S, RETRY_FACTOR, LONGEST_RETRY_S = 30.0, 3.0, 4 * 3600.0
JITTER = 0.2
"""Retries come this share earlier or later, so that channels that failed together part."""
MOST_AT_ONCE = 100
LONGEST_RUN_S = 120.0
CLAIM = timedelta(seconds=300)
"""Longer than a run can take: who holds a claim for longer has died."""
MAX_ERROR_CHARS = 500


def is_due(now: datetime) -> bool:
    """Whether `deliver_due` would have something to do."""
    return _due(now).exists() or syncing.is_due(now)


def deliver_due(now: datetime, *, rng: random.Random | None = None) -> int:
    """Send what is due, oldest first; returns how many notifications went out.

    Takes two minutes at most, and 10 s more for the delivery that runs then; the rest is left for
    the next call. One channel's failure holds back only that channel.
    """
    rng = rng or random.Random()  # noqa: S311 - spreads retries, keeps no secret
    deadline, n_sent, failed = time.monotonic() + LONGEST_RUN_S, 0, set[int]()
    for row in _pending(now, deadline):
        if row.channel_id in failed or _is_put_off(row, now) or not _claim(row, now):
            continue
        if _deliver(row, now, rng):
            n_sent += 1
        else:
            failed.add(row.channel_id)
    syncing.sync_due(now)
    return n_sent


def retry_after_s(n_attempts: int, rng: random.Random) -> float:
    """Seconds until the next try after `n_attempts` have failed: 30 s, 90 s, … 4 h, ± 20 %."""
    wait_s = min(FIRST_RETRY_S * RETRY_FACTOR ** (n_attempts - 1), LONGEST_RETRY_S)
    return wait_s * rng.uniform(1 - JITTER, 1 + JITTER)


def _pending(now: datetime, deadline: float) -> Iterator[Notification]:
    """Due ones in order; each is read only when its turn comes: what went before may matter."""
    for pk in list(_due(now).values_list("pk", flat=True)[:MOST_AT_ONCE]):
        if time.monotonic() > deadline:
            return
        if row := _due(now).select_related("channel", "transition__alert").filter(pk=pk).first():
            yield row


def _due(now: datetime) -> QuerySet[Notification]:
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    return Notification.objects.filter(
        free, state=NotificationState.QUEUED, due_at__lte=now
    ).order_by("due_at", "pk")


def _is_put_off(row: Notification, now: datetime) -> bool:
    """Withhold what must not be sent, and put off what must not be sent yet."""
    if reason := _why_never(row):
        _settle(row, NotificationState.WITHHELD, error=reason)
        return True
    transition = row.transition
    if transition is None:
        return False
    if first := _earlier(row).order_by("pk").first():
        due_at = max(row.due_at, first.due_at)
        Notification.objects.filter(pk=row.pk, state=NotificationState.QUEUED).update(due_at=due_at)
        return True
    if transition.to_state == AlertState.FIRING and (
        until := matching.load_silenced_until(transition.alert, now)
    ):
        Notification.objects.filter(pk=row.pk, state=NotificationState.QUEUED).update(
            due_at=until, was_silenced=True, error=f"silenced until {until:%Y-%m-%d %H:%M} UTC"
        )
        return True
    return False


def _why_never(row: Notification) -> str:
    """Why nobody should be told of this any more; empty if they should."""
    transition = row.transition
    if not row.channel.is_enabled and not row.is_test:
        return "the channel is disabled"
    if transition is None:
        return ""
    if transition.to_state == AlertState.RESOLVED:
        return "" if _was_told(row, transition) else "it was not told here that the alert fired"
    alert = transition.alert
    if row.was_silenced and alert.state != AlertState.FIRING:
        return "the alert was over before the silence"
    is_rise = bool(transition.severity_before)
    if is_rise and alert.acknowledged_at and transition.severity != Severity.CRITICAL:
        return f"acknowledged by {alert.acknowledged_by}"
    return ""


def _was_told(row: Notification, transition: Transition) -> bool:
    earlier = Notification.objects.filter(
        channel=row.channel_id, transition__alert=transition.alert_id, pk__lt=row.pk
    )
    told = (NotificationState.SENT, NotificationState.QUEUED)
    return earlier.filter(state__in=told).exists()


def _earlier(row: Notification) -> QuerySet[Notification]:
    """What the same channel must hear of the same alert first."""
    assert row.transition is not None  # noqa: S101 - the caller has looked
    return Notification.objects.filter(
        channel=row.channel_id,
        transition__alert=row.transition.alert_id,
        state=NotificationState.QUEUED,
        pk__lt=row.pk,
    )


def _claim(row: Notification, now: datetime) -> bool:
    n_claimed = (
        _due(now)
        .filter(pk=row.pk)
        .order_by()
        .update(claimed_until=now + CLAIM, n_attempts=F("n_attempts") + 1)
    )
    return n_claimed == 1


def _deliver(row: Notification, now: datetime, rng: random.Random) -> bool:
    try:
        make_notifier(row.channel).send(message_of(row))
    except DeliveryFailed as error:
        _fail(row, error.message, error.is_permanent, now, rng)
        return False
    except BellwetherError as error:
        _fail(row, error.message, True, now, rng)
        return False
    except Exception as error:
        # Whatever a channel's library raises must not keep the other channels waiting.
        log.exception("channel %s raised what no channel should", row.channel.name)
        _fail(row, f"unexpected {type(error).__name__}", False, now, rng)
        return False
    _settle(row, NotificationState.SENT, sent_at=now, error="")
    return True


def _fail(
    row: Notification, problem: str, is_permanent: bool, now: datetime, rng: random.Random
) -> None:
    problem, n_attempts = problem[:MAX_ERROR_CHARS], row.n_attempts + 1
    log.warning("channel %s, attempt %d: %s", row.channel.name, n_attempts, problem)
    if is_permanent:
        Channel.objects.filter(pk=row.channel_id).update(is_enabled=False, disabled_reason=problem)
    if is_permanent or n_attempts >= MAX_ATTEMPTS:
        _settle(row, NotificationState.DEAD, error=problem)
        return
    due_at = now + timedelta(seconds=retry_after_s(n_attempts, rng))
    _settle(row, NotificationState.QUEUED, due_at=due_at, error=problem)


def _settle(row: Notification, state: NotificationState, **changes: object) -> None:
    Notification.objects.filter(pk=row.pk, state=NotificationState.QUEUED).update(
        state=state, claimed_until=None, **changes
    )
