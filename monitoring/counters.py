"""Roll-up arithmetic: which counters an event moves, and the one statement that moves them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Field

from monitoring.models import (
    Clock,
    ConfusionCell,
    FailureCount,
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
# What is added to each summed column of a table, in the order of `summed_columns`.
Amounts = tuple[int, ...]
# Labels of one weight (in thousandths) in one cell.
Weighed = tuple[Key, int]
Table = (
    type[PredictionCount]
    | type[ConfusionCell]
    | type[ShadowCell]
    | type[ShadowTally]
    | type[FailureCount]
)
_ROWS_PER_STATEMENT = 500
_WEIGHED = ("n", "weight", "weight_squared")


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


def weighed(prediction: Prediction, feedback: Feedback) -> Iterator[Weighed]:
    """`cells_of`, each with the label's weight."""
    return ((key, feedback.weight) for key in cells_of(prediction, feedback))


def amounts_of(labels: Mapping[Weighed, int]) -> dict[Key, Amounts]:
    """What so many labels of each weight add to their cells: n, Σ weight, Σ weight².

    Integers in thousandths and millionths: a correction takes away exactly what was added.
    """
    totals: dict[Key, Amounts] = {}
    for (key, weight), n in labels.items():
        count, linear, squared = totals.get(key, (0, 0, 0))
        totals[key] = (count + n, linear + n * weight, squared + n * weight**2)
    return totals


def summed_columns(table: Table) -> tuple[str, ...]:
    """The columns that `add` adds to."""
    return _WEIGHED if table is ConfusionCell else ("n",)


def add(table: Table, changes: Mapping[Key, int] | Mapping[Key, Amounts]) -> None:
    """Add each change to its counter, in the caller's transaction; missing counters are made.

    A change is one number, or for a table of several sums one for each of `summed_columns`.
    """
    moved = ((key, _as_amounts(change)) for key, change in changes.items())
    # In one order everywhere, so that two writers never wait for each other in a circle.
    rows = sorted((key, amounts) for key, amounts in moved if any(amounts))
    for start in range(0, len(rows), _ROWS_PER_STATEMENT):
        _upsert(table, rows[start : start + _ROWS_PER_STATEMENT])


def _as_amounts(change: int | Amounts) -> Amounts:
    return (change,) if isinstance(change, int) else change


def _columns(names: Sequence[str]) -> list[str]:
    return [connection.ops.quote_name(name) for name in names]


def _upsert(table: Table, rows: list[tuple[Key, Amounts]]) -> None:
    sums = _columns(summed_columns(table))
    fields = _fields(table)
    columns = _columns([field.column or field.name for field in fields])
    name = connection.ops.quote_name(table._meta.db_table)
    row = f"({', '.join(['%s'] * len(fields))})"
    moved = ", ".join(f"{total} = {name}.{total} + excluded.{total}" for total in sums)
    # Only names from the model's own metadata are put together here; every value is a parameter.
    statement = (
        f"INSERT INTO {name} ({', '.join(columns)}) VALUES {', '.join([row] * len(rows))} "  # noqa: S608
        f"ON CONFLICT ({', '.join(columns[: len(table.KEY)])}) DO UPDATE SET {moved}"
    )
    values = [
        field.get_db_prep_save(value, connection)
        for key, amounts in rows
        for field, value in zip(fields, (*key, *amounts), strict=True)
    ]
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def _fields(table: Table) -> list[Field[Any, Any]]:
    by_name = {field.name: field for field in table._meta.concrete_fields}
    return [by_name[name] for name in (*table.KEY, *summed_columns(table))]
