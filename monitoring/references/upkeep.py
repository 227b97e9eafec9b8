"""What goes on by itself: references that wait to be made, texts that were kept long enough."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, transaction
from django.db.models import F, Q

from monitoring.drift.reference import decode, encode, without_texts
from monitoring.errors import InvalidReference
from monitoring.models import Reference, ReferenceOrigin, ReferenceState
from monitoring.references import shipped, work
from monitoring.references.accepting import make_from_collected
from monitoring.references.making import Material, make, make_from_texts
from monitoring.references.samples import without_seconds
from registry import queries as registry
from registry.errors import RegistryError

log = logging.getLogger(__name__)

# What waits to be made: all texts are answered, all predictions collected; and a shipped one, if
# the process that read its files died.
_WORKED_ON = (ReferenceState.RUNNING, ReferenceState.COLLECTING)
_IS_DUE = Q(state__in=_WORKED_ON, n_done__gte=F("n_wanted"))


def has_due() -> bool:
    """Whether a reference waits to be made: one small query."""
    return Reference.objects.filter(_IS_DUE).exists()


def advance(*, now: datetime) -> int:
    """Make every reference that waits for it; returns how many became ready.

    Several processes may do this at once: the first one counts.
    """
    due = Reference.objects.filter(_IS_DUE).defer("payload").order_by("id")
    return sum(advance_one(row, now=now) for row in list(due))


def is_due(row: Reference) -> bool:
    return row.state in _WORKED_ON and row.n_done >= row.n_wanted


def advance_one(row: Reference, *, now: datetime) -> bool:
    """Make a reference that is due; False where it failed, or has ended meanwhile.

    A bug fails it too: tried again for ever, it would hold up all that comes after.
    """
    try:
        return _make(row, now)
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        log.exception("bug while %s was made", row)
        error = InvalidReference(
            "Something went wrong on our side; the server's log says what.", details={"field": ""}
        )
        work.end(row.pk, error, state=ReferenceState.FAILED)
        return False


def _make(row: Reference, now: datetime) -> bool:
    if row.origin == ReferenceOrigin.ACCEPTED:
        return make_from_collected(row, now=now)
    if row.origin == ReferenceOrigin.TEXTS:
        return make_from_texts(row.pk, now=now)
    return _make_from_shipped(row, now)


def _make_from_shipped(row: Reference, now: datetime) -> bool:
    try:
        spec = registry.load_version(row.model, row.version)
        sample = shipped.load_sample(spec.view, spec.labels)
    except (RegistryError, InvalidReference) as error:
        log.warning("%s: its files are no reference: %s", row, error.message)
        work.end(row.pk, error, state=ReferenceState.FAILED)
        return False
    # Whoever wrote the files measured no waiting time.
    return make(row.pk, Material(sample=without_seconds(sample)), now=now)


def drop_old_texts(*, now: datetime) -> int:
    """Take the texts out of references made of callers' predictions beyond the retention time.

    Their numbers stay. Returns how many references were changed.
    """
    before = now - timedelta(days=settings.BELLWETHER_RETENTION_DAYS)
    old = Reference.objects.filter(
        origin=ReferenceOrigin.ACCEPTED,
        state=ReferenceState.READY,
        ready_at__lt=before,
        summary__n_texts__gt=0,
    )
    ids = list(old.values_list("pk", flat=True))
    for id in ids:
        _drop_texts(id)
    return len(ids)


def _drop_texts(id: int) -> None:
    with transaction.atomic():
        row = Reference.objects.select_for_update(no_key=True).get(pk=id)
        reference = decode(bytes(row.payload or b""))
        if reference.sample is not None:
            row.payload = encode(replace(reference, sample=without_texts(reference.sample)))
        row.summary = row.summary | {"n_texts": 0}
        row.save(update_fields=["payload", "summary"])
