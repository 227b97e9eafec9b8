"""How many counters differ from the rows: by the product's recount, and by SQL of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.storm_events import DAYS, MODEL

Rows = set[tuple[Any, ...]]

_BUCKET = "CAST(bucket AS TEXT)"
_LATEST = (
    "FROM monitoring_feedback f JOIN monitoring_prediction p ON p.id = f.prediction_id "
    "WHERE p.route = 'live' AND NOT EXISTS (SELECT 1 FROM monitoring_feedback g "
    "WHERE g.prediction_id = f.prediction_id AND g.revision > f.revision)"
)


def differ_by_recount(start: datetime) -> int:
    """The differences that `recount` finds on all days of the storm."""
    from monitoring.recounts import recount

    now = datetime.now(UTC)
    days = [(start + timedelta(days=i)).date() for i in range(DAYS + 1)]
    return sum(len(recount(MODEL, day, now=now).differences) for day in days)


def differ_by_sql() -> int:
    """Rows that are only among the counters, or only among what SQL counts from the rows."""
    return sum(len(_fetch(a) ^ _fetch(b)) for a, b in _pairs())


def _pairs() -> Iterator[tuple[str, str]]:
    """What is counted, and what it should be: two statements with the same columns."""
    from benchmarks.bulk import floor_sql

    for grain in ("minute", "hour", "day"):
        yield (
            f"SELECT {_BUCKET}, version, segment, label, n FROM monitoring_predictioncount "
            f"WHERE grain = '{grain}' AND n <> 0",
            f"SELECT {_text(floor_sql('at', grain))}, version, segment, label, COUNT(*) "
            "FROM monitoring_prediction WHERE route = 'live' GROUP BY 1, 2, 3, 4",
        )
        for clock, at in (("predicted", "p.at"), ("arrived", "f.at")):
            yield (
                f"SELECT {_BUCKET}, version, segment, source, predicted, actual, n, weight, "
                "weight_squared FROM monitoring_confusioncell "
                f"WHERE grain = '{grain}' AND clock = '{clock}' "
                "AND (n <> 0 OR weight <> 0 OR weight_squared <> 0)",
                f"SELECT {_text(floor_sql(at, grain))}, p.version, p.segment, f.source, "
                "p.label, f.label, COUNT(*), CAST(SUM(f.weight) AS BIGINT), "
                f"CAST(SUM(CAST(f.weight AS BIGINT) * f.weight) AS BIGINT) {_LATEST} "
                "GROUP BY 1, 2, 3, 4, 5, 6",
            )


def _text(expression: str) -> str:
    # SQLite would read a column as a time, and an expression as text.
    return f"CAST({expression} AS TEXT)"


def _fetch(statement: str) -> Rows:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return set(cursor.fetchall())
