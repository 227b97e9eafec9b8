"""Asking for labels: fresh predictions are drawn by the plan of their model."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from django.db.models import QuerySet
from django.utils.crypto import salted_hmac

from monitoring.labelling.drawing import chance, is_drawn, uncertainty
from monitoring.labelling.plans import Plan, take_plan
from monitoring.models import AuditItem, AuditState, Prediction, RouteKind

MOST_OPEN = 500
OPEN_FOR = timedelta(days=14)
# More than are ever drawn of one chunk of the journal.
_EXPIRED_AT_ONCE = 1000


def ask(fresh: Sequence[Prediction], *, now: datetime) -> int:
    """Draw from `fresh`, rows added in the caller's transaction; how many are asked about.

    At most 500 a model stay open, for 14 days: beyond that the oldest expire. Only live
    predictions are drawn, because only they are counted.
    """
    by_model: defaultdict[str, list[Prediction]] = defaultdict(list)
    for row in fresh:
        if row.route == RouteKind.LIVE:
            by_model[row.model].append(row)
    n_asked = 0
    for model in sorted(by_model):
        rows = by_model[model]
        items = list(_drawn(take_plan(model, len(rows), now=now), rows))
        if items:
            AuditItem.objects.bulk_create(items)
            _expire(model, now)
            n_asked += len(items)
    return n_asked


def _drawn(plan: Plan, rows: Sequence[Prediction]) -> Iterable[AuditItem]:
    if not plan.per_hour:
        return
    key = _key(settings.SECRET_KEY)
    for row in rows:
        unsure = uncertainty(row.score, len(row.scores))
        likely = chance(unsure, plan.rates)
        if is_drawn(row.id, likely, key=key):
            yield AuditItem(
                prediction=row,
                model=row.model,
                version=row.version,
                at=row.at,
                probability=likely.probability,
                uncertainty=unsure,
            )


def _expire(model: str, now: datetime) -> None:
    waiting = AuditItem.objects.filter(model=model, state=AuditState.OPEN)
    newest = waiting.order_by("-at").values_list("pk", flat=True)
    surplus = list(newest[MOST_OPEN : MOST_OPEN + _EXPIRED_AT_ONCE])
    if surplus:
        _settle(waiting.filter(pk__in=surplus), now)
    _settle(waiting.filter(at__lt=now - OPEN_FOR), now)


def _settle(rows: QuerySet[AuditItem], now: datetime) -> None:
    # What somebody labels at this moment needs no other end, and a writer waits for nobody.
    free = rows.select_for_update(skip_locked=True).values_list("pk", flat=True)
    if ids := list(free[:_EXPIRED_AT_ONCE]):
        expired = AuditItem.objects.filter(pk__in=ids)
        expired.update(state=AuditState.EXPIRED, settled_at=now)


@lru_cache(maxsize=1)
def _key(secret: str) -> bytes:
    return salted_hmac("monitoring.labelling", "draw", secret=secret, algorithm="sha256").digest()
