"""Records, rows and clients for the monitor's tests."""

import itertools
import random
import time
from datetime import UTC, datetime
from uuid import UUID

from rest_framework.test import APIClient

from access.keyring import KeyFacts
from access.scopes import Scope
from inference.records import PredictionRecord
from monitoring.models import ConfusionCell, Feedback, Prediction, PredictionCount
from registry.models import RegisteredModel, Version

MODEL = "acme/mood"
LABELS = ("NEGATIVE", "NEUTRAL", "POSITIVE")
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
_numbers = itertools.count(1)


def uuid7(at: float) -> UUID:
    """A uuid7 of the second `at`, unlike any other."""
    low = (next(_numbers) << 24 | random.getrandbits(24)) & (2**62 - 1)
    return UUID(int=int(at * 1000) << 80 | 0x7 << 76 | 0b10 << 62 | low)


def make_record(*, at: float | None = None, **changes: object) -> PredictionRecord:
    at = time.time() if at is None else at
    fields: dict[str, object] = {
        "id": uuid7(at),
        "at": at,
        "model": MODEL,
        "version": 1,
        "digest": "0" * 64,
        "task": "text-classification",
        "text": "a fine day",
        "label": "POSITIVE",
        "score": 0.9,
        "scores": {"NEGATIVE": 0.04, "NEUTRAL": 0.06, "POSITIVE": 0.9},
        "n_tokens": 5,
        "truncated": False,
        "segment": "",
        "request_id": "r-1",
        "dialect": "native",
        "key_id": "k1",
        "tokenize_s": 0.0001,
        "queue_s": 0.0002,
        "inference_s": 0.003,
        "total_s": 0.0035,
        "embedding": b"\x00\x3c" * 8,
    }
    return PredictionRecord(**(fields | changes))  # type: ignore[arg-type]


def register(name: str = MODEL, *, number: int = 1, labels: tuple[str, ...] = LABELS) -> None:
    namespace, _, short = name.partition("/")
    model, _ = RegisteredModel.objects.get_or_create(namespace=namespace, name=short)
    Version.objects.create(
        model=model,
        number=number,
        digest=f"{number:064x}",
        manifest="{}",
        task="text-classification",
        labels=list(labels),
        pooling="mean",
        n_bytes=1,
        n_files=1,
        created_by="tests",
        source="tests",
    )


def labels_of(model: str, number: int) -> tuple[str, ...]:
    return LABELS


def client(*scopes: Scope) -> APIClient:
    made = APIClient()
    facts = KeyFacts(id="k-test", name="tests", scopes=frozenset(scopes or Scope))
    made.force_authenticate(user=None, token=facts)  # type: ignore[arg-type]
    return made


def day_counts() -> dict[str, int]:
    """Predictions by label, as the day roll-ups have them."""
    rows = PredictionCount.objects.filter(grain="day").values_list("label", "n")
    totals: dict[str, int] = {}
    for label, n in rows:
        totals[label] = totals.get(label, 0) + n
    return totals


def day_cells(clock: str = "predicted") -> dict[tuple[str, str], int]:
    """Labelled predictions by (actual, predicted), as the day roll-ups have them."""
    totals: dict[tuple[str, str], int] = {}
    for row in ConfusionCell.objects.filter(grain="day", clock=clock):
        pair = row.actual, row.predicted
        totals[pair] = totals.get(pair, 0) + row.n
    return {pair: n for pair, n in totals.items() if n}


def labelled_pairs() -> tuple[list[str], list[str]]:
    """(actual, predicted) of every labelled prediction, from the raw rows."""
    latest: dict[UUID, Feedback] = {}
    for row in Feedback.objects.order_by("revision").select_related("prediction"):
        latest[row.prediction_id] = row
    rows = list(latest.values())
    return [row.label for row in rows], [row.prediction.label for row in rows]


def make_prediction(*, at: datetime = NOW, **changes: object) -> Prediction:
    """A kept prediction with its counts, through the road that every prediction takes."""
    from inference.journal import ORIGIN
    from monitoring.keeping import keep, load_position

    record = make_record(at=at.timestamp(), **changes)
    journal = UUID(int=random.getrandbits(128))
    assert load_position(journal) == ORIGIN
    keep(journal, ORIGIN, ORIGIN._replace(offset=1), [record])
    return Prediction.objects.get(id=record.id)
