"""The readers of references. Decoding one takes milliseconds, so a few decoded ones are kept."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Length

from monitoring.drift.reference import Reference, decode
from monitoring.errors import ReferenceNotFound
from monitoring.models import Reference as Row
from registry import queries as registry

CACHED = 16
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ActiveReference:
    """What the traffic of `version` is compared with now; `reference` is shared: do not change
    its arrays.
    """

    id: int
    model: str
    version: int
    origin: str
    ready_at: datetime
    reference: Reference


def load_active(model: str, version: int) -> ActiveReference | None:
    """The active reference of a version; None where it has none (yet)."""
    found = (
        Row.objects.filter(model=model, version=version, is_active=True)
        .annotate(size=Length("payload"))
        .values_list("id", "size", "origin", "ready_at", "summary")
        .first()
    )
    if found is None:
        return None
    id, size, origin, ready_at, summary = found
    assert ready_at is not None  # noqa: S101 - only what is ready is ever active
    return ActiveReference(
        id=id,
        model=model,
        version=version,
        origin=origin,
        ready_at=ready_at,
        reference=_decoded(id, f"{size} {ready_at} {summary}"),
    )


def list_references(model: str, version: int | None = None) -> QuerySet[Row]:
    """A model's references, newest first, without their payloads. Raises ModelNotFound."""
    registry.load_model(model)
    rows = _light(Row.objects.filter(model=model))
    if version is not None:
        rows = rows.filter(version=version)
    return rows.order_by("-id")


def find(model: str, id: int) -> Row:
    """One reference of a model, without its payload. Raises ReferenceNotFound."""
    row = _light(Row.objects.filter(model=model, pk=id)).first() if id <= _LARGEST_ID else None
    if row is None:
        raise ReferenceNotFound(
            f"{model} has no reference {id}. GET …/references lists those it has.",
            details={"model": model, "reference": id},
        )
    return row


def _light(rows: QuerySet[Row]) -> QuerySet[Row]:
    return rows.defer("payload")


def forget() -> None:
    """Decode anew what is asked for next: for benchmarks."""
    _decoded.cache_clear()


@lru_cache(maxsize=CACHED)
def _decoded(id: int, stamp: str) -> Reference:
    # What else is known of it is part of the key: texts may be taken out of a reference later, and
    # in a database that was emptied or restored its number can be another one's.
    payload: Any = Row.objects.values_list("payload", flat=True).get(pk=id)
    return decode(bytes(payload))
