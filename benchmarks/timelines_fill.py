"""A year of one model's hourly history, as rows of roll-ups, profiles and evaluations.

It is as dense as it can be: in every hour each of three versions answers, in both segments with
every label, and labels of every kind come back.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import numpy as np
from django.db import connection

from benchmarks import bulk

MODEL = "bench/year"
DAYS, MINUTE_DAYS = 365, 3
VERSIONS = (1, 2, 3)
DIMENSIONS = 384
ROWS_OF_LAST_MINUTES = 20_000
OTHER_KINDS = ("quality", "calibration", "traffic", "feedback", "errors", "latency", "stuck")
_CHUNK = 20_000
_LENGTHS = {
    "minute": timedelta(minutes=1),
    "hour": timedelta(hours=1),
    "day": timedelta(days=1),
}


def fill(end: datetime) -> dict[str, int]:
    """Add all rows of the year before `end`; how many there are of each table."""
    _register(end)
    _copy_all("monitoring_predictioncount", _COUNT, _counts(end))
    _copy_all("monitoring_confusioncell", _CELL, _cells(end))
    _copy_all("monitoring_failurecount", _FAILURE, _failures(end))
    _copy_all("monitoring_trafficprofile", _PROFILE, _profile_rows(end))
    _add_slots(end)
    _copy_all("monitoring_evaluation", _EVALUATION, _evaluations(end))
    _add_alerts(end)
    _add_reference(end)
    bulk.insert(
        bulk.Plan(
            model=MODEL,
            n=ROWS_OF_LAST_MINUTES,
            start_us=int((end - timedelta(minutes=31)).timestamp()) * 1_000_000,
            end_us=int(end.timestamp()) * 1_000_000,
        )
    )
    return _sizes()


def _register(end: datetime) -> None:
    from registry.models import Event, RegisteredModel, Route, Version

    namespace, _, name = MODEL.partition("/")
    model = RegisteredModel.objects.create(namespace=namespace, name=name)
    for number in VERSIONS:
        Version.objects.create(
            model=model,
            number=number,
            digest=f"{number:064x}",
            manifest="{}",
            task="text-classification",
            labels=list(bulk.LABELS),
            pooling="mean",
            n_bytes=1,
            n_files=1,
            created_by="benchmark",
            source="benchmark",
        )
    live = Version.objects.get(model=model, number=VERSIONS[-1])
    Route.objects.create(model=model, version=live, mode="live", weight=100, position=0)
    for i in range(300):
        Event.objects.create(
            at=end - timedelta(days=DAYS) * (300 - i) / 301,
            model=model,
            model_name=MODEL,
            number=VERSIONS[i % len(VERSIONS)],
            kind=("promoted", "rolled_back", "verified")[i % 3],
            actor="benchmark",
        )


_COUNT = ("model", "grain", "bucket", "version", "segment", "label", "n")
_CELL = (
    *("model", "clock", "grain", "bucket", "version", "segment", "source", "predicted", "actual"),
    *("n", "weight", "weight_squared"),
)
_PROFILE = ("model", "grain", "bucket", "version", "segment", "payload")
_EVALUATION = (
    *("monitor_id", "model", "version", "kind", "at", "n_reference", "n_window", "verdict"),
    *("severity", "value", "summary", "details", "cost_s"),
)
_FAILURE = ("model", "grain", "bucket", "version", "code", "n")


def _buckets(end: datetime) -> Iterator[tuple[str, str, datetime]]:
    """Grain, its text in the database, and time, of each bucket."""
    for grain, length in _LENGTHS.items():
        days = MINUTE_DAYS if grain == "minute" else DAYS
        at = (end - timedelta(days=days)).replace(hour=0, minute=0)
        while at < end:
            yield grain, _text(at), at
            at += length


def _counts(end: datetime) -> Iterator[tuple[Any, ...]]:
    kinds = list(product(VERSIONS, bulk.SEGMENTS, bulk.LABELS))
    for grain, bucket, _ in _buckets(end):
        for i, (version, segment, label) in enumerate(kinds):
            yield MODEL, grain, bucket, version, segment, label, 7 + i


def _cells(end: datetime) -> Iterator[tuple[Any, ...]]:
    kinds = list(product(VERSIONS, bulk.LABELS, bulk.LABELS))
    rng = np.random.default_rng(1)
    for grain, bucket, _ in _buckets(end):
        counts = rng.integers(1, 9, len(kinds)).tolist()
        for (version, predicted, actual), n in zip(kinds, counts, strict=True):
            key = (MODEL, "predicted", grain, bucket, version, "", "delayed", predicted, actual)
            yield *key, 9 * n if predicted == actual else n, 1000 * n, 1_000_000 * n


def _failures(end: datetime) -> Iterator[tuple[Any, ...]]:
    for grain, bucket, _ in _buckets(end):
        for version in VERSIONS:
            yield MODEL, grain, bucket, version, "queue_full", 2


def _copy_all(table: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> None:
    held: list[tuple[Any, ...]] = []
    for row in rows:
        held.append(row)
        if len(held) == _CHUNK:
            bulk.copy_rows(table, columns, held)
            held = []
    bulk.copy_rows(table, columns, held)


def _text(at: datetime) -> str:
    mark = "" if connection.vendor == "sqlite" else "+00"
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}{mark}"


def _bytes(data: bytes) -> Any:
    # In COPY's text format a backslash is written twice.
    return data if connection.vendor == "sqlite" else f"\\\\x{data.hex()}"


def _sample(n: int, seed: int) -> Any:
    """`n` labelled answers, each with an embedding."""
    from monitoring.drift.sample import make_sample

    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.3] * len(bulk.LABELS), n)
    predicted = probabilities.argmax(axis=1)
    is_right = rng.random(n) < bulk.ACCURACY
    return make_sample(
        labels=bulk.LABELS,
        predicted=predicted,
        probabilities=probabilities,
        embeddings=rng.standard_normal((n, DIMENSIONS)),
        n_tokens=rng.poisson(30, n) + 1,
        seconds=rng.gamma(4, 0.003, n),
        actual=np.where(is_right, predicted, (predicted + 1) % len(bulk.LABELS)),
    )


def _profiles() -> list[bytes]:
    from monitoring.drift.sums import sums_of
    from monitoring.traffic import profiles

    return [profiles.encode(profiles.profile_of(sums_of(_sample(500, i)))) for i in range(20)]


def _profile_rows(end: datetime) -> Iterator[tuple[Any, ...]]:
    payloads = [_bytes(payload) for payload in _profiles()]
    kinds = list(product(VERSIONS, bulk.SEGMENTS))
    for i, (grain, bucket, at) in enumerate(_buckets(end)):
        if grain != "minute" and at < end - timedelta(days=1):
            for version, segment in kinds:
                payload = payloads[(i + version) % len(payloads)]
                yield MODEL, grain, bucket, version, segment, payload


def _add_slots(end: datetime) -> None:
    """The last day in slots of five minutes, each with its sums."""
    from monitoring.drift import sums
    from monitoring.models import Span, TrafficSum
    from monitoring.traffic.spans import SLOT, slot_of

    payload, profiles = sums.encode(sums.sums_of(_sample(200, 99))), _profiles()
    first = slot_of(end - timedelta(hours=25))
    TrafficSum.objects.bulk_create(
        TrafficSum(
            model=MODEL,
            version=version,
            segment=segment,
            span=Span.SLOT,
            start_at=first + i * SLOT,
            end_at=first + (i + 1) * SLOT,
            n=200,
            payload=payload,
            profile=profiles[(i + version) % len(profiles)],
        )
        for i in range(25 * 12)
        for version, segment in product(VERSIONS, bulk.SEGMENTS)
    )


def _add_monitors(end: datetime) -> dict[str, int]:
    """The id of a monitor of each kind."""
    from monitoring.models import Monitor

    return {
        kind: Monitor.objects.create(
            model=MODEL,
            name=kind,
            kind=kind,
            window_by="count",
            window=1000,
            created_by="benchmark",
            created_at=end,
        ).pk
        for kind in ("drift", "estimate", *OTHER_KINDS)
    }


def _evaluations(end: datetime) -> Iterator[tuple[Any, ...]]:
    """Each monitor's, once an hour, and once in five minutes of the last two days."""
    times = [end - timedelta(hours=i) for i in range(1, DAYS * 24)]
    times += [end - timedelta(minutes=5 * i) for i in range(1, 2 * 24 * 12)]
    monitors = {
        kind: (monitor, json.dumps(_DETAILS.get(kind, {"note": "x" * 300})))
        for kind, monitor in _add_monitors(end).items()
    }
    for i, at in enumerate(sorted(times)):
        verdict, when = "OK" if i % 50 else "DRIFT", _text(at)
        for kind, (monitor, details) in monitors.items():
            key = (monitor, MODEL, VERSIONS[-1], kind, when, 0, 1000, verdict)
            yield *key, "", 0.5, "", details, 0.0


