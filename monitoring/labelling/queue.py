"""The queue of predictions to label, those first whose label says most."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import OuterRef, QuerySet, Subquery, Sum

from monitoring.labelling.asking import MOST_OPEN, OPEN_FOR
from monitoring.models import AuditItem, AuditState, Feedback, PredictionCount
from monitoring.windows import Grain
from registry import queries as registry

DEFAULT_LIMIT, MOST_LISTED = 20, 100
_RARITY = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One prediction to label. `known_label` is what was said of it before, if anything was."""

    prediction_id: UUID
    at: datetime
    version: int
    segment: str
    text: str | None
    label: str
    score: float
    scores: dict[str, float]
    answer: str | None
    probability: float
    uncertainty: float
    known_label: str | None


@dataclass(frozen=True, slots=True)
class Queue:
    """`n_open` predictions of `model` wait for a label; `items` are a page of them."""

    model: str
    n_open: int
    items: tuple[Asked, ...]


def load_queue(model: str, *, now: datetime, offset: int = 0, limit: int = DEFAULT_LIMIT) -> Queue:
    """The open predictions of `model`: uncertain answers first, of equally uncertain ones (to a
    tenth) those of the class that was predicted least in the past week, then the newest.

    Raises ModelNotFound. Costs the same however much was predicted: at most 500 are open.
    """
    registry.load_model(model)
    known = Feedback.objects.filter(prediction=OuterRef("pk")).order_by("-revision")
    known_label = Subquery(known.values("label")[:1])
    rows = most_useful_first(
        model, open_items(model, now=now).annotate(known_label=known_label), now=now
    )
    return Queue(model, len(rows), tuple(map(_asked, rows[offset : offset + limit])))


def open_items(model: str, *, now: datetime) -> QuerySet[AuditItem]:
    """The items of `model` that wait for a label; at most 500 of them are open."""
    return AuditItem.objects.filter(model=model, state=AuditState.OPEN, at__gte=now - OPEN_FOR)


def most_useful_first(model: str, rows: QuerySet[AuditItem], *, now: datetime) -> list[AuditItem]:
    """`rows` of `model` with their predictions, in the order of `load_queue`."""
    found = list(rows.order_by("-uncertainty").select_related("prediction")[:MOST_OPEN])
    n_by_label = _counts_by_label(model, now)
    found.sort(
        key=lambda row: (
            -round(row.uncertainty, 1),
            n_by_label[row.prediction.label],
            -row.at.timestamp(),
        )
    )
    return found


def _counts_by_label(model: str, now: datetime) -> Counter[str]:
    days = PredictionCount.objects.filter(model=model, grain=Grain.DAY, bucket__gte=now - _RARITY)
    return Counter(dict(days.order_by().values_list("label").annotate(total=Sum("n"))))


def _asked(row: AuditItem) -> Asked:
    prediction = row.prediction
    return Asked(
        prediction_id=prediction.id,
        at=prediction.at,
        version=prediction.version,
        segment=prediction.segment,
        text=prediction.text,
        label=prediction.label,
        score=prediction.score,
        scores=prediction.scores,
        answer=prediction.answer,
        probability=row.probability,
        uncertainty=row.uncertainty,
        known_label=getattr(row, "known_label", None),
    )
