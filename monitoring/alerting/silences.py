"""Silences: for a time, nobody is told of what matches. Alerts go on, and are told if they last."""

from datetime import datetime, timedelta

from django.db import transaction

from monitoring.alerting.services import check_note
from monitoring.errors import InvalidSilence, SilenceNotFound
from monitoring.models import MonitorKind, Notification, NotificationState, Silence

LONGEST = timedelta(days=90)
MAX_SILENCES = 1_000


def silence(
    *,
    until: datetime,
    actor: str,
    now: datetime,
    model: str = "",
    version: int | None = None,
    kind: str = "",
    note: str = "",
) -> Silence:
    """Tell nobody of matching alerts until then; empty fields match everything.

    Raises InvalidSilence.
    """
    if not now < until <= now + LONGEST:
        raise _invalid("until", f"must lie ahead, by {LONGEST.days} days at most")
    if kind and kind not in MonitorKind.values:
        raise _invalid("kind", f"must be one of {', '.join(MonitorKind.values)}")
    if version is not None and not model:
        raise _invalid("model", "is needed where a version is named")
    if Silence.objects.filter(until_at__gt=now).count() >= MAX_SILENCES:
        raise _invalid("until", f"cannot be: {MAX_SILENCES} silences hold already, end some first")
    return Silence.objects.create(
        model=model,
        version=version,
        kind=kind,
        until_at=until,
        created_at=now,
        created_by=actor,
        note=check_note(note),
    )


def unsilence(silence_id: int, *, now: datetime) -> None:
    """End a silence: what it kept back and still fires is told now. Raises SilenceNotFound."""
    with transaction.atomic():
        n_ended = Silence.objects.filter(pk=silence_id, until_at__gt=now).update(until_at=now)
        if not n_ended:
            raise SilenceNotFound(
                f"No silence {silence_id} holds; list the silences to see their ids.",
                details={"id": silence_id},
            )
        # Each is looked at again: another silence may match it too.
        Notification.objects.filter(
            state=NotificationState.QUEUED, was_silenced=True, due_at__gt=now
        ).update(due_at=now)


def _invalid(field: str, remedy: str) -> InvalidSilence:
    return InvalidSilence(f"{field!r} {remedy}.", details={"field": field})
