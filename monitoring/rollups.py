"""The read side of the roll-ups: counts over any window out of at most five runs of buckets."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from django.db.models import QuerySet, Sum

from monitoring.errors import InvalidWindow
from monitoring.models import Clock, ConfusionCell, PredictionCount
from monitoring.windows import LENGTHS, Grain, Window, ceil, floor, split

MAX_GROUPS = 1500


class By(StrEnum):
    """What an answer is split by."""

    NONE = "none"
    VERSION = "version"
    SEGMENT = "segment"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def grain(self) -> Grain | None:
        """The length of a group, where groups are stretches of time."""
        return Grain(self.value) if self.value in set(Grain) else None


# A version number, a segment, the beginning of a stretch of time; None without groups.
Group = int | str | datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which predictions are meant: those of `model` in `window`, narrowed where not None."""

    model: str
    window: Window
    version: int | None = None
    segment: str | None = None
    source: str | None = None
    by: By = By.NONE
    clock: Clock = Clock.PREDICTED


def load_counts(scope: Scope) -> dict[Group, int]:
    """How many predictions were made, by group. Raises InvalidWindow for too many groups."""
    counts: Counter[Group] = Counter()
    for group, n in _sums(PredictionCount.objects.all(), scope, ()):
        counts[group] += n
    return dict(counts)


def load_cells(scope: Scope) -> dict[Group, dict[tuple[str, str], int]]:
    """How many labelled predictions are (actual, predicted), by group.

    `scope.clock` says whether the window is of the predictions' times or of their labels' arrival.
    Raises InvalidWindow for too many groups.
    """
    rows: QuerySet[Any] = ConfusionCell.objects.filter(clock=scope.clock)
    if scope.source is not None:
        rows = rows.filter(source=scope.source)
    cells: defaultdict[Group, Counter[tuple[str, str]]] = defaultdict(Counter)
    for group, actual, predicted, n in _sums(rows, scope, ("actual", "predicted")):
        cells[group][actual, predicted] += n
    return {group: dict(counter) for group, counter in cells.items()}


def _sums(rows: QuerySet[Any], scope: Scope, fields: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows (group, *fields, n); a group may come more than once."""
    grain = scope.by.grain
    _refuse_many_groups(scope.window, grain)
    grouping = "bucket" if grain else scope.by.value
    columns = fields if scope.by is By.NONE else (grouping, *fields)
    rows = rows.filter(model=scope.model)
    if scope.version is not None:
        rows = rows.filter(version=scope.version)
    if scope.segment is not None:
        rows = rows.filter(segment=scope.segment)
    seen: set[Any] = set()
    # A query for each run: an OR of ranges makes SQLite read the whole model.
    for run in split(scope.window, coarsest=grain or Grain.DAY):
        part = rows.filter(grain=run.grain, bucket__gte=run.start, bucket__lt=run.end)
        summed = part.order_by().values_list(*columns).annotate(total=Sum("n"))
        for row in summed if columns else _total(part):
            group: Any = None if scope.by is By.NONE else row[0]
            seen.add(group)
            if len(seen) > MAX_GROUPS and not grain:
                raise _too_many_groups(scope.by.value, "narrow it to fewer")
            rest = row if scope.by is By.NONE else row[1:]
            yield (floor(group, grain) if grain else group, *rest)


def _total(part: QuerySet[Any]) -> list[tuple[int]]:
    return [(part.aggregate(total=Sum("n"))["total"] or 0,)]


def _refuse_many_groups(window: Window, grain: Grain | None) -> None:
    if grain is None:
        return
    length = ceil(window.end, grain) - floor(window.start, grain)
    if length / LENGTHS[grain] > MAX_GROUPS:
        raise _too_many_groups(grain.value, "choose a longer one or a shorter window")


def _too_many_groups(by: str, remedy: str) -> InvalidWindow:
    return InvalidWindow(
        f"'by={by}' makes more than {MAX_GROUPS} groups here: {remedy}.",
        details={"field": "by", "max_groups": MAX_GROUPS},
    )
