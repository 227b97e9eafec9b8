"""What the pages of predictions show: a list that was searched, and one with all that is known."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from access.queries import load_names
from monitoring.dashboard.neighbours import Neighbours, load_neighbours
from monitoring.errors import PredictionNotFound
from monitoring.models import AuditItem, Exemplar, Feedback, Prediction
from monitoring.searching import Search, load_page
from monitoring.truths import labels_of
from registry import queries as registry
from registry.errors import RegistryError

RANGES = {
    "1h": ("last hour", timedelta(hours=1)),
    "24h": ("last 24 hours", timedelta(hours=24)),
    "7d": ("last 7 days", timedelta(days=7)),
    "30d": ("last 30 days", timedelta(days=30)),
}
DEFAULT_RANGE = "24h"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the list. `known_label` is what counts as true of it, None while unknown."""

    id: UUID
    at: datetime
    model: str
    version: int
    text: str | None
    label: str
    score: float
    known_label: str | None
    segment: str
    is_pinned: bool

    @property
    def is_right(self) -> bool:
        return self.known_label == self.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """See `monitoring.searching.Found`."""

    rows: tuple[Row, ...]
    following: UUID | None
    scanned_to: datetime | None


@dataclass(frozen=True, slots=True)
class Score:
    label: str
    score: float
    is_answer: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """A part of the time that an answer took, and its share of it in percent."""

    name: str
    seconds: float
    percent: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One revision of what is true of a prediction. `weight` is how many it speaks for."""

    revision: int
    label: str
    source: str
    at: datetime
    weight: float
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail:
    """All that is kept of one prediction. `labels` are those that may be true of it."""

    prediction: Prediction
    scores: tuple[Score, ...]
    timings: tuple[Timing, ...]
    digest: str
    caller: str
    language: str
    history: tuple[Said, ...]
    labels: tuple[str, ...]
    is_drawn: bool
    neighbours: Neighbours

    @property
    def known_label(self) -> str | None:
        return self.history[0].label if self.history else None


def load_rows(search: Search, *, below: UUID | None) -> Page:
    """One page of what `search` means, newest first; a few queries, however much is kept."""
    found = load_page(search, below=below)
    known = known_labels([row.id for row in found.rows])
    return Page(
        rows=tuple(_row(row, known.get(row.id)) for row in found.rows),
        following=found.following,
        scanned_to=found.scanned_to,
    )


def known_labels(ids: Collection[UUID]) -> dict[UUID, str]:
    """The label that counts of each prediction that has one."""
    said = Feedback.objects.filter(prediction__in=list(ids)).order_by("revision")
    return dict(said.values_list("prediction", "label"))


def model_names() -> list[str]:
    """Every registered model."""
    return [model.name for model in registry.load_models()]


def load_detail(id: UUID) -> Detail:
    """All that is kept of prediction `id`. Raises PredictionNotFound."""
    row = Prediction.objects.filter(pk=id).first()
    if row is None:
        raise PredictionNotFound(
            f"No prediction {id} is kept: predictions are forgotten after the retention time.",
            details={"prediction_id": str(id)},
        )
    revisions = list(row.feedback.order_by("-revision"))
    names = load_names({row.key_id, *(said.key_id for said in revisions)})
    exemplar = Exemplar.objects.filter(pk=id).first()
    return Detail(
        prediction=row,
        scores=tuple(
            Score(label, score, label == row.label)
            for label, score in sorted(row.scores.items(), key=lambda pair: -pair[1])
        ),
        timings=_timings(row),
        digest=_digest(row),
        caller=names.get(row.key_id, ""),
        language=exemplar.language if exemplar else "",
        history=tuple(_said(each, names) for each in revisions),
        labels=labels_of(row),
        is_drawn=AuditItem.objects.filter(pk=id).exists(),
        neighbours=load_neighbours(exemplar),
    )


def _row(row: Prediction, known_label: str | None) -> Row:
    return Row(
        id=row.id,
        at=row.at,
        model=row.model,
        version=row.version,
        text=row.text,
        label=row.label,
        score=row.score,
        known_label=known_label,
        segment=row.segment,
        is_pinned=row.route == "pinned",
    )


def _timings(row: Prediction) -> tuple[Timing, ...]:
    parts = {"tokenise": row.tokenize_s, "queue": row.queue_s, "inference": row.inference_s}
    rest = row.total_s - sum(parts.values())
    total = max(row.total_s, sum(parts.values())) or 1.0
    named = parts | ({"other": rest} if rest > 0 else {})
    return tuple(Timing(name, spent, 100 * spent / total) for name, spent in named.items())


def _digest(row: Prediction) -> str:
    try:
        return registry.load_version(row.model, row.version).digest
    except RegistryError:
        return ""


def _said(row: Feedback, names: dict[str, str]) -> Said:
    return Said(
        revision=row.revision,
        label=row.label,
        source=row.source,
        at=row.at,
        weight=row.weight / 1000,
        who=names.get(row.key_id, row.key_id),
    )
