"""The bounded sample of the traffic: of every slot the predictions with the lowest keyed ranks.

A rank is a keyed hash of the prediction's id, so the lowest ranks of a slot are a uniform sample of
it however many writers drew them, and the lowest of an hour are among the lowest of its slots.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet

from inference.records import PredictionRecord
from monitoring.models import Exemplar, Reference, ReferenceState
from monitoring.traffic.facts import VersionFacts, WriterMemory
from monitoring.traffic.languages import detect
from monitoring.traffic.memory import Ranks, SlotKey, VersionKey

_RANK_BITS = 63
_PERSON = b"exemplar rank"


def rank_of(prediction: UUID) -> int:
    """Where a prediction stands in the draw: uniform on [0, 2^63), the same for every writer."""
    key = _rank_key(settings.SECRET_KEY)
    digest = hashlib.blake2b(prediction.bytes, digest_size=8, key=key, person=_PERSON).digest()
    return int.from_bytes(digest, "big") >> (64 - _RANK_BITS)


def keep_exemplars(
    key: VersionKey,
    records: Sequence[PredictionRecord],
    slots: Sequence[datetime],
    facts: VersionFacts,
    memory: WriterMemory,
) -> list[str]:
    """Keep those of `records`, new ones of one version, that are drawn, in the caller's
    transaction; `slots` say where the five minutes of each begin.

    Returns the language of each record, empty for those that are not kept.
    """
    ranks = np.array([rank_of(record.id) for record in records], dtype=np.int64)
    drawn = _draw(key, slots, ranks, memory)
    collected = _collect(facts.collecting, len(records))
    if collected < len(records) and facts.collecting is not None:
        memory.versions.forget(key)
    chosen = [i for i in range(len(records)) if drawn[i] or i < collected]
    languages = [""] * len(records)
    for i, language in zip(chosen, detect([records[i].text for i in chosen]), strict=True):
        languages[i] = language
    Exemplar.objects.bulk_create(
        _row(records[i], slots[i], int(ranks[i]), languages[i], is_collected=i < collected)
        for i in chosen
    )
    return languages


def _draw(
    key: VersionKey, slots: Sequence[datetime], ranks: Ranks, memory: WriterMemory
) -> list[bool]:
    size: int = settings.BELLWETHER_RESERVOIR_SIZE
    drawn = np.zeros(len(ranks), dtype=np.bool_)
    starts = np.array(slots, dtype=object)
    for start in sorted(set(slots)) if size else ():
        slot: SlotKey = (*key, start)
        here = starts == start
        threshold = memory.reservoirs.threshold(slot, ranks[here], size)
        if threshold is not None:
            here &= ranks <= threshold
        drawn |= here
        _remember(slot, ranks[here], threshold, size, memory)
    return drawn.tolist()


def _remember(
    slot: SlotKey, ranks: Ranks, threshold: int | None, size: int, memory: WriterMemory
) -> None:
    """Make room where a slot has too many rows; remember once the transaction is through."""
    is_trimmed = threshold is not None and memory.reservoirs.is_full(slot, len(ranks), size)
    if is_trimmed:
        model, version, start = slot
        rows = Exemplar.objects.filter(
            model=model, version=version, slot_at=start, rank__gt=threshold, is_collected=False
        )
        delete_unlocked(rows)
    transaction.on_commit(
        lambda: memory.reservoirs.remember(slot, ranks, size, is_trimmed=is_trimmed), robust=True
    )


def delete_unlocked(rows: QuerySet[Any], limit: int | None = None) -> int:
    """Delete rows that nobody else holds at this moment: two writers never wait in a circle."""
    with transaction.atomic():
        free = rows.order_by().select_for_update(skip_locked=True).values_list("pk", flat=True)
        found = list(free[:limit])
        return rows.model._default_manager.filter(pk__in=found).delete()[0] if found else 0


def _collect(reference: int | None, n: int) -> int:
    """How many of the next `n` predictions the reference still wants; it is told that it got them.

    The row's lock lets several writers together collect no more than is wanted.
    """
    if reference is None:
        return 0
    rows = Reference.objects.filter(pk=reference, state=ReferenceState.COLLECTING)
    row = rows.select_for_update(no_key=True).only("id", "n_wanted", "n_done").first()
    taken = 0 if row is None else max(0, min(n, row.n_wanted - row.n_done))
    if row is not None and taken:
        row.n_done += taken
        row.save(update_fields=["n_done"])
    return taken


def _row(
    record: PredictionRecord, slot: datetime, rank: int, language: str, *, is_collected: bool
) -> Exemplar:
    return Exemplar(
        prediction=record.id,
        model=record.model,
        version=record.version,
        segment=record.segment,
        at=datetime.fromtimestamp(record.at, UTC),
        slot_at=slot,
        rank=rank,
        text=record.text,
        label=record.label,
        scores=record.scores,
        n_tokens=record.n_tokens,
        n_unknown=record.n_unknown,
        script=record.script,
        language=language,
        total_s=record.total_s,
        embedding=record.embedding if settings.BELLWETHER_KEEP_EMBEDDINGS else b"",
        subject=record.subject,
        is_collected=is_collected,
    )


@lru_cache(maxsize=1)
def _rank_key(secret: str) -> bytes:
    return hashlib.blake2b(secret.encode(), digest_size=32, person=_PERSON).digest()
