"""Time lines counted again from rows, in the plainest way: the fast reader is compared with it."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from monitoring.models import Feedback, Prediction

Pairs = Counter[tuple[str, str]]


class Recount:
    """Live predictions of `model` by step, narrowed to a version or a segment."""

    def __init__(
        self,
        shown: dict[str, Any],
        *,
        model: str,
        version: int | None = None,
        segment: str | None = None,
    ) -> None:
        self.times: list[int] = shown["times"]
        self.step_s: int = shown["step_s"]
        self.rows: list[Prediction] = [
            row
            for row in Prediction.objects.filter(model=model, route="live").order_by("at")
            if version in (None, row.version)
            and segment in (None, row.segment)
            and self.place(row.at) is not None
        ]
        self.labels: dict[Any, str] = {}
        for label in Feedback.objects.order_by("revision"):
            self.labels[label.prediction_id] = label.label

    def place(self, at: datetime) -> int | None:
        """The step that holds `at`, by looking at each."""
        second = at.timestamp()
        for i, begin in enumerate(self.times):
            if begin <= second < begin + self.step_s:
                return i
        return None

    def counts(self, name: str) -> dict[Any, list[int]]:
        """How many rows of each value of the field `name` there are, by step."""
        found: defaultdict[Any, list[int]] = defaultdict(lambda: [0] * len(self.times))
        for row in self.rows:
            place = self.place(row.at)
            assert place is not None
            found[getattr(row, name)][place] += 1
        return dict(found)

    def values(self, name: str) -> list[list[float]]:
        """The values of the field `name`, ascending, by step."""
        found: list[list[float]] = [[] for _ in self.times]
        for row in self.rows:
            place = self.place(row.at)
            assert place is not None
            found[place].append(getattr(row, name))
        return [sorted(values) for values in found]

    def pairs(self, version: int) -> list[Pairs]:
        """(actual, predicted) of the labelled predictions of `version`, by step."""
        found = [Pairs() for _ in self.times]
        for row in self.rows:
            place = self.place(row.at)
            if row.version == version and row.id in self.labels and place is not None:
                found[place][self.labels[row.id], row.label] += 1
        return found


def macro_f1(pairs: Pairs) -> float | None:
    """By definition, over the classes that are true or predicted."""
    classes = {label for pair in pairs for label in pair}
    if not classes:
        return None
    return sum(_f1(pairs, label) for label in classes) / len(classes)


def _f1(pairs: Pairs, label: str) -> float:
    hits = pairs[label, label]
    actual = sum(n for (true, _), n in pairs.items() if true == label)
    predicted = sum(n for (_, said), n in pairs.items() if said == label)
    return 2 * hits / (actual + predicted)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value at rank ceil(share * n)."""
    if not values:
        return None
    return values[max(math.ceil(share * len(values) - 1e-9), 1) - 1]


def total(series: Iterable[Sequence[int]]) -> list[int]:
    return [sum(step) for step in zip(*series, strict=True)]
