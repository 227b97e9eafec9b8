"""The only writer of alerts: a signal moves its alert, and what must be told goes to the outbox.

Everything that a signal changes (the alert, its transitions, a notification for each channel) is
one transaction, the caller's own; delivery is `monitoring.alerting.outbox`'s.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction

from monitoring.alerting import matching
from monitoring.alerting.rows import as_incident, as_standing, pack_tallies
from monitoring.alerting.signals import Policy, Signal
from monitoring.alerting.states import RELAPSE, Change, Incident, Opinion, State, Step, close, step
from monitoring.errors import AlertIsOver, AlertNotFound, InvalidFilter
from monitoring.models import (
    Alert,
    AlertState,
    Evaluation,
    Notification,
    NotificationState,
    Transition,
)

MAX_DETAILS_CHARS = 16_384
MAX_REASON_CHARS = 500
OPEN = (AlertState.PENDING, AlertState.FIRING)
_KEY = ("model", "version", "kind")
_NUMBERS = ("n_window", "n_reference", "value", "threshold", "p_value", "effect")


def take(signal: Signal, policy: Policy, *, now: datetime) -> None:
    """Move the alert of (model, version, kind) as `signal` says.

    Belongs into the transaction that keeps the evaluation. Several evaluators may take signals at
    once: they wait for each other's row, and only one can open an alert.
    """
    with transaction.atomic():
        alert = _load(signal)
        if alert is None and not signal.verdict.is_bad:
            return
        last = _load_last(signal, now) if signal.verdict.is_bad else None
        if alert is None:
            alert = _open_row(signal, now)
        _advance(alert, signal, policy, last, now)


def resolve_for_version(
    model: str, version: int, *, reason: str, now: datetime, actor: str = ""
) -> int:
    """End every alert of a version, because it is no longer live; returns how many ended."""
    with transaction.atomic():
        rows = _locked().filter(model=model, version=version, state__in=OPEN).order_by("pk")
        return _close_all(rows, reason, now, actor)


def end_source(model: str, source: str, *, reason: str, now: datetime, actor: str = "") -> int:
    """Forget what a source has said, because it says nothing any more (a monitor was deleted or
    switched off). Alerts that rested on it alone end; returns how many.
    """
    with transaction.atomic():
        rows = _locked().filter(model=model, state__in=OPEN).order_by("pk")
        touched = [row for row in rows if source in row.tallies]
        for row in touched:
            del row.tallies[source]
            row.save(update_fields=["tallies"])
        return _close_all([row for row in touched if not row.tallies], reason, now, actor)


def acknowledge(alert_id: UUID, *, actor: str, now: datetime, note: str = "") -> Alert:
    """Somebody takes care of a firing alert: it is no longer pressed upon people.

    Again changes nothing but the note. Raises AlertNotFound or AlertIsOver.
    """
    with transaction.atomic():
        alert: Alert | None = _locked().filter(id=alert_id).first()
        if alert is None:
            raise AlertNotFound(
                f"There is no alert {alert_id}; list the alerts to see their ids.",
                details={"id": str(alert_id)},
            )
        if alert.state != AlertState.FIRING:
            raise AlertIsOver(
                f"The alert is {alert.state}: only one that fires can be acknowledged.",
                details={"state": alert.state},
            )
        alert.note = check_note(note) or alert.note
        if alert.acknowledged_at is None:
            alert.acknowledged_at, alert.acknowledged_by = now, actor
        alert.save(update_fields=["note", "acknowledged_at", "acknowledged_by"])
    return alert


def check_note(note: str) -> str:
    """The note as it is kept. Raises InvalidFilter for one that is too long."""
    if len(note) > MAX_REASON_CHARS or "\x00" in note:
        raise InvalidFilter(
            f"'note' must be at most {MAX_REASON_CHARS} characters, without NUL.",
            details={"field": "note"},
        )
    return note


def _locked() -> Any:
    return Alert.objects.select_for_update(no_key=True)


def _load(signal: Signal) -> Alert | None:
    """The alert that the signal speaks of, locked: an open one, or one that never fired."""
    row: Alert | None = (
        _locked()
        .filter(model=signal.model, version=signal.version, kind=signal.kind)
        .exclude(state=AlertState.RESOLVED)
        .order_by("pk")
        .first()
    )
    return row


def _load_last(signal: Signal, now: datetime) -> Incident | None:
    recent = Alert.objects.filter(
        model=signal.model,
        version=signal.version,
        kind=signal.kind,
        state=AlertState.RESOLVED,
        resolved_at__gt=now - RELAPSE,
        # What was closed while it was bad had not seemed well.
        n_good__gt=0,
    )
    return as_incident(list(recent.order_by("-resolved_at").only("severity", "resolved_at")))


def _open_row(signal: Signal, now: datetime) -> Alert:
    """A row to begin with; another evaluator may have made it in this very moment."""
    fresh = Alert(
        **{name: getattr(signal, name) for name in _KEY},
        state=AlertState.INACTIVE,
        severity=signal.severity,
        opened_at=now,
        seen_at=now,
    )
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:
        found = _load(signal)
        if found is None:
            raise
        return found
    return fresh


def _advance(
    alert: Alert, signal: Signal, policy: Policy, last: Incident | None, now: datetime
) -> None:
    opinion = Opinion(
        source=_source_of(signal), verdict=signal.verdict, severity=signal.severity, at=signal.at
    )
    before = as_standing(alert)
    taken = step(before, opinion, policy, last)
    if taken.standing == before and not taken.changes:
        Alert.objects.filter(pk=alert.pk).update(seen_at=now)
        return
    if signal.verdict.is_bad:
        alert.summary = signal.summary[:MAX_REASON_CHARS]
        alert.details = _bounded({**_numbers(signal), **signal.details})
    alert.evaluation = signal.evaluation or alert.evaluation
    tally = taken.standing.tallies.get(opinion.source)
    alert.n_bad = tally.n_bad if tally else 0
    alert.n_good = tally.n_good if tally else alert.n_good + 1
    _keep(alert, taken, signal.summary, now)


def _close_all(rows: Iterable[Alert], reason: str, now: datetime, actor: str) -> int:
    n_closed = 0
    for alert in rows:
        alert.n_good = 0
        _keep(alert, close(as_standing(alert)), reason, now, actor)
        n_closed += 1
    return n_closed


def _keep(alert: Alert, taken: Step, reason: str, now: datetime, actor: str = "") -> None:
    alert.state, alert.severity = taken.standing.state, taken.standing.severity
    alert.tallies, alert.seen_at = pack_tallies(taken.standing.tallies), now
    for change in taken.changes:
        _stamp(alert, change, now)
    alert.save()
    for change in taken.changes:
        transition = Transition.objects.create(
            alert=alert,
            at=now,
            from_state=change.from_state,
            to_state=change.to_state,
            severity=change.severity,
            severity_before=change.before or "",
            is_told=change.is_told,
            reason=reason[:MAX_REASON_CHARS],
            actor=actor,
            details=alert.details,
        )
        if change.is_told:
            _notify(alert, transition, now)


def _stamp(alert: Alert, change: Change, now: datetime) -> None:
    if change.to_state is State.PENDING:
        alert.opened_at = now
    elif change.to_state is State.RESOLVED:
        alert.resolved_at = now
    elif change.to_state is State.FIRING and change.from_state is State.PENDING:
        alert.fired_at = now


def _notify(alert: Alert, transition: Transition, now: datetime) -> None:
    """Queue it for each channel that wants it; who heard that the alert fired hears its end."""
    heard = Notification.objects.filter(transition__alert=alert).values_list("channel", flat=True)
    channels = set(heard)
    if transition.to_state != AlertState.RESOLVED:
        channels |= {row.pk for row in matching.load_channels(alert)}
    Notification.objects.bulk_create(
        Notification(
            channel_id=pk,
            transition=transition,
            state=NotificationState.QUEUED,
            due_at=now,
            created_at=now,
        )
        for pk in sorted(channels)
    )


def _source_of(signal: Signal) -> str:
    if signal.source or signal.evaluation is None:
        return signal.source
    rows = Evaluation.objects.filter(pk=signal.evaluation).values_list("monitor_id", flat=True)
    monitor = rows.first()
    return f"monitor {monitor}" if monitor else ""


def _numbers(signal: Signal) -> dict[str, Any]:
    """What the evaluation measured: people want to read it where they are told."""
    if signal.evaluation is None:
        return {}
    found = Evaluation.objects.filter(pk=signal.evaluation).values(*_NUMBERS).first() or {}
    return {name: value for name, value in found.items() if value is not None}


def _bounded(details: Mapping[str, Any]) -> dict[str, Any]:
    size = len(json.dumps(dict(details), default=str))
    if size > MAX_DETAILS_CHARS:
        return {"left_out": f"{size} characters; the evaluation has them"}
    return dict(details)