_FAMILY = {
    "verdict": "DRIFT",
    "p_value": 1e-6,
    "alpha": 1e-4,
    "detector": "shape",
    "effect": 0.7,
    "details": {"tokens": ["word"] * 40},
}
_DETAILS: dict[str, dict[str, Any]] = {
    "drift": {"families": dict.fromkeys(("inputs", "outputs", "hygiene"), _FAMILY)},
    "estimate": {"accuracy": {"cbpe": [0.8, 0.85, 0.9]}, "macro_f1": [0.8, 0.85, 0.9]},
}


def _add_alerts(end: datetime) -> None:
    from monitoring.models import Alert, Transition

    for i in range(200):
        at = end - timedelta(days=DAYS) * (200 - i) / 201
        alert = Alert.objects.create(
            model=MODEL,
            version=VERSIONS[-1],
            kind="drift",
            state="resolved",
            severity="warning",
            summary="",
            opened_at=at,
            seen_at=at,
        )
        for before, after in (("pending", "firing"), ("firing", "resolved")):
            Transition.objects.create(
                alert=alert, at=at, from_state=before, to_state=after, severity="warning"
            )


def _add_reference(end: datetime) -> None:
    from monitoring.drift import reference as references
    from monitoring.models import Reference

    fitted = references.fit(_sample(2000, 7), rng=np.random.default_rng(1))
    Reference.objects.create(
        model=MODEL,
        version=VERSIONS[-1],
        origin="accepted",
        state="ready",
        is_active=True,
        n=fitted.sums.n,
        payload=references.encode(fitted),
        created_by="benchmark",
        created_at=end,
        ready_at=end,
    )


def _sizes() -> dict[str, int]:
    from monitoring import models

    tables = (
        models.PredictionCount,
        models.ConfusionCell,
        models.TrafficProfile,
        models.TrafficSum,
        models.Evaluation,
        models.Prediction,
    )
    return {table.__name__: table.objects.count() for table in tables}
