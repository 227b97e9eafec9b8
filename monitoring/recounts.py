"""Roll-ups counted again from the rows, and put right where they differ."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery

from monitoring.counters import (
    Amounts,
    Key,
    Table,
    Weighed,
    add,
    amounts_of,
    counts_of,
    summed_columns,
    weighed,
)
from monitoring.errors import InvalidWindow
from monitoring.models import (
    Clock,
    ConfusionCell,
    Feedback,
    Prediction,
    PredictionCount,
    RouteKind,
)
from monitoring.windows import LENGTHS, Grain


@dataclass(frozen=True, slots=True)
class Difference:
    """A counter that says `counted` where the rows say `true`: a number for each summed column."""

    table: Table
    key: Key
    counted: Amounts
    true: Amounts

    @property
    def missing(self) -> Amounts:
        """What the counter has to be moved by."""
        return tuple(true - counted for true, counted in zip(self.true, self.counted, strict=True))


@dataclass(frozen=True, slots=True)
class Recount:
    """What a day's rows say. Arrival times are left out where old predictions may be pruned."""

    n_predictions: int
    n_labelled: int
    has_arrivals: bool
    differences: tuple[Difference, ...]


def recount(model: str, day: date, *, now: datetime) -> Recount:
    """Compare every roll-up of `model` in `day` (UTC) with its rows, as of one moment.

    Raises InvalidWindow for a day whose predictions may be pruned already: its roll-ups are all
    that is left.
    """
    start = datetime.combine(day, time(), tzinfo=UTC)
    cutoff = now - timedelta(days=settings.BELLWETHER_RETENTION_DAYS)
    if start < cutoff:
        raise InvalidWindow(
            f"Predictions of {day} may be pruned already: a recount needs a day after "
            f"{cutoff:%Y-%m-%d}.",
            details={"field": "day"},
        )
    with _snapshot():
        return _recount(model, start, start + LENGTHS[Grain.DAY], cutoff)


def repair(result: Recount) -> None:
    """Move each counter by its difference: right also for counters that have moved on since."""
    with transaction.atomic():
        for table in (PredictionCount, ConfusionCell):
            add(table, {d.key: d.missing for d in result.differences if d.table is table})


@contextmanager
def _snapshot() -> Iterator[None]:
    is_outermost = not connection.in_atomic_block
    with transaction.atomic():
        # PostgreSQL otherwise shows each query a moment of its own; SQLite never does.
        if connection.vendor == "postgresql" and is_outermost:
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def _recount(model: str, start: datetime, end: datetime, cutoff: datetime) -> Recount:
    predictions = Prediction.objects.filter(model=model, at__gte=start, at__lt=end)
    days = PredictionCount.objects.filter(model=model, grain=Grain.DAY, bucket__lt=cutoff)
    has_arrivals = not days.exists()
    counts: Counter[Key] = Counter()
    n_predictions = 0
    for row in predictions.defer("text", "scores", "answer").iterator(chunk_size=2000):
        counts.update(counts_of(row))
        n_predictions += row.route == RouteKind.LIVE
    cells: Counter[Weighed] = Counter()
    labels = _latest_labels().filter(prediction__model=model)
    by_prediction = labels.filter(prediction__at__gte=start, prediction__at__lt=end)
    n_labelled = _count_cells(cells, by_prediction, Clock.PREDICTED)
    clocks = [Clock.PREDICTED]
    if has_arrivals:
        clocks.append(Clock.ARRIVED)
        _count_cells(cells, labels.filter(at__gte=start, at__lt=end), Clock.ARRIVED)
    in_day = {"model": model, "bucket__gte": start, "bucket__lt": end}
    return Recount(
        n_predictions=n_predictions,
        n_labelled=n_labelled,
        has_arrivals=has_arrivals,
        differences=(
            *_differences(
                PredictionCount,
                PredictionCount.objects.filter(**in_day),
                {key: (n,) for key, n in counts.items()},
            ),
            *_differences(
                ConfusionCell,
                ConfusionCell.objects.filter(clock__in=clocks, **in_day),
                amounts_of(cells),
            ),
        ),
    )


def _latest_labels() -> QuerySet[Feedback]:
    latest = Feedback.objects.filter(prediction=OuterRef("prediction")).order_by("-revision")
    rows = Feedback.objects.filter(pk=Subquery(latest.values("pk")[:1])).order_by()
    return rows.select_related("prediction").defer("prediction__text", "prediction__scores")


def _count_cells(cells: Counter[Weighed], labels: QuerySet[Feedback], clock: Clock) -> int:
    n = 0
    of_clock = ConfusionCell.KEY.index("clock")
    for label in labels.iterator(chunk_size=2000):
        keys = weighed(label.prediction, label)
        cells.update(cell for cell in keys if cell[0][of_clock] == clock.value)
        n += 1
    return n


def _differences(
    table: Table, rows: QuerySet[Any], true: Mapping[Key, Amounts]
) -> Iterator[Difference]:
    columns = summed_columns(table)
    nothing = (0,) * len(columns)
    split = len(table.KEY)
    counted = {row[:split]: row[split:] for row in rows.values_list(*table.KEY, *columns)}
    for key in sorted(counted.keys() | true.keys()):
        found, expected = counted.get(key, nothing), true.get(key, nothing)
        if found != expected:
            yield Difference(table, key, found, expected)
