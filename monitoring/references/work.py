"""Texts of references that wait for their version: the source of `inference.passes.PassRunner`.

A reference is worked on chunk by chunk under a lease, so that a killed process costs one chunk.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Greatest

from access.errors import BellwetherError
from inference.records import PredictionRecord
from monitoring.errors import ReferenceGaveUp
from monitoring.models import Reference, ReferenceChunk, ReferenceState

# At most half the smallest queue (BELLWETHER_MAX_QUEUE): what such work may fill.
CHUNK = 32
LEASE_S = 10.0
MAX_ATTEMPTS = 5
_LOOKED_AT = 4
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[PredictionRecord])


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One chunk of a reference, held by `owner`."""

    reference: int
    index: int
    owner: str
    model: str
    version: int
    texts: tuple[str, ...]

    @property
    def request_id(self) -> str:
        return f"reference-{self.reference}"


class Texts:
    """The chunks that wait in the database."""

    lease_s = LEASE_S

    def claim(self, owner: str, *, now: datetime) -> Pass | None:
        """The next chunk of the reference that `owner` has, else of the oldest that is free."""
        # Before the first text, and again after the last, there is nothing to run.
        waiting = Reference.objects.filter(n_done__lt=F("n_wanted"))
        running = waiting.filter(state=ReferenceState.RUNNING)
        if mine := running.filter(owner=owner, leased_until__gte=now).defer("payload").first():
            return _next_chunk(mine, owner)
        is_free = Q(state=ReferenceState.QUEUED) | Q(
            state=ReferenceState.RUNNING, leased_until__lt=now
        )
        for row in waiting.filter(is_free).defer("payload").order_by("id")[:_LOOKED_AT]:
            if row.n_attempts >= MAX_ATTEMPTS:
                end(row.id, _gave_up(), state=ReferenceState.FAILED)
            elif _take(waiting.filter(is_free), row, owner, now):
                return _next_chunk(row, owner)
        return None

    def renew(self, held: Pass, *, now: datetime) -> bool:
        return bool(_held(held).update(leased_until=now + timedelta(seconds=LEASE_S)))

    def finish(self, held: Pass, records: Sequence[PredictionRecord], *, now: datetime) -> None:
        if len(records) != len(held.texts):
            raise ValueError(f"{len(records)} answers to {len(held.texts)} texts")
        with transaction.atomic():
            done = _held(held).update(
                n_done=F("n_done") + len(records),
                n_attempts=0,
                leased_until=now + timedelta(seconds=LEASE_S),
            )
            if done:
                ReferenceChunk.objects.filter(
                    reference_id=held.reference, index=held.index, results__isnull=True
                ).update(results=pack_records(records))

    def fail(self, held: Pass, error: BellwetherError, *, now: datetime) -> None:
        if _held(held).exists():
            end(held.reference, located(error, held.index), state=ReferenceState.FAILED)

    def release(self, held: Pass) -> None:
        _held(held).update(
            state=ReferenceState.QUEUED,
            owner="",
            leased_until=None,
            n_attempts=Greatest(F("n_attempts") - 1, 0),
        )


def end(id: int, error: BellwetherError | None, *, state: ReferenceState) -> bool:
    """Close a reference that is not ready and forget its texts; False where it has ended."""
    unfinished = (ReferenceState.QUEUED, ReferenceState.RUNNING, ReferenceState.COLLECTING)
    with transaction.atomic():
        ended = Reference.objects.filter(pk=id, state__in=unfinished).update(
            state=state,
            owner="",
            leased_until=None,
            error_code=error.code if error else "",
            error_message=error.message if error else "",
        )
        if ended:
            ReferenceChunk.objects.filter(reference_id=id).delete()
    return bool(ended)


def load_answers(id: int) -> tuple[list[PredictionRecord], list[str | None]]:
    """The answers to a reference's texts, in order, and the labels that came with the texts."""
    records: list[PredictionRecord] = []
    labels: list[str | None] = []
    chunks = ReferenceChunk.objects.filter(reference_id=id, results__isnull=False)
    for inputs, results in chunks.order_by("index").values_list("inputs", "results"):
        records += unpack_records(bytes(results or b""))
        labels += [label for _, label in inputs]
    return records, labels


def pack_records(records: Sequence[PredictionRecord]) -> bytes:
    return zlib.compress(_encoder.encode(records), 1)


def unpack_records(data: bytes) -> list[PredictionRecord]:
    return _decoder.decode(zlib.decompress(data))


def located(error: BellwetherError, index: int) -> BellwetherError:
    """`error` with the number of the text that it is about, where it is about one."""
    place = error.details.get("index")
    if isinstance(place, int):
        error.message = f"Text {index * CHUNK + place + 1} cannot be answered: {error.message}"
    return error


def _take(free: Any, row: Reference, owner: str, now: datetime) -> bool:
    taken = free.filter(pk=row.pk, n_attempts=row.n_attempts).update(
        state=ReferenceState.RUNNING,
        owner=owner,
        leased_until=now + timedelta(seconds=LEASE_S),
        n_attempts=F("n_attempts") + 1,
    )
    return bool(taken)


def _next_chunk(row: Reference, owner: str) -> Pass | None:
    chunks = ReferenceChunk.objects.filter(reference=row, results__isnull=True)
    chunk = chunks.order_by("index").first()
    if chunk is None:
        return None
    return Pass(
        reference=row.pk,
        index=chunk.index,
        owner=owner,
        model=row.model,
        version=row.version,
        texts=tuple(text for text, _ in chunk.inputs),
    )


def _held(held: Pass) -> Any:
    return Reference.objects.filter(
        pk=held.reference, owner=held.owner, state=ReferenceState.RUNNING
    )


def _gave_up() -> ReferenceGaveUp:
    return ReferenceGaveUp(
        f"The server stopped {MAX_ATTEMPTS} times while it worked on the same texts: given up. "
        "Look for a text that is unlike the others, and ask again without it."
    )
