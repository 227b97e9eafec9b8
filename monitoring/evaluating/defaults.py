"""The monitors that every model gets, once it has a live version."""

from datetime import datetime

from monitoring.evaluating.plans import BY_COUNT, DAY_S, HOUR_S, Plan
from monitoring.evaluating.services import as_row
from monitoring.models import Monitor
from registry import queries as registry

ACTOR = "defaults"
DEFAULTS: tuple[Plan, ...] = (
    Plan(
        name="drift by count",
        kind="drift",
        window_by=BY_COUNT,
        window=1000,
        every_s=60,
        every_n=100,
    ),
    Plan(name="drift by day", kind="drift", window=DAY_S, every_s=HOUR_S),
    Plan(name="quality", kind="quality", every_s=60, fires_after=1),
    Plan(
        name="estimate",
        kind="estimate",
        window_by=BY_COUNT,
        window=1000,
        every_s=60,
        every_n=100,
    ),
    Plan(name="calibration", kind="calibration", window=7 * DAY_S, every_s=HOUR_S),
    Plan(name="traffic", kind="traffic", window=4 * HOUR_S, every_s=300),
    Plan(name="feedback", kind="feedback", window=DAY_S, every_s=HOUR_S),
    Plan(name="errors", kind="errors", window=900, every_s=60),
    Plan(name="latency", kind="latency", window=HOUR_S, every_s=300),
    Plan(name="stuck", kind="stuck", every_s=300),
    Plan(name="classic rule", kind="classic", every_s=HOUR_S, is_enabled=False),
)
"""Budgets make them quiet; the classic rule has none and is off (it alarms by chance)."""


def ensure_defaults(now: datetime) -> int:
    """Give every model with a live version the defaults that it never had; returns how many.

    One that was changed, disabled or deleted stays so.
    """
    rows = [
        as_row(model, plan, actor=ACTOR, now=now, is_default=True) for model, plan in _missing()
    ]
    if rows:
        # Another process may be about to do the same.
        Monitor.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def has_missing() -> bool:
    """Whether `ensure_defaults` would have something to do."""
    return bool(_missing())


def _missing() -> list[tuple[str, Plan]]:
    live = [spec.name for spec in registry.load_models() if spec.live is not None]
    had = set(Monitor.objects.filter(model__in=live).values_list("model", "name"))
    return [(model, plan) for model in live for plan in DEFAULTS if (model, plan.name) not in had]
