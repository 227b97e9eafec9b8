"""Who looks at which item now: two people at once never get the same one.

An item is held for ten minutes, anew whenever its holder asks for more. What nobody holds any more
is given to the next who asks.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from monitoring.labelling.asking import OPEN_FOR
from monitoring.labelling.queue import most_useful_first, open_items
from monitoring.models import AuditItem, AuditState, Opinion, Second
from monitoring.truths import labels_of
from registry import queries as registry

HELD_FOR = timedelta(minutes=10)
DEFAULT_LIMIT, MOST_TAKEN = 5, 20
# What two people want at the same moment one of them gets; the other looks again.
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One text to label. It does not say whether somebody labelled it before, nor how.

    `label`, `score`, `scores` and `answer` (JSON, or None) are what was predicted; `labels` are the
    ones to choose from, in the version's own order.
    """

    prediction_id: UUID
    at: datetime
    version: int
    segment: str
    text: str
    label: str
    score: float
    scores: dict[str, float]
    answer: str | None
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """What one person holds of the queue of `model`, in the order to label it.

    They are his until `held_until`. `n_open` counts the items that wait for a first label,
    `n_without_text` those among them whose text is not stored, so that nobody can label them here.
    """

    model: str
    n_open: int
    n_without_text: int
    held_until: datetime
    items: tuple[Turn, ...]


def take(model: str, labeller: str, *, now: datetime, limit: int = DEFAULT_LIMIT) -> Turns:
    """Give `labeller` up to `limit` items of the queue, those he holds already first.

    At most one of them at a time is a second opinion, unless nothing else is left. Raises
    ModelNotFound.
    """
    registry.load_model(model)
    rows: list[AuditItem] = []
    for _ in range(_TRIES):
        wanted = _wanted(model, labeller, now=now, limit=limit)
        rows = _hold(wanted, labeller, now=now)
        if len(rows) == len(wanted):
            break
    waiting = open_items(model, now=now)
    return Turns(
        model=model,
        n_open=waiting.count(),
        n_without_text=waiting.filter(prediction__text=None).count(),
        held_until=now + HELD_FOR,
        items=tuple(map(_turn, rows)),
    )


def let_go(ids: Collection[UUID], labeller: str) -> int:
    """Give items back that `labeller` holds; how many he held."""
    held = AuditItem.objects.filter(pk__in=list(ids), holder=labeller)
    return held.update(holder="", held_until=None)


def _wanted(model: str, labeller: str, *, now: datetime, limit: int) -> list[AuditItem]:
    """What the next items would be: his own, then one second opinion, then the most useful."""
    free = Q(held_until=None) | Q(held_until__lte=now) | Q(holder=labeller)
    has_text = Q(prediction__text__isnull=False)
    open_rows = most_useful_first(
        model, open_items(model, now=now).filter(free & has_text), now=now
    )
    seconds = list(_seconds(model, labeller, now=now).filter(free & has_text)[:limit])
    own = [row for row in (*seconds, *open_rows) if _is_held(row, labeller, now)]
    fresh_seconds = [row for row in seconds if not _is_held(row, labeller, now)]
    fresh = [row for row in open_rows if not _is_held(row, labeller, now)]
    has_second = any(row.state == AuditState.LABELLED for row in own)
    first_seconds = [] if has_second else fresh_seconds[:1]
    rest = fresh_seconds[len(first_seconds) :]
    return [*own, *first_seconds, *fresh, *rest][:limit]


def _seconds(model: str, labeller: str, *, now: datetime) -> QuerySet[AuditItem]:
    """Items that want the opinion of somebody else than who gave the first."""
    given = Opinion.objects.filter(labeller=labeller, prediction__audit__second=Second.WANTED)
    return (
        AuditItem.objects.filter(
            model=model, state=AuditState.LABELLED, second=Second.WANTED, at__gte=now - OPEN_FOR
        )
        .exclude(pk__in=given.values("prediction"))
        .select_related("prediction")
        .order_by("-at")
    )


def _is_held(row: AuditItem, labeller: str, now: datetime) -> bool:
    return row.holder == labeller and row.held_until is not None and row.held_until > now


def _hold(rows: Iterable[AuditItem], labeller: str, *, now: datetime) -> list[AuditItem]:
    """Those of `rows` that nobody else took meanwhile, held from now on."""
    rows = list(rows)
    until = now + HELD_FOR
    is_free = Q(held_until=None) | Q(held_until__lte=now) | Q(holder=labeller)
    # A writer that takes items off the queue locks them too: always in one order.
    for pk in sorted(row.pk for row in rows):
        free = AuditItem.objects.filter(is_free, pk=pk)
        free.filter(
            Q(state=AuditState.OPEN) | Q(state=AuditState.LABELLED, second=Second.WANTED)
        ).update(holder=labeller, held_until=until)
    held = AuditItem.objects.filter(pk__in=[row.pk for row in rows], holder=labeller)
    ids = set(held.filter(held_until__gt=now).values_list("pk", flat=True))
    return [row for row in rows if row.pk in ids]


def _turn(row: AuditItem) -> Turn:
    predicted = row.prediction
    return Turn(
        prediction_id=predicted.id,
        at=predicted.at,
        version=predicted.version,
        segment=predicted.segment,
        text=predicted.text or "",
        label=predicted.label,
        score=predicted.score,
        scores=predicted.scores,
        answer=predicted.answer,
        labels=labels_of(predicted),
    )
