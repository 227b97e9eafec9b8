"""Roll-up arithmetic: which counters an event moves, and the one statement that moves them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Field

from monitoring.models import (
    Clock,
    ConfusionCell,
    Feedback,
    Prediction,
    PredictionCount,
    RouteKind,
    ShadowCell,
    ShadowTally,
)
from monitoring.windows import Grain, floor

# One value for each field of the table's KEY, in that order.
Key = tuple[Any, ...]
Table = type[PredictionCount] | type[ConfusionCell] | type[ShadowCell] | type[ShadowTally]
_ROWS_PER_STATEMENT = 500


def counts_of(prediction: Prediction) -> Iterator[Key]:
    """The PredictionCount keys that a prediction adds one to: none for a pinned one.

    Who pins looks at one version, with texts of their choice: that says nothing of the traffic.
    """
    if prediction.route != RouteKind.LIVE:
        return
    for grain in Grain:
        bucket = floor(prediction.at, grain)
        yield (
            prediction.model,
            grain.value,
            bucket,
            prediction.version,
            prediction.segment,
            prediction.label,
        )


def cells_of(prediction: Prediction, feedback: Feedback) -> Iterator[Key]:
    """The ConfusionCell keys that a label adds one to: every grain, by both clocks; none where the
    prediction is not counted either.
    """
    if prediction.route != RouteKind.LIVE:
        return
    clocks: tuple[tuple[Clock, datetime], ...] = (
        (Clock.PREDICTED, prediction.at),
        (Clock.ARRIVED, feedback.at),
    )
    for clock, at in clocks:
        for grain in Grain:
            yield (
                prediction.model,
                clock.value,
                grain.value,
                floor(at, grain),
                prediction.version,
                prediction.segment,
                feedback.source,
                prediction.label,
                feedback.label,
            )


def add(table: Table, changes: Mapping[Key, int]) -> None:
    """Add each change to its counter, in the caller's transaction; missing counters are made."""
    # In one order everywhere, so that two writers never wait for each other in a circle.
    rows = sorted((key, n) for key, n in changes.items() if n)
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        _upsert(table, rows[start : start + _ROWS_PER_STATEMENT])


def _fields(table: Table) -> list[Field[Any, Any]]:
    by_name = {field.name: field for field in table._meta.concrete_fields}
    return [by_name[name] for name in (*table.KEY, "n")]


def _upsert(table: Table, rows: list[tuple[Key, int]]) -> None:
    fields = _fields(table)
    columns = [connection.ops.quote_name(field.column or field.name) for field in fields]
    name = connection.ops.quote_name(table._meta.db_table)
    row = f"({', '.join(['%s'] * len(fields))})"
    total = columns[-1]
    # Only names from the model's own metadata are put together here; every value is a parameter.
    statement = (
        f"INSERT INTO {name} ({', '.join(columns)}) VALUES {', '.join([row] * len(rows))} "  # noqa: S608
        f"ON CONFLICT ({', '.join(columns[:-1])}) "
        f"DO UPDATE SET {total} = {name}.{total} + excluded.{total}"
    )
    values = [
        field.get_db_prep_save(value, connection)
        for key, n in rows
        for field, value in zip(fields, (*key, n), strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
