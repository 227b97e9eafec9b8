"""What an export holds: one plain row after another, oldest first, never all in memory."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import QuerySet

from monitoring.models import Evaluation, Feedback, Prediction
from monitoring.searching import Search, matching
from monitoring.windows import Window

CHUNK_ROWS = 2000

Row = dict[str, Any]


class Table(StrEnum):
    """What can be exported."""

    PREDICTIONS = "predictions"
    FEEDBACK = "feedback"
    EVALUATIONS = "evaluations"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rows of `table` in `window`, of one model or of all; predictions may be searched."""

    table: Table
    window: Window
    model: str | None = None
    search: Search | None = None


# Each column with the kind of its values: text, whole, real, flag or time.
COLUMNS: dict[Table, dict[str, str]] = {
    Table.PREDICTIONS: {
        "id": "text",
        "at": "time",
        "model": "text",
        "version": "whole",
        "task": "text",
        "text": "text",
        "label": "text",
        "score": "real",
        "scores": "text",
        "answer": "text",
        "n_tokens": "whole",
        "n_unknown": "whole",
        "truncated": "flag",
        "script": "text",
        "segment": "text",
        "request_id": "text",
        "dialect": "text",
        "key_id": "text",
        "route": "text",
        "is_cached": "flag",
        "tokenize_s": "real",
        "queue_s": "real",
        "inference_s": "real",
        "total_s": "real",
    },
    Table.FEEDBACK: {
        "prediction_id": "text",
        "revision": "whole",
        "at": "time",
        "source": "text",
        "weight": "real",
        "correct_label": "text",
        "model": "text",
        "version": "whole",
        "predicted_label": "text",
        "predicted_at": "time",
        "segment": "text",
        "key_id": "text",
    },
    Table.EVALUATIONS: {
        "id": "whole",
        "at": "time",
        "model": "text",
        "version": "whole",
        "monitor": "text",
        "kind": "text",
        "verdict": "text",
        "severity": "text",
        "value": "real",
        "threshold": "real",
        "p_value": "real",
        "effect": "real",
        "alpha": "real",
        "window_start_at": "time",
        "window_end_at": "time",
        "n_reference": "whole",
        "n_window": "whole",
        "cost_s": "real",
        "summary": "text",
        "details": "text",
    },
}


def count_rows(selection: Selection, *, at_most: int | None = None) -> int:
    """How many rows the export will have, if nothing is added meanwhile; counts to `at_most`."""
    rows = _rows(selection).order_by()
    return rows.count() if at_most is None else rows[:at_most].count()


def load_rows(selection: Selection) -> Iterator[Row]:
    """Every row with the columns of its table, oldest first."""
    make = _MAKERS[selection.table]
    for row in _rows(selection).iterator(chunk_size=CHUNK_ROWS):
        yield make(row)


def _rows(selection: Selection) -> QuerySet[Any]:
    start, end = selection.window.start, selection.window.end
    if selection.search is not None:
        return matching(selection.search)
    if selection.table is Table.FEEDBACK:
        rows: QuerySet[Any] = Feedback.objects.select_related("prediction").defer(
            "prediction__text", "prediction__scores", "prediction__answer"
        )
        model = {"prediction__model": selection.model} if selection.model else {}
    else:
        is_evaluation = selection.table is Table.EVALUATIONS
        rows = (
            Evaluation.objects.select_related("monitor")
            if is_evaluation
            else Prediction.objects.all()
        )
        model = {"model": selection.model} if selection.model else {}
    return rows.filter(at__gte=start, at__lt=end, **model).order_by("at", "pk")


def _prediction(row: Prediction) -> Row:
    plain = {name: getattr(row, name) for name in COLUMNS[Table.PREDICTIONS]}
    return plain | {"id": str(row.id), "scores": _json(row.scores)}


def _feedback(row: Feedback) -> Row:
    predicted = row.prediction
    return {
        "prediction_id": str(row.prediction_id),
        "revision": row.revision,
        "at": row.at,
        "source": row.source,
        "weight": row.weight / 1000,
        "correct_label": row.label,
        "model": predicted.model,
        "version": predicted.version,
        "predicted_label": predicted.label,
        "predicted_at": predicted.at,
        "segment": predicted.segment,
        "key_id": row.key_id,
    }


def _evaluation(row: Evaluation) -> Row:
    plain = {name: getattr(row, name) for name in COLUMNS[Table.EVALUATIONS]}
    monitor = row.monitor.name if row.monitor else ""
    return plain | {"monitor": monitor, "details": _json(row.details)}


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


_MAKERS: dict[Table, Any] = {
    Table.PREDICTIONS: _prediction,
    Table.FEEDBACK: _feedback,
    Table.EVALUATIONS: _evaluation,
}
