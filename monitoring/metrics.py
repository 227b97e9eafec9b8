"""Prometheus gauges of what the monitor knows: read from the database, at most every 10 s.

All replicas show the same numbers, for they read the same rows: rules take the `max` over them.
Names and labels are documented in docs/reference/metrics.md.
"""

import logging
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import DatabaseError
from django.db.models import Count, Min, OuterRef, Subquery
from django.utils import timezone
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from monitoring.errors import MonitoringError
from monitoring.models import (
    Alert,
    AlertState,
    Evaluation,
    Monitor,
    MonitorKind,
    Notification,
    NotificationState,
)
from monitoring.quality.metrics import matrix, scores
from monitoring.rollups import By, Scope, load_cells, load_counts
from monitoring.windows import Grain, Window, floor

log = logging.getLogger(__name__)

FRESH_S = 10.0
"""Scrapes within this time show the same numbers."""
REALISED = timedelta(hours=24)
MOST_MONITORS = 2_000
MOST_ALERTS = 1_000
MOST_MODELS = 100
_OPEN = (AlertState.PENDING, AlertState.FIRING)


@dataclass(frozen=True, slots=True)
class Family:
    """One gauge."""

    name: str
    help: str
    labels: tuple[str, ...] = ()


_MONITOR = ("model", "version", "kind", "monitor")
ALERTS = Family(
    "bellwether_alerts",
    "1 for each alert that is pending or firing.",
    ("model", "version", "kind", "severity", "state"),
)
VALUE = Family("bellwether_monitor_value", "What a monitor's newest evaluation measured.", _MONITOR)
THRESHOLD = Family(
    "bellwether_monitor_threshold", "What that value is compared with, where it is.", _MONITOR
)
P_VALUE = Family("bellwether_monitor_p_value", "Its p-value, where it has one.", _MONITOR)
EFFECT = Family("bellwether_monitor_effect", "How large the change is that it saw.", _MONITOR)
ITEMS = Family("bellwether_monitor_items", "How many items it rests on.", _MONITOR)
BAD = Family("bellwether_monitor_bad", "1 where its verdict is bad.", _MONITOR)
AGE = Family(
    "bellwether_evaluation_age_seconds",
    "Seconds since an enabled monitor was last evaluated, or made.",
    ("model", "kind", "monitor"),
)
_DRIFT = ("model", "version", "monitor", "family")
DRIFT_P = Family(
    "bellwether_drift_p_value", "p-value of a family of detectors, already adjusted.", _DRIFT
)
DRIFT_EFFECT = Family("bellwether_drift_effect", "Effect that a family of detectors saw.", _DRIFT)
E_VALUE = Family(
    "bellwether_quality_e_value",
    "Evidence for degradation by labels; at the monitor's threshold it alarms.",
    ("model", "version", "monitor"),
)
_QUALITY = ("model", "version")
F1 = Family("bellwether_f1_realised", "Macro F1 by the labels of the last 24 hours.", _QUALITY)
F1_ESTIMATED = Family("bellwether_f1_estimated", "Macro F1 as estimated without labels.", _QUALITY)
COVERAGE = Family(
    "bellwether_feedback_coverage", "Labelled share of the last 24 hours' predictions.", _QUALITY
)
NOTIFICATIONS = Family(
    "bellwether_notifications",
    "Notifications made in the last 24 hours, and older ones that still wait, by state.",
    ("state",),
)
OUTBOX_LAG = Family(
    "bellwether_outbox_lag_seconds", "How long the oldest due notification has waited."
)
FAMILIES = (
    ALERTS,
    VALUE,
    THRESHOLD,
    P_VALUE,
    EFFECT,
    ITEMS,
    BAD,
    AGE,
    DRIFT_P,
    DRIFT_EFFECT,
    E_VALUE,
    F1,
    F1_ESTIMATED,
    COVERAGE,
    NOTIFICATIONS,
    OUTBOX_LAG,
)

Reading = tuple[Family, tuple[str, ...], float]
"""A gauge, its label values in order, and what it shows."""


class MonitorCollector(Collector):
    """Shows the newest readings. `refresh` reads them, in a thread of its own; scrapes never do."""

    def __init__(self) -> None:
        self._readings: list[Reading] = []
        self._read_at = -FRESH_S
        self._lock = threading.Lock()

    def describe(self) -> Iterable[Metric]:
        return self._show([])

    def collect(self) -> Iterable[Metric]:
        return self._show(self._readings)

    def refresh(self) -> None:
        """Read anew unless that was done just now or is being done. Blocks on the database.

        A database that does not answer leaves the numbers as they were.
        """
        if time.monotonic() - self._read_at < FRESH_S or not self._lock.acquire(blocking=False):
            return
        try:
            self._readings = list(load_readings(timezone.now()))
            self._read_at = time.monotonic()
        except DatabaseError as error:
            log.warning("the monitor's metrics are as old as the database's last answer: %s", error)
        except Exception:
            # A mistake here must not hide the metrics of what serves.
            log.exception("the monitor's metrics cannot be read")
        finally:
            self._lock.release()

    def _show(self, readings: Iterable[Reading]) -> Iterator[Metric]:
        # Of two monitors that measure the same the later one is shown: a scrape may say it once.
        values: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
        for family, labels, value in readings:
            values[family.name][labels] = value
        for family in FAMILIES:
            metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for labels, value in values[family.name].items():
                metric.add_metric(labels, value)
            yield metric


