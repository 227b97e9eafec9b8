"""What a notification says, made from its rows."""

from django.conf import settings

from monitoring.models import Alert, AlertState, Notification, Transition
from monitoring.notifiers.base import Event, Message
from monitoring.severity import Severity

ALERT_PATH = "/admin/alerts/{id}/"


def message_of(row: Notification) -> Message:
    """The message of a notification whose channel, transition and alert are loaded."""
    if row.transition is None:
        return trial_message(row)
    return message_of_transition(row.transition, id=str(row.pk))


def message_of_transition(transition: Transition, *, id: str) -> Message:
    alert = transition.alert
    before = transition.severity_before
    return Message(
        id=id,
        event=_event_of(transition),
        alert=str(alert.pk),
        model=alert.model,
        version=alert.version,
        kind=alert.kind,
        severity=Severity(transition.severity),
        before=Severity(before) if before else None,
        summary=transition.reason or alert.summary,
        details=transition.details,
        at=transition.at,
        fired_at=alert.fired_at or alert.opened_at,
        resolved_at=alert.resolved_at,
        link=link_of(alert),
    )


def message_of_alert(alert: Alert, *, id: str) -> Message:
    """The message of an alert as it stands, for channels that are told again and again."""
    return Message(
        id=id,
        event=Event.FIRING,
        alert=str(alert.pk),
        model=alert.model,
        version=alert.version,
        kind=alert.kind,
        severity=Severity(alert.severity),
        summary=alert.summary,
        details=alert.details,
        at=alert.seen_at,
        fired_at=alert.fired_at or alert.opened_at,
        link=link_of(alert),
    )


def trial_message(row: Notification) -> Message:
    return Message(
        id=f"test-{row.pk}",
        event=Event.TEST,
        alert="",
        model="bellwether/test",
        version=0,
        kind="test",
        severity=Severity.INFO,
        summary="This is a test of the channel: nothing is wrong.",
        at=row.created_at,
        fired_at=row.created_at,
        link=settings.BELLWETHER_PUBLIC_URL,
    )


def link_of(alert: Alert) -> str:
    """Where people read on; empty where the server does not know its own address."""
    base: str = settings.BELLWETHER_PUBLIC_URL
    return base + ALERT_PATH.format(id=alert.pk) if base else ""


def _event_of(transition: Transition) -> Event:
    if transition.to_state == AlertState.RESOLVED:
        return Event.RESOLVED
    return Event.WORSE if transition.severity_before else Event.FIRING
