"""Models with a past, for the tests of the home page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from monitoring.evaluating.services import source_of
from monitoring.models import (
    ConfusionCell,
    Evaluation,
    FailureCount,
    Monitor,
    Reference,
    ReferenceOrigin,
    ReferenceState,
)
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from monitoring.windows import Grain, floor
from tests.monitoring.alerting.builders import Clock
from tests.monitoring.evaluating.builders import add_traffic, draw, go_live

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def add_cells(
    model: str,
    pairs: dict[tuple[str, str], int],
    *,
    at: datetime = NOW,
    version: int = 1,
    source: str = "delayed",
    weight: int = 1000,
) -> None:
    """Labelled predictions by (actual, predicted), as the roll-ups of their hour have them."""
    for (actual, predicted), n in pairs.items():
        ConfusionCell.objects.create(
            model=model,
            clock="predicted",
            grain=Grain.HOUR,
            bucket=floor(at, Grain.HOUR),
            version=version,
            source=source,
            actual=actual,
            predicted=predicted,
            n=n,
            weight=n * weight,
            weight_squared=n * weight**2,
        )


def add_failures(model: str, code: str, n: int, *, at: datetime = NOW - MINUTE) -> None:
    FailureCount.objects.create(
        model=model,
        grain=Grain.MINUTE,
        bucket=floor(at, Grain.MINUTE),
        version=1,
        code=code,
        n=n,
    )


def add_baseline(model: str, f1: float | None, *, version: int = 1) -> None:
    """An active reference of which only its summary is known."""
    Reference.objects.create(
        model=model,
        version=version,
        origin=ReferenceOrigin.ACCEPTED,
        state=ReferenceState.READY,
        is_active=True,
        summary={"macro_f1": f1},
        created_by="tests",
        created_at=NOW,
        ready_at=NOW,
    )


def add_answer(
    model: str,
    kind: str,
    verdict: Verdict,
    *,
    name: str = "",
    version: int = 1,
    at: datetime = NOW - MINUTE,
    **fields: Any,
) -> Monitor:
    """A monitor and its newest evaluation."""
    monitor, _ = Monitor.objects.get_or_create(
        model=model,
        name=name or kind,
        defaults={
            "kind": kind,
            "window_by": "count",
            "window": 1000,
            "created_by": "tests",
            "created_at": NOW,
        },
    )
    Evaluation.objects.create(
        monitor=monitor,
        model=model,
        version=version,
        kind=kind,
        at=at,
        verdict=verdict,
        n_window=1000,
        summary="as it is",
        **fields,
    )
    return monitor


def add_busy(model: str) -> None:
    """A live model with everything that the page can show of one."""
    go_live(model=model)
    add_traffic(draw(np.random.default_rng(0), 300), None, model=model, end=NOW)
    add_cells(model, {("a", "a"): 60, ("b", "b"): 30, ("a", "b"): 10})
    add_failures(model, "lane_failed", 3)
    add_baseline(model, 0.9)
    drift = add_answer(model, "drift", Verdict.DRIFT)
    details = {"macro_f1": [0.7, 0.75, 0.8]}
    add_answer(model, "estimate", Verdict.OK, details=details)
    told = {"model": model, "severity": Severity.CRITICAL, "source": source_of(drift.pk)}
    Clock(NOW - HOUR).fire(**told)
