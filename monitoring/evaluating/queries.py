"""The readers of monitors and evaluations that views, commands and metrics call."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import F, OuterRef, QuerySet, Subquery

from monitoring.evaluating.services import not_found
from monitoring.models import Evaluation, Monitor

_LARGEST_ID = 2**63 - 1


def monitor_rows(model: str | None = None) -> QuerySet[Monitor]:
    """The monitors that there are, by model and name, each with its `last` evaluation's numbers."""
    newest = Evaluation.objects.filter(monitor=OuterRef("pk")).order_by("-at", "-id")
    rows = Monitor.objects.filter(deleted_at=None).annotate(
        last_verdict=Subquery(newest.values("verdict")[:1]),
        last_summary=Subquery(newest.values("summary")[:1]),
        last_evaluation=Subquery(newest.values("id")[:1]),
    )
    return rows if model is None else rows.filter(model=model)


def find_monitor(monitor_id: int) -> Monitor:
    """One monitor as in `monitor_rows`. Raises MonitorNotFound."""
    row = monitor_rows().filter(pk=monitor_id).first() if monitor_id <= _LARGEST_ID else None
    if row is None:
        raise not_found(monitor_id)
    return row


def evaluation_rows(
    *,
    model: str | None = None,
    version: int | None = None,
    kinds: Collection[str] = (),
    monitor: int | None = None,
    verdict: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
) -> QuerySet[Evaluation]:
    """Evaluations in [start, end), narrowed where something is given, with their monitor's name."""
    filters: dict[str, Any] = {
        "model": model,
        "version": version,
        "monitor": monitor,
        "verdict": verdict,
        "at__gte": start,
        "at__lt": end,
    }
    rows = Evaluation.objects.filter(
        **{name: value for name, value in filters.items() if value is not None}
    )
    if kinds:
        rows = rows.filter(kind__in=list(kinds))
    return rows.annotate(monitor_name=F("monitor__name"))
