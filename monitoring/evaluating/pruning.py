"""Old evaluations go: all beyond the retention, and before that what repeats itself."""

from datetime import datetime, timedelta

from django.db.models import Max, QuerySet
from django.db.models.functions import TruncHour

from monitoring.models import Evaluation
from monitoring.verdicts import Verdict
from monitoring.windows import Grain, floor

KEPT_WHOLE = timedelta(days=2)
"""Younger evaluations all stay; of older good ones the last of each hour does."""
THINNED_DAYS = 7
CHUNK = 1000
_GOOD = (Verdict.OK.value, Verdict.INSUFFICIENT_DATA.value)


def prune(now: datetime, *, days: int) -> int:
    """Delete evaluations older than `days`, and thin those older than two days.

    Bad ones are never thinned. Works in small transactions; returns how many went.
    """
    n_pruned = _delete(Evaluation.objects.filter(at__lt=now - timedelta(days=days)))
    end = floor(now - KEPT_WHOLE, Grain.DAY)
    for day in range(THINNED_DAYS):
        n_pruned += _thin(end - timedelta(days=day + 1), end - timedelta(days=day))
    return n_pruned


def _thin(start: datetime, end: datetime) -> int:
    """Keep the last good evaluation of each monitor and hour in [start, end)."""
    good = Evaluation.objects.filter(at__gte=start, at__lt=end, verdict__in=_GOOD)
    last = (
        good.order_by()
        .annotate(hour=TruncHour("at"))
        .values("monitor", "version", "verdict", "hour")
        .annotate(last=Max("id"))
        .values_list("last", flat=True)
    )
    kept = set(last)
    surplus = [pk for pk in good.order_by().values_list("id", flat=True) if pk not in kept]
    for i in range(0, len(surplus), CHUNK):
        Evaluation.objects.filter(id__in=surplus[i : i + CHUNK]).delete()
    return len(surplus)


def _delete(rows: QuerySet[Evaluation]) -> int:
    n_deleted = 0
    while ids := list(rows.order_by("at").values_list("id", flat=True)[:CHUNK]):
        Evaluation.objects.filter(id__in=ids).delete()
        n_deleted += len(ids)
    return n_deleted
