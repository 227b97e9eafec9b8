"""The read side of the roll-ups: counts over any window out of at most five runs of buckets."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from monitoring.counters import summed_columns
from monitoring.errors import InvalidWindow
from monitoring.labelling.drawing import UNIT_WEIGHT
from monitoring.models import Clock, ConfusionCell, PredictionCount
from monitoring.quality.weighted import Cell
from monitoring.roll_up_sql import RollUp, sum_runs
from monitoring.windows import LENGTHS, Grain, Window, ceil, floor, split

MAX_GROUPS = 1500


class By(StrEnum):
    """What an answer is split by."""

    NONE = "none"
    VERSION = "version"
    SEGMENT = "segment"
    SOURCE = "source"
    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"

    @property
    def grain(self) -> Grain | None:
        """The length of a group, where groups are stretches of time."""
        return Grain(self.value) if self.value in set(Grain) else None


# A version number, a segment, a source, the beginning of a stretch of time; None without groups.
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


# Who said so, what is true, what was predicted.
LabelKey = tuple[str, str, str]
_LABEL_FIELDS = ("source", "actual", "predicted")


def load_counts(scope: Scope) -> dict[Group, int]:
    """How many predictions were made, by group. Raises InvalidWindow for too many groups.

    A prediction has no source before it has a label: grouped by source, each is None's.
    """
    if scope.by is By.SOURCE:
        scope = replace(scope, by=By.NONE)
    counts: Counter[Group] = Counter()
    for group, n in _sums(PredictionCount, scope, {}, ()):
        counts[group] += n
    return dict(counts)


def load_cells(scope: Scope) -> dict[Group, dict[tuple[str, str], int]]:
    """How many labelled predictions are (actual, predicted), by group.

    `scope.clock` says whether the window is of the predictions' times or of their labels' arrival.
    Raises InvalidWindow for too many groups.
    """
    cells: defaultdict[Group, Counter[tuple[str, str]]] = defaultdict(Counter)
    fields = ("actual", "predicted")
    for group, actual, predicted, n in _sums(ConfusionCell, scope, _labelled(scope), fields):
        cells[group][actual, predicted] += n
    return {group: dict(counter) for group, counter in cells.items()}


def load_labels(scope: Scope) -> dict[Group, dict[LabelKey, Cell]]:
    """As `load_cells`, by source too, and with the sums of the labels' weights."""
    by_source = scope.by is By.SOURCE
    where = _labelled(scope)
    if by_source:
        scope = replace(scope, by=By.NONE)
    labels: defaultdict[Group, dict[LabelKey, Cell]] = defaultdict(dict)
    for row in _sums(ConfusionCell, scope, where, _LABEL_FIELDS, summed_columns(ConfusionCell)):
        group, source, actual, predicted, n, weight, squared = row
        cells = labels[source if by_source else group]
        key = source, actual, predicted
        cell = Cell(n, weight / UNIT_WEIGHT, squared / UNIT_WEIGHT**2)
        cells[key] = cells[key] + cell if key in cells else cell
    return dict(labels)


def _labelled(scope: Scope) -> dict[str, object]:
    where: dict[str, object] = {"clock": str(scope.clock)}
    return where if scope.source is None else where | {"source": scope.source}


def _sums(
    table: RollUp,
    scope: Scope,
    where: dict[str, object],
    fields: tuple[str, ...],
    sums: tuple[str, ...] = ("n",),
) -> Iterator[tuple[Any, ...]]:
    """Rows (group, *fields, *sums); a group may come more than once."""
    grain = scope.by.grain
    _refuse_many_groups(scope.window, grain)
    grouping = "bucket" if grain else scope.by.value
    narrowed = {"model": scope.model, "version": scope.version, "segment": scope.segment}
    rows = sum_runs(
        table,
        split(scope.window, coarsest=grain or Grain.DAY),
        where=where | {name: value for name, value in narrowed.items() if value is not None},
        columns=fields if scope.by is By.NONE else (grouping, *fields),
        sums=sums,
    )
    seen: set[Any] = set()
    for row in rows:
        group: Any = None if scope.by is By.NONE else row[0]
        seen.add(group)
        if len(seen) > MAX_GROUPS and not grain:
            raise _too_many_groups(scope.by.value, "narrow it to fewer")
        rest = row if scope.by is By.NONE else row[1:]
        yield (floor(group, grain) if grain else group, *rest)


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
