"""The last minutes, read from the predictions themselves: for steps under a minute."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db.models import QuerySet

from monitoring.drift.grids import Counts
from monitoring.models import Feedback, Prediction, RouteKind
from monitoring.rollups import Scope
from monitoring.timelines import percentiles
from monitoring.timelines.counting import load_failed
from monitoring.timelines.places import StepOf
from monitoring.timelines.specs import Shapes, Tally
from monitoring.timelines.steps import Steps

MOST_ROWS = 50_000


def load_from_rows(scope: Scope, steps: Steps) -> tuple[Tally, Shapes] | None:
    """The same as from counters and histograms, and exact; None where there are too many rows."""
    fields = ("step", "version", "label", "score", "total_s")
    rows = list(_predictions(scope, steps).values_list(*fields)[: MOST_ROWS + 1])
    if len(rows) > MOST_ROWS:
        return None
    tally = Tally(
        predicted=_count(rows, steps.n),
        failed=load_failed(scope, steps),
        labelled=_load_labelled(scope, steps),
    )
    places = np.array([row[0] for row in rows], dtype=np.int64)
    confidence = np.array([row[3] for row in rows], dtype=np.float64)
    seconds = np.array([row[4] for row in rows], dtype=np.float64)
    return tally, Shapes(
        latency_s=percentiles.of_values(seconds, places, steps.n, percentiles.LATENCY),
        confidence=percentiles.of_values(confidence, places, steps.n, percentiles.CONFIDENCE),
    )


def _predictions(scope: Scope, steps: Steps) -> QuerySet[Any]:
    return (
        Prediction.objects.filter(**_meant(scope, steps, ""))
        .annotate(step=StepOf("at", steps=steps))
        .order_by()
    )


def _meant(scope: Scope, steps: Steps, prefix: str) -> dict[str, Any]:
    meant = {
        "model": scope.model,
        "route": RouteKind.LIVE,
        "at__gte": steps.window.start,
        "at__lt": steps.window.end,
        "version": scope.version,
        "segment": scope.segment,
    }
    return {prefix + name: value for name, value in meant.items() if value is not None}


def _count(rows: Sequence[tuple[Any, ...]], n_steps: int) -> dict[tuple[int, str], Counts]:
    places: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for place, version, label, *_ in rows:
        places[version, label].append(place)
    return {key: np.bincount(held, minlength=n_steps) for key, held in places.items()}


def _load_labelled(scope: Scope, steps: Steps) -> dict[tuple[int, int], dict[tuple[str, str], int]]:
    rows = (
        Feedback.objects.filter(**_meant(scope, steps, "prediction__"))
        .annotate(step=StepOf("prediction__at", steps=steps))
        .order_by("revision")
        .values_list("prediction_id", "step", "prediction__version", "label", "prediction__label")
    )
    # The latest revision counts.
    latest = {row[0]: row[1:] for row in rows}
    labelled: defaultdict[tuple[int, int], dict[tuple[str, str], int]] = defaultdict(dict)
    for place, version, actual, predicted in latest.values():
        cells = labelled[version, place]
        cells[actual, predicted] = cells.get((actual, predicted), 0) + 1
    return dict(labelled)
