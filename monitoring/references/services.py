"""The only writer of references: asking for one, activating another, cancelling, going on."""

from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import transaction

from monitoring.errors import InvalidReference, ReferenceConflict
from monitoring.models import Reference, ReferenceChunk, ReferenceOrigin, ReferenceState
from monitoring.references import making, queries, shipped, work
from monitoring.references.accepting import release
from monitoring.references.making import AUTOMATIC, SHIPPED_BY
from monitoring.references.readers import FEWEST_TEXTS, Row, check_rows
from monitoring.references.upkeep import advance_one, is_due
from registry import queries as registry
from registry.specs import VersionSpec

MOST_COLLECTED = 20_000
MOST_PENDING = 4
LONGEST_NOTE = 500
_CHUNKS_A_QUERY = 100
_PENDING = (ReferenceState.QUEUED, ReferenceState.RUNNING)
_UNFINISHED = (*_PENDING, ReferenceState.COLLECTING)


def ask_with_texts(
    model: str,
    version: int | None,
    rows: Iterable[Row],
    *,
    actor: str,
    note: str = "",
    now: datetime,
) -> Reference:
    """Queue a reference of texts that a serving process runs through the version.

    `version` None is the live one. It becomes active when it is ready. Raises ModelNotFound,
    VersionNotFound, InvalidReference, UnknownLabel or ReferenceConflict.
    """
    spec = _version(model, version)
    checked = check_rows(rows, spec.labels, max_chars=settings.BELLWETHER_MAX_TEXT_CHARS)
    with transaction.atomic():
        _check_pending(model)
        row = _create(
            spec,
            ReferenceOrigin.TEXTS,
            ReferenceState.QUEUED,
            actor=actor,
            note=note,
            n_wanted=len(checked),
            now=now,
        )
        starts = range(0, len(checked), work.CHUNK)
        chunks = (
            ReferenceChunk(reference=row, index=index, inputs=checked[start : start + work.CHUNK])
            for index, start in enumerate(starts)
        )
        ReferenceChunk.objects.bulk_create(chunks, batch_size=_CHUNKS_A_QUERY)
    return row


def ask_with_accepted(
    model: str, version: int | None, n: int, *, actor: str, note: str = "", now: datetime
) -> Reference:
    """Collect the version's next `n` predictions, which are to be taken as normal.

    Raises as `ask_with_texts` does; one collection at a time.
    """
    if not FEWEST_TEXTS <= n <= MOST_COLLECTED:
        raise InvalidReference(
            f"'n' must be from {FEWEST_TEXTS} to {MOST_COLLECTED} predictions.",
            details={"field": "n"},
        )
    spec = _version(model, version)
    with transaction.atomic():
        collecting = Reference.objects.filter(
            model=spec.model, version=spec.number, state=ReferenceState.COLLECTING
        )
        if id := collecting.values_list("pk", flat=True).first():
            raise ReferenceConflict(
                f"Reference {id} collects predictions of {spec.model} version {spec.number} "
                "already: wait for it, or cancel it.",
                details={"reference": id},
            )
        return _create(
            spec,
            ReferenceOrigin.ACCEPTED,
            ReferenceState.COLLECTING,
            actor=actor,
            note=note,
            n_wanted=n,
            now=now,
        )


def ask_with_shipped(
    model: str, version: int | None, *, actor: str, note: str = "", now: datetime
) -> Reference:
    """Queue a reference of the statistics among the version's files, for a worker to make.

    Files that are no good make it fail with the reason. Raises ModelNotFound, VersionNotFound,
    and InvalidReference where there are no such files.
    """
    spec = _version(model, version)
    if not shipped.has_shipped(spec.view):
        raise InvalidReference(
            f"{spec.model} version {spec.number} has no {shipped.FACTS} and {shipped.ARRAYS} "
            "among its files.",
            details={"field": "origin"},
        )
    return _create(
        spec,
        ReferenceOrigin.SHIPPED,
        ReferenceState.RUNNING,
        actor=actor,
        note=note,
        n_wanted=0,
        now=now,
    )


