"""Everything kept about one subject, taken away: rows, texts, embeddings, labels.

Counters go down with the rows, so that they still equal a recount. What remains are sums of
embeddings and histograms, in which nobody can be found.
"""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction

from inference.describing import Describer
from monitoring.counters import Key, Weighed, add, amounts_of, counts_of, weighed
from monitoring.errors import InvalidFilter
from monitoring.models import (
    ConfusionCell,
    Exemplar,
    Feedback,
    Prediction,
    PredictionCount,
    ShadowFlip,
)
from monitoring.recorder import get_local_writer
from registry.services import note_erasure

log = structlog.get_logger(__name__)

LONGEST_SUBJECT = 200
CHUNK_ROWS = 500
CATCH_UP_S = 5.0


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How much was kept about a subject, and is no more."""

    n_predictions: int
    n_exemplars: int


def forget(subject: str, *, actor: str) -> Forgotten:
    """Delete all that is kept about `subject`, as callers wrote it; forgetting nobody is no error.

    Predictions of this process that are still on their way to the database are waited for.
    Raises InvalidFilter for a subject that no prediction can have.
    """
    if not 1 <= len(subject) <= LONGEST_SUBJECT:
        raise InvalidFilter(
            f"'subject' must be 1 to {LONGEST_SUBJECT} characters.", details={"field": "subject"}
        )
    return forget_hashed(Describer(secret=settings.SECRET_KEY).subject(subject), actor=actor)


def forget_hashed(name: str, *, actor: str) -> Forgotten:
    """As `forget`, of the subject whose keyed hash rows hold."""
    if not name:
        raise InvalidFilter("No subject is known here.", details={"field": "subject"})
    if writer := get_local_writer():
        writer.wait_caught_up(CATCH_UP_S)
    n_exemplars, _ = Exemplar.objects.filter(subject=name).delete()
    n_predictions = 0
    rows = Prediction.objects.filter(subject=name).order_by("id")
    while ids := list(rows.values_list("id", flat=True)[:CHUNK_ROWS]):
        n_predictions += _delete(ids)
    if n_predictions or n_exemplars:
        details = {"n_predictions": n_predictions, "n_exemplars": n_exemplars}
        note_erasure(actor=actor, details=details)
        log.info("subject forgotten", action="forget", **details)
    return Forgotten(n_predictions, n_exemplars)


@transaction.atomic
def _delete(ids: list[UUID]) -> int:
    locked = Prediction.objects.select_for_update().filter(id__in=ids).order_by("id")
    predictions = {row.id: row for row in locked.defer("text", "scores", "answer")}
    counts: Counter[Key] = Counter()
    cells: Counter[Weighed] = Counter()
    for row in predictions.values():
        counts.subtract(counts_of(row))
    labels = Feedback.objects.filter(prediction__in=predictions).order_by("revision")
    for label in {label.prediction_id: label for label in labels}.values():
        cells.subtract(weighed(predictions[label.prediction_id], label))
    add(PredictionCount, counts)
    add(ConfusionCell, amounts_of(cells))
    ShadowFlip.objects.filter(prediction__in=predictions).delete()
    Prediction.objects.filter(id__in=predictions).delete()
    return len(predictions)
