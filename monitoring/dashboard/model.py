"""What the head of a model's page shows: what serves, what is wrong, and what can be filtered by.

The charts below it read /api/v1 themselves.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet

from monitoring.models import Alert, AlertState, PredictionCount, Rollout, RolloutState
from monitoring.windows import Grain
from registry import queries as registry
from registry.specs import RouteMode

RECENT = timedelta(days=90)
MOST_ALERTS = 20
MOST_CHOICES = 100
_OPEN_ROLLOUT = (RolloutState.RUNNING, RolloutState.PAUSED, RolloutState.BAKING)
_OPEN_ALERT = (AlertState.FIRING, AlertState.PENDING)


@dataclass(frozen=True, slots=True)
class RouteFact:
    """One version's share of the traffic; `role` is live, canary or shadow."""

    version: int
    role: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertFact:
    """An alert that is not over; `since` is when it fired, else when it was opened."""

    id: UUID
    version: int
    kind: str
    state: str
    severity: str
    summary: str
    since: datetime
    acknowledged_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutFact:
    """The rollout that is under way; `weight` is the percentage that its step gives."""

    candidate: int
    stable: int
    state: str
    step: int
    n_steps: int
    weight: int
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """`versions` and `segments` are those with traffic in the last 90 days, newest version first.

    `n_alerts` counts the open ones beyond those listed, too.
    """

    live_since: datetime | None
    routes: tuple[RouteFact, ...]
    alerts: tuple[AlertFact, ...]
    n_alerts: int
    rollout: RolloutFact | None
    versions: tuple[int, ...]
    segments: tuple[str, ...]


def load_head(model: str, *, now: datetime) -> Head:
    """Raises ModelNotFound."""
    routes = _routes(model)
    versions, segments = _seen(model, now - RECENT)
    alerts = _alerts(model)
    return Head(
        live_since=registry.load_live_since(model),
        routes=routes,
        alerts=alerts,
        n_alerts=len(alerts) if len(alerts) < MOST_ALERTS else _open_alerts(model).count(),
        rollout=_rollout(model),
        versions=tuple(sorted(versions | {route.version for route in routes}, reverse=True)),
        segments=segments,
    )


def _routes(model: str) -> tuple[RouteFact, ...]:
    routes = registry.load_model_routes(model).desired
    roles = ["shadow" if route.mode is RouteMode.SHADOW else "canary" for route in routes]
    if roles and roles[0] == "canary":
        # The stable route comes first.
        roles[0] = "live"
    return tuple(
        RouteFact(route.version.number, role, route.weight)
        for route, role in zip(routes, roles, strict=True)
    )


def _open_alerts(model: str) -> QuerySet[Alert]:
    return Alert.objects.filter(model=model, state__in=_OPEN_ALERT)


def _alerts(model: str) -> tuple[AlertFact, ...]:
    rows = _open_alerts(model).order_by("state", "-opened_at")[:MOST_ALERTS]
    return tuple(
        AlertFact(
            id=row.id,
            version=row.version,
            kind=row.kind,
            state=row.state,
            severity=row.severity,
            summary=row.summary,
            since=row.fired_at or row.opened_at,
            acknowledged_by=row.acknowledged_by,
        )
        for row in rows
    )


def _rollout(model: str) -> RolloutFact | None:
    row = Rollout.objects.filter(model=model, state__in=_OPEN_ROLLOUT).first()
    if row is None:
        return None
    step = min(row.step, len(row.steps) - 1)
    return RolloutFact(
        candidate=row.candidate,
        stable=row.stable,
        state=row.state,
        step=step + 1,
        n_steps=len(row.steps),
        weight=row.steps[step],
        since=row.step_started_at,
    )


def _seen(model: str, since: datetime) -> tuple[set[int], tuple[str, ...]]:
    """The versions and segments that had traffic, of each the first hundred."""
    rows = PredictionCount.objects.filter(model=model, grain=Grain.DAY, bucket__gte=since)
    versions = rows.order_by("-version").values_list("version", flat=True).distinct()
    segments = rows.order_by("segment").values_list("segment", flat=True).distinct()
    return set(versions[:MOST_CHOICES]), tuple(segments[:MOST_CHOICES])
