"""New predictions are added to the sums of their slot and block, in the writer's transaction.

Only a journal's own writer adds to that journal's rows, so they are read, added to and written back
without waiting for anybody; the lock on the journal's position keeps a second writer out.
"""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction

from inference.records import PredictionRecord
from monitoring.drift import sums as drift_sums
from monitoring.drift.basis import Basis
from monitoring.drift.sample import Sample
from monitoring.drift.sums import Sums, merge, sums_of
from monitoring.models import Span, TrafficSum
from monitoring.traffic import profiles
from monitoring.traffic.facts import get_memory, load_facts, summed_segment
from monitoring.traffic.memory import VersionKey
from monitoring.traffic.payloads import read_sums
from monitoring.traffic.reservoir import keep_exemplars
from monitoring.traffic.sampling import sample_of
from monitoring.traffic.single_thread import one_thread
from monitoring.traffic.spans import BLOCK_ITEMS, SLOT, slot_of

logger = logging.getLogger(__name__)

BLOCKS_PER_JOURNAL = 128


def keep_traffic(journal: UUID, records: Sequence[PredictionRecord]) -> None:
    """Add new live `records` to the sums and the reservoir, in the caller's transaction."""
    by_version: defaultdict[VersionKey, list[PredictionRecord]] = defaultdict(list)
    for record in records:
        by_version[record.model, record.version].append(record)
    # In one order everywhere, so that two writers never wait for each other in a circle.
    with one_thread():
        for key in sorted(by_version):
            _keep_version(journal, key, by_version[key])


def _keep_version(journal: UUID, key: VersionKey, records: list[PredictionRecord]) -> None:
    memory = get_memory()
    facts = memory.versions.get(key, lambda before: load_facts(key, before))
    times = [datetime.fromtimestamp(record.at, UTC) for record in records]
    slots = [slot_of(at) for at in times]
    languages = keep_exemplars(key, records, slots, facts, memory)
    fingerprints = [record.fingerprint for record in records]
    segments = [summed_segment(record.segment, key, memory) for record in records]
    is_repeated = memory.repeats.flags(key[0], fingerprints)
    try:
        sample = sample_of(records, is_repeated=is_repeated, languages=languages)
        parts = _by_slot(sample, facts.basis, slots, segments)
    except Exception:
        # The rows are worth more than their sums: those must not stop the journal.
        logger.exception("predictions of %s are kept, but not summed", key)
        return
    model = key[0]
    transaction.on_commit(lambda: memory.repeats.remember(model, fingerprints), robust=True)
    _add_to_slots(journal, key, parts)
    # Mostly all are of one slot and segment, and go into one block: summed up once.
    whole = next(iter(parts.values())) if len(parts) == 1 else None
    _add_to_blocks(journal, key, _Run(sample, facts.basis, times, whole))


def _by_slot(
    sample: Sample, basis: Basis | None, slots: Sequence[datetime], segments: Sequence[str]
) -> dict[tuple[datetime, str], Sums]:
    rows: defaultdict[tuple[datetime, str], list[int]] = defaultdict(list)
    for i, place in enumerate(zip(slots, segments, strict=True)):
        rows[place].append(i)
    return {place: sums_of(sample.take(index), basis) for place, index in rows.items()}


def _add_to_slots(
    journal: UUID, key: VersionKey, parts: Mapping[tuple[datetime, str], Sums]
) -> None:
    rows = TrafficSum.objects.filter(
        model=key[0],
        version=key[1],
        span=Span.SLOT,
        journal=journal,
        start_at__in={start for start, _ in parts},
        segment__in={segment for _, segment in parts},
    )
    here = {(row.start_at, row.segment): row for row in _locked(rows.order_by("id"))}
    missing = []
    for (start, segment), sums in parts.items():
        if row := here.get((start, segment)):
            _grow(row, sums)
        else:
            ends = start + SLOT
            missing.append(_row(journal, key, Span.SLOT, segment, (start, ends), sums))
    TrafficSum.objects.bulk_create(missing)


@dataclass(frozen=True, slots=True)
class _Run:
    """New predictions of one version in their order; `whole` are their sums, if they are known."""

    sample: Sample
    basis: Basis | None
    times: list[datetime]
    whole: Sums | None

    def sums(self, start: int, end: int) -> Sums:
        if self.whole is not None and end - start == len(self.times):
            return self.whole
        return sums_of(self.sample.take(np.arange(start, end)), self.basis)


def _add_to_blocks(journal: UUID, key: VersionKey, run: _Run) -> None:
    """Fill the open block first, then make as many more as are needed."""
    blocks = TrafficSum.objects.filter(
        model=key[0], version=key[1], span=Span.BLOCK, journal=journal
    )
    is_open = blocks.filter(n__lt=BLOCK_ITEMS).order_by("-start_at", "-id")[:1]
    opened = next(iter(_locked(is_open)), None)
    room = BLOCK_ITEMS - opened.n if opened else 0
    n = len(run.times)
    cuts = sorted({0, min(room, n), *range(room, n, BLOCK_ITEMS), n})
    made = []
    for start, end in pairwise(cuts):
        sums = run.sums(start, end)
        span = min(run.times[start:end]), max(run.times[start:end])
        if opened is not None and start == 0:
            opened.start_at = min(opened.start_at, span[0])
            opened.end_at = max(opened.end_at, span[1])
            _grow(opened, sums)
        else:
            made.append(_row(journal, key, Span.BLOCK, "", span, sums))
    if made:
        TrafficSum.objects.bulk_create(made)
        _drop_old(blocks)


def _drop_old(blocks: Any) -> None:
    newest = blocks.order_by("-start_at", "-id").values_list("id", flat=True)
    if old := list(newest[BLOCKS_PER_JOURNAL:]):
        blocks.filter(id__in=old).delete()


def _locked(rows: Any) -> Any:
    # The compaction of old slots may be at one of them; both take rows in the order of their ids.
    return rows.select_for_update(no_key=True)


def _grow(row: TrafficSum, sums: Sums) -> None:
    total = merge(read_sums(row.payload), sums)
    TrafficSum.objects.filter(pk=row.pk).update(
        start_at=row.start_at,
        end_at=row.end_at,
        n=total.n,
        payload=drift_sums.encode(total),
        profile=_profile(row.span, total),
    )


def _row(
    journal: UUID,
    key: VersionKey,
    span: Span,
    segment: str,
    time: tuple[datetime, datetime],
    sums: Sums,
) -> TrafficSum:
    return TrafficSum(
        model=key[0],
        version=key[1],
        segment=segment,
        span=span,
        start_at=time[0],
        end_at=time[1],
        journal=journal,
        n=sums.n,
        payload=drift_sums.encode(sums),
        profile=_profile(span, sums),
    )


def _profile(span: str, sums: Sums) -> bytes | None:
    return profiles.encode(profiles.profile_of(sums)) if span == Span.SLOT else None
