"""Journal records become rows: each exactly once, however often a writer dies or starts over."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from inference.journal import Position
from inference.records import FAILED, LIVE, SHADOW, PredictionRecord
from monitoring.counters import add, counts_of
from monitoring.labelling.asking import ask
from monitoring.models import JournalPosition, Prediction, PredictionCount
from monitoring.shadow_counts import keep_shadows
from monitoring.traffic.failures import keep_failures
from monitoring.traffic.writing import keep_traffic

_UNANSWERED = (SHADOW, FAILED)


class PositionMoved(Exception):
    """Another writer has kept these records already: read the position again."""


def load_position(journal: UUID) -> Position:
    """How far `journal` has been kept; a journal never seen before starts at its origin."""
    row, _ = JournalPosition.objects.get_or_create(journal=journal)
    return Position(row.segment, row.offset)


def forget_position(journal: UUID) -> None:
    """Drop the position of a journal that no longer exists."""
    JournalPosition.objects.filter(journal=journal).delete()


def keep(journal: UUID, start: Position, end: Position, records: Sequence[PredictionRecord]) -> int:
    """Add rows and counts of `records` and move `journal` from `start` to `end`: all or nothing.

    Returns how many predictions are new; an id that is kept already is neither added nor counted
    again. Of a shadow's answers, and of requests that failed, only sums are kept: each counts once
    because the position moves once. Raises PositionMoved if the journal is not at `start` (any
    more), and whatever the database raises.
    """
    with transaction.atomic():
        # First, for its row lock: a second writer waits here, then finds the position moved.
        moved = JournalPosition.objects.filter(
            journal=journal, segment=start.segment, offset=start.offset
        ).update(segment=end.segment, offset=end.offset)
        if not moved:
            raise PositionMoved(f"journal {journal} is no longer at {start}")
        taken = _without_kept([record for record in records if record.route not in _UNANSWERED])
        fresh = [_row(record) for record in taken]
        # Not ignore_conflicts: on SQLite that swallows every broken constraint, and so the row.
        Prediction.objects.bulk_create(fresh)
        ask(fresh, now=timezone.now())
        add(PredictionCount, Counter(key for row in fresh for key in counts_of(row)))
        keep_traffic(journal, [record for record in taken if record.route == LIVE])
        keep_failures([record for record in records if record.route == FAILED])
        keep_shadows([record for record in records if record.route == SHADOW])
    return len(fresh)


def _without_kept(records: Sequence[PredictionRecord]) -> list[PredictionRecord]:
    by_id = {record.id: record for record in records}
    kept = set(Prediction.objects.filter(id__in=list(by_id)).values_list("id", flat=True))
    return [record for record in by_id.values() if record.id not in kept]


def _row(record: PredictionRecord) -> Prediction:
    return Prediction(
        id=record.id,
        at=datetime.fromtimestamp(record.at, UTC),
        model=record.model,
        version=record.version,
        task=record.task,
        text=record.text,
        label=record.label,
        score=record.score,
        scores=record.scores,
        n_tokens=record.n_tokens,
        truncated=record.truncated,
        segment=record.segment,
        # Callers may choose it; a long one must not cost the row.
        request_id=record.request_id[:200],
        dialect=record.dialect,
        key_id=record.key_id,
        tokenize_s=record.tokenize_s,
        queue_s=record.queue_s,
        inference_s=record.inference_s,
        total_s=record.total_s,
        route=record.route,
        n_unknown=record.n_unknown,
        script=record.script,
        subject=record.subject,
        is_cached=record.is_cached,
        answer=record.answer,
    )
