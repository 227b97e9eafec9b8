"""What was kept about a model that was deleted, taken away.

Its name may be in use again: rows older than the deletion go, younger ones are another model's.
Counters of the day on which it was deleted are counted again from the rows that are left. Failures,
sums and profiles have no rows: those of the minutes, the hour and the day in which it was deleted
go as a whole. The audit log keeps every event.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.db.models import Model, Q, QuerySet

from monitoring.errors import InvalidWindow
from monitoring.models import (
    Alert,
    AuditItem,
    AuditPlan,
    Basis,
    ConfusionCell,
    Evaluation,
    Exemplar,
    FailureCount,
    Monitor,
    Prediction,
    PredictionCount,
    Reference,
    Rollout,
    ShadowCell,
    ShadowFlip,
    ShadowTally,
    Silence,
    TrafficProfile,
    TrafficSum,
)
from monitoring.recounts import recount, repair
from monitoring.windows import Grain, floor
from registry import queries as registry
from registry.specs import Deletion

log = structlog.get_logger(__name__)

CHUNK_ROWS = 1000
LONGEST_S = 60.0
LATE = timedelta(hours=1)
"""For so long after a deletion a look finds what came late, such as answers from a journal."""

DATED: tuple[tuple[type[Model], str], ...] = (
    (Prediction, "at"),
    (Evaluation, "at"),
    (Alert, "opened_at"),
    (Rollout, "created_at"),
    (Monitor, "created_at"),
    (Reference, "created_at"),
    (Basis, "created_at"),
    (TrafficSum, "start_at"),
    (TrafficProfile, "bucket"),
    (Exemplar, "at"),
    (FailureCount, "bucket"),
    (ShadowCell, "bucket"),
    (ShadowTally, "bucket"),
    (ShadowFlip, "at"),
    (Silence, "created_at"),
    (AuditItem, "at"),
)
"""Every table with rows of a model but its counters, and when a row came to be. Labels, streams,
transitions, notifications, chunks and events of rollouts go with the rows that they belong to.
"""
COUNTED: tuple[type[Model], ...] = (PredictionCount, ConfusionCell)


@dataclass(frozen=True, slots=True)
class _Limit:
    """When this round ends, whatever is left."""

    at: float
    clock: Callable[[], float]

    @property
    def is_over(self) -> bool:
        return self.clock() >= self.at


def is_due(now: datetime) -> bool:
    """Whether anything is left of a model that was deleted lately."""
    return any(_remains(each) for each in registry.load_deletions(now - LATE))


def erase_deleted(
    now: datetime, *, since: datetime | None = None, longest_s: float = LONGEST_S
) -> int:
    """Erase what is left of deleted models, within about `longest_s` seconds; how many rows went.

    `since` leaves out models that were deleted before; None takes them all. What is not done in
    time is found again by the next round.
    """
    limit, n_rows = _Limit(time.monotonic() + longest_s, time.monotonic), 0
    for deletion in registry.load_deletions(since):
        if limit.is_over:
            break
        n_rows += _erase(deletion, limit, now)
    return n_rows


def _erase(deletion: Deletion, limit: _Limit, now: datetime) -> int:
    if not _remains(deletion):
        return 0
    n_rows = sum(_delete(rows, limit) for rows in _leftovers(deletion))
    if not limit.is_over:
        _put_right(deletion, now)
    log.info("model erased", action="erase", model=deletion.model, n_rows=n_rows)
    return n_rows


def _remains(deletion: Deletion) -> bool:
    return any(rows.exists() for rows in _leftovers(deletion))


def _leftovers(deletion: Deletion) -> Iterable[QuerySet[Any]]:
    """The rows of the deleted model, table by table."""
    name, at = deletion.model, deletion.at
    for table, clock in DATED:
        yield table._default_manager.filter(model=name, **{f"{clock}__lt": at})
    # Of a model that is there again, the day's counters hold both: they are put right instead.
    days = {"bucket__lt": floor(at, Grain.DAY)} if deletion.is_again else {}
    for table in COUNTED:
        yield table._default_manager.filter(model=name, **days)
    settled = Q(rated_at__lt=at) if deletion.is_again else Q()
    yield AuditPlan._default_manager.filter(settled, model=name)


def _delete(rows: QuerySet[Any], limit: _Limit) -> int:
    """Delete in small transactions, so that nobody waits long for a lock."""
    n_rows = 0
    while not limit.is_over and (ids := list(rows.values_list("pk", flat=True)[:CHUNK_ROWS])):
        n_rows += len(ids)
        rows.model._default_manager.filter(pk__in=ids).delete()
    return n_rows


def _put_right(deletion: Deletion, now: datetime) -> None:
    """Let the counters of the deletion's day say what the rows that are left say."""
    if not deletion.is_again:
        return
    day = floor(deletion.at, Grain.DAY)
    try:
        repair(recount(deletion.model, day.date(), now=now))
    except InvalidWindow:
        # So long ago that rows may be pruned: younger counters are all that is left of them.
        return
    for table in COUNTED:
        table._default_manager.filter(
            model=deletion.model, bucket__gte=day, bucket__lt=day + timedelta(days=1), n=0
        ).delete()