def activate(model: str, id: int, *, actor: str, reason: str = "", now: datetime) -> Reference:
    """Let a ready reference be the one that its version's traffic is compared with; audited.

    Nothing happens to one that is active. Raises ReferenceNotFound or ReferenceConflict.
    """
    with transaction.atomic():
        queries.find(model, id)
        row = making.lock(id)
        if row.state != ReferenceState.READY:
            raise ReferenceConflict(
                f"Reference {id} is {row.state}; only a ready one can be activated.",
                details={"reference": id, "state": row.state},
            )
        if not row.is_active:
            making.activate(row, actor=actor, reason=_note(reason), now=now)
    return queries.find(model, id)


def cancel(model: str, id: int) -> Reference:
    """Stop a reference in the making and forget its texts. Raises ReferenceNotFound, and
    ReferenceConflict when it has ended.
    """
    row = queries.find(model, id)
    with transaction.atomic():
        if not work.end(id, None, state=ReferenceState.CANCELLED):
            state = queries.find(model, id).state
            raise ReferenceConflict(
                f"Reference {id} is {state}: there is nothing to cancel.",
                details={"reference": id, "state": state},
            )
        if row.origin == ReferenceOrigin.ACCEPTED:
            release(row.model, row.version)
    return queries.find(model, id)


def ensure_reference(model: str, version: int, now: datetime) -> None:
    """See to it that a version has a reference, or is on its way to one.

    A version with statistics among its files gets those; otherwise its first predictions are
    collected, unless that was done, or stopped, before. What is collected is made a reference as
    soon as it is complete. One query when there is nothing to do. Raises ModelNotFound or
    VersionNotFound.
    """
    rows = list(
        Reference.objects.filter(model=model, version=version)
        .defer("payload", "summary", "error_message")
        .order_by("-id")
    )
    for row in rows:
        if is_due(row):
            advance_one(row, now=now)
            return
    if any(row.is_active or row.state in _UNFINISHED for row in rows):
        return
    tried = {row.origin for row in rows}
    spec = registry.load_version(model, version)
    if ReferenceOrigin.SHIPPED not in tried and shipped.has_shipped(spec.view):
        row = ask_with_shipped(model, version, actor=SHIPPED_BY, now=now)
        if advance_one(row, now=now):
            return
    size = settings.BELLWETHER_REFERENCE_SIZE
    if size and ReferenceOrigin.ACCEPTED not in tried:
        try:
            ask_with_accepted(model, version, size, actor=AUTOMATIC, now=now)
        except ReferenceConflict:
            return  # Somebody was quicker.


def _version(model: str, version: int | None) -> VersionSpec:
    if version is None:
        spec = registry.load_live_version(model)
    else:
        spec = registry.load_version(model, version)
    if spec is None:
        raise InvalidReference(
            f"{model} has no live version: name the one that the reference is of.",
            details={"field": "version"},
        )
    return spec


def _check_pending(model: str) -> None:
    ids = Reference.objects.filter(model=model, state__in=_PENDING).values_list("pk", flat=True)
    pending = list(ids[:MOST_PENDING])
    if len(pending) == MOST_PENDING:
        raise ReferenceConflict(
            f"{MOST_PENDING} references of {model} are in the making: wait for one, or cancel one.",
            details={"references": pending},
        )


def _create(
    spec: VersionSpec,
    origin: ReferenceOrigin,
    state: ReferenceState,
    *,
    actor: str,
    note: str,
    n_wanted: int,
    now: datetime,
) -> Reference:
    return Reference.objects.create(
        model=spec.model,
        version=spec.number,
        origin=origin,
        state=state,
        note=_note(note),
        n_wanted=n_wanted,
        created_by=actor[:200],
        created_at=now,
    )


def _note(text: str) -> str:
    stripped = text.strip()
    if len(stripped) > LONGEST_NOTE or not all(c.isprintable() or c in "\n\t" for c in stripped):
        raise InvalidReference(
            f"'note' must be at most {LONGEST_NOTE} printable characters.",
            details={"field": "note"},
        )
    return stripped
