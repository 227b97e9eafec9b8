"""Histories of predictions and labels, put into rows and roll-ups at once."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from monitoring.counters import add, amounts_of, counts_of, weighed
from monitoring.labelling.drawing import UNIT_WEIGHT
from monitoring.models import ConfusionCell, Feedback, Prediction, PredictionCount
from tests.monitoring.builders import MODEL, NOW, uuid7


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One prediction, and where `actual` is not None its label, `delay` later."""

    at: datetime = NOW - timedelta(days=2)
    label: str = "POSITIVE"
    scores: dict[str, float] = field(default_factory=lambda: {"NEGATIVE": 0.1, "POSITIVE": 0.9})
    version: int = 1
    segment: str = ""
    actual: str | None = None
    source: str = "delayed"
    delay: timedelta = timedelta(hours=1)
    weight: int = UNIT_WEIGHT


def remember(events: Iterable[Event], *, now: datetime = NOW) -> None:
    """Add rows and roll-ups of `events`; labels that would come after `now` have not come yet."""
    chosen = list(events)
    rows = [_prediction(event) for event in chosen]
    labels = [
        _feedback(event, row)
        for event, row in zip(chosen, rows, strict=True)
        if event.actual is not None and event.at + event.delay <= now
    ]
    Prediction.objects.bulk_create(rows)
    Feedback.objects.bulk_create(labels)
    add(PredictionCount, Counter(key for row in rows for key in counts_of(row)))
    cells = Counter(cell for label in labels for cell in weighed(label.prediction, label))
    add(ConfusionCell, amounts_of(cells))


def spread(
    n: int, *, days: float, mean_delay_h: float, coverage: float, seed: int = 1, now: datetime = NOW
) -> list[Event]:
    """`n` predictions over the past `days`, a part of which gets exponentially delayed labels."""
    rng = np.random.default_rng(seed)
    ages, delays = rng.uniform(0, days, n), rng.exponential(mean_delay_h, n)
    is_labelled, is_right = rng.random(n) < coverage, rng.random(n) < 0.9
    return [
        Event(
            at=now - timedelta(days=float(age)),
            delay=timedelta(hours=float(delay)),
            actual=("POSITIVE" if right else "NEGATIVE") if labelled else None,
        )
        for age, delay, labelled, right in zip(ages, delays, is_labelled, is_right, strict=True)
    ]


def _prediction(event: Event) -> Prediction:
    return Prediction(
        id=uuid7(event.at.timestamp()),
        at=event.at,
        model=MODEL,
        version=event.version,
        task="text-classification",
        label=event.label,
        score=max(event.scores.values()),
        scores=event.scores,
        n_tokens=5,
        truncated=False,
        segment=event.segment,
        dialect="native",
        tokenize_s=0.0,
        queue_s=0.0,
        inference_s=0.0,
        total_s=0.0,
    )


def _feedback(event: Event, row: Prediction) -> Feedback:
    return Feedback(
        prediction=row,
        revision=1,
        label=event.actual or "",
        source=event.source,
        at=event.at + event.delay,
        weight=event.weight,
    )
