"""What was predicted, failed and labelled in each step, by the roll-ups."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import numpy as np
from django.db.models import Sum

from monitoring.drift.grids import Counts
from monitoring.models import Clock, ConfusionCell, FailureCount, PredictionCount
from monitoring.roll_up_sql import RollUp
from monitoring.rollups import Scope
from monitoring.timelines.places import StepOf
from monitoring.timelines.specs import Tally
from monitoring.timelines.steps import Steps


def load_tally(scope: Scope, steps: Steps) -> Tally:
    """In three statements, whatever was predicted; `steps` are whole minutes."""
    predicted: defaultdict[tuple[int, str], Counts] = defaultdict(
        lambda: np.zeros(steps.n, np.int64)
    )
    where = _narrowed(scope)
    for place, version, label, n in _sums(PredictionCount, steps, where, ("version", "label")):
        predicted[version, label][place] += n
    return Tally(
        predicted={key: counts for key, counts in predicted.items() if counts.any()},
        failed=load_failed(scope, steps),
        labelled=_load_labelled(steps, where | {"clock": Clock.PREDICTED.value}),
    )


def load_failed(scope: Scope, steps: Steps) -> Counts | None:
    """Requests that failed in each step; None of one segment, since failures have none.

    They are counted by the minute: where steps are shorter, at the minute's first step.
    """
    if scope.segment is not None:
        return None
    failed: Counts = np.zeros(steps.n, np.int64)
    for place, n in _sums(FailureCount, steps, _narrowed(scope), ()):
        if 0 <= place < steps.n:
            failed[place] += n
    return failed


def _load_labelled(
    steps: Steps, where: dict[str, object]
) -> dict[tuple[int, int], dict[tuple[str, str], int]]:
    labelled: defaultdict[tuple[int, int], dict[tuple[str, str], int]] = defaultdict(dict)
    fields = ("version", "actual", "predicted")
    for place, version, actual, predicted, n in _sums(ConfusionCell, steps, where, fields):
        cells = labelled[version, place]
        pair = actual, predicted
        cells[pair] = cells.get(pair, 0) + n
    return dict(labelled)


def _narrowed(scope: Scope) -> dict[str, object]:
    narrowed = {"model": scope.model, "version": scope.version, "segment": scope.segment}
    return {name: value for name, value in narrowed.items() if value is not None}


def _sums(
    table: RollUp, steps: Steps, where: dict[str, object], fields: tuple[str, ...]
) -> Iterator[tuple[Any, ...]]:
    """Rows (step, *fields, n), added up by the database: a day has thousands of buckets."""
    run = steps.run
    return iter(
        table.objects.filter(
            **where, grain=run.grain.value, bucket__gte=run.start, bucket__lt=run.end
        )
        .order_by()
        .values_list(StepOf("bucket", steps=steps), *fields)
        .annotate(Sum("n"))
    )
