"""Live models, references and traffic for the tests of monitors."""

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np

from monitoring.drift import reference as references
from monitoring.drift import sums as drift_sums
from monitoring.drift.basis import Basis
from monitoring.drift.sample import Sample, make_sample
from monitoring.evaluating.services import create
from monitoring.models import (
    Feedback,
    Monitor,
    Prediction,
    PredictionCount,
    Reference,
    ReferenceOrigin,
    ReferenceState,
    Span,
    TrafficSum,
)
from monitoring.windows import Grain, floor
from registry.models import RegisteredModel, Route, Version
from registry.specs import EventKind, RouteMode
from tests.monitoring.builders import MODEL, make_record, register
from tests.registry.events import append_event

LABELS = ("NEGATIVE", "POSITIVE")
NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
START = NOW - timedelta(days=30)
DIMENSIONS = 16


def go_live(number: int = 1, *, at: datetime = START, model: str = MODEL) -> None:
    """Register a version, and let it answer since `at`."""
    if not Version.objects.filter(number=number, model__name=model.split("/")[1]).exists():
        register(model, number=number, labels=LABELS)
    row = RegisteredModel.objects.get(name=model.split("/")[1])
    Route.objects.filter(model=row).delete()
    version = Version.objects.get(model=row, number=number)
    Route.objects.create(model=row, version=version, mode=RouteMode.LIVE, weight=100, position=0)
    append_event(
        at=at, model=row, model_name=model, kind=EventKind.PROMOTED, actor="tests", to_number=number
    )


def draw(
    rng: np.random.Generator,
    n: int,
    *,
    shift: float = 0.0,
    sharpness: float = 1.0,
    is_labelled: bool = False,
) -> Sample:
    """n answers; `shift` moves the embeddings' mean, `sharpness` under 1 makes them less sure."""
    logits = rng.normal(0, 3, n) * sharpness
    positive = 1 / (1 + np.exp(-logits))
    embeddings = rng.standard_normal((n, DIMENSIONS)) + shift
    truth = (rng.random(n) < positive).astype(int)
    return make_sample(
        labels=LABELS,
        predicted=(positive >= 0.5).astype(int),
        probabilities=np.stack([1 - positive, positive], axis=1),
        embeddings=embeddings,
        n_tokens=rng.poisson(20, n) + 1,
        seconds=rng.gamma(4, 0.003, n),
        scripts=["Latn"] * n,
        actual=truth if is_labelled else None,
    )


def add_reference(
    sample: Sample, *, number: int = 1, at: datetime = START, model: str = MODEL
) -> references.Reference:
    """An active reference of traffic."""
    return keep_reference(fit(sample), number=number, at=at, model=model)


@cache
def usual_reference() -> references.Reference:
    """A labelled reference of 2,000 answers, made once."""
    return fit(draw(np.random.default_rng(0), 2000, is_labelled=True))


def fit(sample: Sample) -> references.Reference:
    return references.fit(sample, rng=np.random.default_rng(1))


def keep_reference(
    fitted: references.Reference,
    *,
    number: int = 1,
    at: datetime = START,
    model: str = MODEL,
) -> references.Reference:
    """Make it the active one of a version."""
    Reference.objects.filter(model=model, version=number).update(is_active=False)
    Reference.objects.create(
        model=model,
        version=number,
        origin=ReferenceOrigin.ACCEPTED,
        state=ReferenceState.READY,
        is_active=True,
        n=fitted.sums.n,
        payload=references.encode(fitted),
        created_by="tests",
        created_at=at,
        ready_at=at,
    )
    return fitted


def add_traffic(
    sample: Sample,
    basis: Basis | None,
    *,
    end: datetime = NOW,
    number: int = 1,
    segment: str = "",
    model: str = MODEL,
) -> None:
    """Traffic that ends just before `end`: blocks of a hundred, a slot, and day counts."""
    common: dict[str, Any] = {"model": model, "version": number}
    for i in range(0, len(sample), 100):
        part = sample.take(range(i, min(i + 100, len(sample))))
        at = end - timedelta(milliseconds=len(sample) - i)
        TrafficSum.objects.create(
            **common,
            span=Span.BLOCK,
            start_at=at,
            end_at=at,
            n=len(part),
            payload=drift_sums.encode(drift_sums.sums_of(part, basis)),
        )
    slot = end - timedelta(minutes=5)
    TrafficSum.objects.create(
        **common,
        segment=segment,
        span=Span.SLOT,
        start_at=slot,
        end_at=end,
        n=len(sample),
        payload=drift_sums.encode(drift_sums.sums_of(sample, basis)),
    )
    add_counts(len(sample), at=slot, number=number, model=model)


def add_counts(n: int, *, at: datetime, number: int = 1, model: str = MODEL) -> None:
    """n answered requests at `at`, in all grains."""
    for grain in Grain:
        row, _ = PredictionCount.objects.get_or_create(
            model=model,
            grain=grain,
            bucket=floor(at, grain),
            version=number,
            segment="",
            label=LABELS[0],
            defaults={"n": 0},
        )
        PredictionCount.objects.filter(pk=row.pk).update(n=row.n + n)


def add_labels(
    n: int,
    n_wrong: int,
    *,
    at: datetime,
    number: int = 1,
    source: str = "delayed",
    score: float = 0.9,
    weight: int = 1000,
) -> None:
    """n predictions with labels that arrive at `at`, `n_wrong` of them wrong, evenly spread."""
    wrong = {int(i * n / n_wrong) for i in range(n_wrong)} if n_wrong else set()
    made = []
    for i in range(n):
        record = make_record(at=at.timestamp(), version=number, label=LABELS[i % 2], score=score)
        fields = {f.attname for f in Prediction._meta.concrete_fields}
        values = {
            name: getattr(record, name) for name in record.__struct_fields__ if name in fields
        }
        made.append(Prediction(**(values | {"at": at})))
    Prediction.objects.bulk_create(made)
    Feedback.objects.bulk_create(
        Feedback(
            prediction=row,
            revision=1,
            label=LABELS[(i + (i in wrong)) % 2],
            source=source,
            at=at,
            weight=weight,
        )
        for i, row in enumerate(made)
    )


def add_monitor(kind: str, *, name: str = "", **fields: Any) -> Monitor:
    """A monitor of the live version, created a day before NOW unless said otherwise."""
    at = fields.pop("created_at", NOW - timedelta(days=1))
    given = {"kind": kind, "name": name or kind} | fields
    return create(MODEL, given, actor="tests", now=at)
