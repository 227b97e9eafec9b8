"""A version's first predictions, once enough are collected, become its reference."""

from datetime import datetime, timedelta

import numpy as np
from django.conf import settings
from django.db.models import QuerySet

from monitoring.errors import InvalidReference
from monitoring.models import Exemplar, Reference, ReferenceState
from monitoring.references import work
from monitoring.references.making import Material, make
from monitoring.references.readers import FEWEST_TEXTS
from monitoring.traffic.sampling import sample_of_exemplars
from monitoring.traffic.spans import slot_of
from monitoring.traffic.windows import load_labels, load_sums

_TICK = timedelta(microseconds=1)
_BATCH = 500


def make_from_collected(row: Reference, *, now: datetime) -> bool:
    """Make the reference that `row` has collected predictions for; False where it has ended."""
    rows = list(_collected(row.model, row.version).order_by("at")[: row.n_wanted])
    if len(rows) < FEWEST_TEXTS:
        return _fail(row, len(rows))
    # Of repeats and cut texts only the sums know; they are of whole slots.
    sums = load_sums(row.model, row.version, start=slot_of(rows[0].at), end=rows[-1].at + _TICK)
    return make(
        row.pk,
        Material(
            sample=sample_of_exemplars(rows, load_labels([row.prediction for row in rows])),
            personal=np.array([bool(row.subject) for row in rows]),
            sums=sums,
            is_ordered=True,
            then=lambda: release(row.model, row.version),
        ),
        now=now,
    )


def _fail(row: Reference, n: int) -> bool:
    error = InvalidReference(
        f"Of {row.n_wanted} predictions that were collected {n} are left, the others were deleted; "
        f"{FEWEST_TEXTS} are needed. Collect anew.",
        details={"field": "n"},
    )
    if work.end(row.pk, error, state=ReferenceState.FAILED):
        release(row.model, row.version)
    return False


def release(model: str, version: int) -> None:
    """Give collected predictions back to the reservoir: its size stays, the others go."""
    collected = _collected(model, version)
    for slot_at in set(collected.values_list("slot_at", flat=True)):
        rows = Exemplar.objects.filter(model=model, version=version, slot_at=slot_at)
        lowest = rows.order_by("rank").values_list("pk", flat=True)
        kept = set(lowest[: settings.BELLWETHER_RESERVOIR_SIZE])
        extra = [pk for pk in collected.filter(slot_at=slot_at).values_list("pk", flat=True)
                 if pk not in kept]  # fmt: skip
        for start in range(0, len(extra), _BATCH):
            Exemplar.objects.filter(pk__in=extra[start : start + _BATCH]).delete()
    collected.update(is_collected=False)


def _collected(model: str, version: int) -> QuerySet[Exemplar]:
    return Exemplar.objects.filter(model=model, version=version, is_collected=True)