def register(registry: CollectorRegistry = REGISTRY) -> MonitorCollector:
    """Make the gauges part of every scrape of this process."""
    collector = MonitorCollector()
    registry.register(collector)
    return collector


def load_readings(now: datetime) -> Iterator[Reading]:
    """Everything that the gauges show."""
    yield from _alerts()
    monitors = _load_monitors()
    newest = Evaluation.objects.in_bulk({row.newest for row in monitors if row.newest})
    for row in monitors:
        age = (now - (row.evaluated_at or row.created_at)).total_seconds()
        yield AGE, (row.model, row.kind, row.name), max(0.0, age)
        if evaluation := newest.get(row.newest):
            yield from _evaluated(row, evaluation)
    for model in sorted({row.model for row in monitors})[:MOST_MODELS]:
        yield from _realised(model, now)
    yield from _outbox(now)


def _alerts() -> Iterator[Reading]:
    for row in Alert.objects.filter(state__in=_OPEN).order_by("pk")[:MOST_ALERTS]:
        labels = (row.model, str(row.version), row.kind, row.severity, row.state)
        yield ALERTS, labels, 1.0


def _load_monitors() -> list[Any]:
    newest = Evaluation.objects.filter(monitor=OuterRef("pk")).order_by("-at", "-pk")
    rows = Monitor.objects.filter(is_enabled=True).annotate(
        newest=Subquery(newest.values("pk")[:1])
    )
    return list(rows.order_by("pk")[:MOST_MONITORS])


def _evaluated(monitor: Any, row: Evaluation) -> Iterator[Reading]:
    labels = (row.model, str(row.version), row.kind, monitor.name)
    measured = (row.value, row.threshold, row.p_value, row.effect)
    for family, value in zip((VALUE, THRESHOLD, P_VALUE, EFFECT), measured, strict=True):
        if value is not None:
            yield family, labels, value
    yield ITEMS, labels, float(row.n_window)
    yield BAD, labels, float(bool(row.severity))
    if row.kind == MonitorKind.DRIFT:
        yield from _families(monitor, row)
    elif row.kind == MonitorKind.QUALITY and row.value is not None:
        yield E_VALUE, (row.model, str(row.version), monitor.name), row.value
    elif row.kind == MonitorKind.ESTIMATE:
        # Low, estimate, high.
        interval: list[Any] = row.details.get("macro_f1") or [None, None, None]
        if isinstance(interval[1], int | float):
            yield F1_ESTIMATED, (row.model, str(row.version)), float(interval[1])


def _families(monitor: Any, row: Evaluation) -> Iterator[Reading]:
    families: Mapping[str, Any] = row.details.get("families", {})
    for name, found in families.items():
        labels = (row.model, str(row.version), monitor.name, name)
        for family, key in ((DRIFT_P, "p_value"), (DRIFT_EFFECT, "effect")):
            if isinstance(found.get(key), int | float):
                yield family, labels, float(found[key])


def _realised(model: str, now: datetime) -> Iterator[Reading]:
    window = Window(floor(now - REALISED, Grain.HOUR), floor(now, Grain.MINUTE))
    scope = Scope(model=model, window=window, by=By.VERSION)
    counts = load_counts(scope)
    for version, cells in load_cells(scope).items():
        labels, n_predicted = (model, str(version)), counts.get(version, 0)
        try:
            table = matrix(cells)
        except MonitoringError:
            continue
        if not table.n or not n_predicted:
            continue
        rates = scores(table.counts)
        yield F1, labels, float(rates.macro(rates.f1))
        yield COVERAGE, labels, min(1.0, table.n / n_predicted)


def _outbox(now: datetime) -> Iterator[Reading]:
    recent = Notification.objects.filter(created_at__gt=now - timedelta(hours=24))
    by_state = recent.values_list("state").annotate(n=Count("pk")).order_by()
    counts = dict.fromkeys(NotificationState.values, 0) | dict(by_state)
    waiting = Notification.objects.filter(state=NotificationState.QUEUED)
    counts[NotificationState.QUEUED] = waiting.count()
    for state, n in counts.items():
        yield NOTIFICATIONS, (str(state),), float(n)
    oldest = waiting.filter(due_at__lte=now).aggregate(at=Min("due_at"))["at"]
    yield OUTBOX_LAG, (), (now - oldest).total_seconds() if oldest else 0.0
