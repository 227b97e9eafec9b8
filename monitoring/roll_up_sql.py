"""One statement that sums a roll-up over runs of buckets: what a window is made of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from monitoring.models import ConfusionCell, FailureCount, PredictionCount
from monitoring.windows import Buckets

RollUp = type[PredictionCount] | type[ConfusionCell] | type[FailureCount]


def sum_runs(
    table: RollUp,
    runs: Sequence[Buckets],
    *,
    where: Mapping[str, object],
    columns: Sequence[str],
    sums: Sequence[str],
) -> Iterator[tuple[Any, ...]]:
    """Rows (*columns, *sums) of each of `runs`: those of `where`, grouped by `columns`.

    All names are columns of `table`. Without columns each run has one row, 0 where it is empty.
    """
    if not runs:
        return
    parts, values = [], []
    for run in runs:
        parts.append(_part(table, where, columns, sums))
        values += [*where.values(), run.grain.value, _adapted(run.start), _adapted(run.end)]
    # A part for each run, because an OR of ranges makes SQLite read the whole model; one statement,
    # because making a dozen takes longer than running them; materialised, because PostgreSQL would
    # start parallel workers for a union, which takes longer than the reading.
    numbered = [f"r{i} AS MATERIALIZED ({part})" for i, part in enumerate(parts)]
    chosen = [f"SELECT * FROM r{i}" for i in range(len(parts))]  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"WITH {', '.join(numbered)} {' UNION ALL '.join(chosen)}", values)
        rows = cursor.fetchall()
    split = len(columns)
    reads = [_as_time if name == "bucket" else _as_is for name in columns]
    for row in rows:
        group = (read(value) for read, value in zip(reads, row[:split], strict=True))
        yield (*group, *(int(total or 0) for total in row[split:]))


def _part(
    table: RollUp, where: Mapping[str, object], columns: Sequence[str], sums: Sequence[str]
) -> str:
    quote = connection.ops.quote_name
    names = [quote(name) for name in columns]
    chosen = [*names, *(f"SUM({quote(name)})" for name in sums)]
    tests = [f"{quote(name)} = %s" for name in (*where, "grain")]
    tests += [f"{quote('bucket')} >= %s", f"{quote('bucket')} < %s"]
    # Only names that this app writes are put together here; every value is a parameter.
    statement = (
        f"SELECT {', '.join(chosen)} FROM {quote(table._meta.db_table)} "  # noqa: S608
        f"WHERE {' AND '.join(tests)}"
    )
    return f"{statement} GROUP BY {', '.join(names)}" if names else statement


def _adapted(at: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(at)


def _as_is(value: Any) -> Any:
    return value


def _as_time(value: Any) -> datetime:
    # SQLite keeps times as text, in UTC.
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
