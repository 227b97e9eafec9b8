"""Predictions joined to the labels that count: a bounded look at the newest ones."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet

from monitoring.models import Feedback, Prediction, RouteKind
from monitoring.rollups import Scope
from monitoring.truths import SCORES_TRUTHS

MOST_PAIRS = 10_000
# Labels of all models that are looked through for those of one.
MOST_SCANNED = 50_000


@dataclass(frozen=True, slots=True)
class Pair:
    """`scores` gave the prediction made at `at`; at `labelled_at` it was said to be `actual`."""

    at: datetime
    labelled_at: datetime
    actual: str
    scores: dict[str, float]


def load_pairs(scope: Scope, sources: Collection[str]) -> list[Pair]:
    """Up to 10,000 of the newest labels of predictions that `scope` means, newest label first.

    Only labels of `sources` that still count, of rows that are not pruned yet, and of tasks whose
    scores say how likely each truth is.
    """
    rows = _labels(scope).filter(source__in=list(sources))
    fields = ("prediction__at", "at", "label", "prediction__scores")
    return [Pair(*row) for row in rows.values_list(*fields)[:MOST_PAIRS]]


def load_delays(scope: Scope) -> list[float]:
    """Seconds from prediction to first label, of up to 10,000 of the newest labels in `scope`."""
    rows = _newest(Feedback.objects.filter(revision=1), scope)
    if scope.source is not None:
        rows = rows.filter(source=scope.source)
    return list(_seconds(rows.values_list("prediction__at", "at")[:MOST_PAIRS]))


def _seconds(rows: QuerySet[Any, tuple[datetime, datetime]]) -> Iterator[float]:
    for predicted_at, labelled_at in rows:
        yield max(0.0, (labelled_at - predicted_at).total_seconds())


def _labels(scope: Scope) -> QuerySet[Feedback]:
    later = Feedback.objects.filter(
        prediction=OuterRef("prediction"), revision__gt=OuterRef("revision")
    )
    return _newest(Feedback.objects.filter(~Exists(later)), scope, task__in=SCORES_TRUTHS)


def _newest(rows: QuerySet[Feedback], scope: Scope, **more: Any) -> QuerySet[Feedback]:
    """Those of `rows` in `scope` among the newest labels of all models, newest first; `more` tests
    their predictions.
    """
    # No label comes before its prediction, so older ones need no look.
    since = Feedback.objects.filter(at__gte=scope.window.start).order_by("-at")
    beyond = list(since.values_list("at", flat=True)[MOST_SCANNED : MOST_SCANNED + 1])
    narrowed = {"version": scope.version, "segment": scope.segment}
    meant = Prediction.objects.filter(
        pk=OuterRef("prediction"),
        model=scope.model,
        route=RouteKind.LIVE,
        at__gte=scope.window.start,
        at__lt=scope.window.end,
        **{name: value for name, value in narrowed.items() if value is not None},
        **more,
    )
    # As a test of each label: tests of a joined row would make SQLite walk all predictions.
    return rows.filter(Exists(meant), at__gte=[scope.window.start, *beyond][-1]).order_by("-at")
