"""What a page on all models needs: facts of many at once, in a number of queries that is constant.

Specs again, never rows; who asks about one model finds more in `registry.queries`.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, OuterRef, Prefetch, Q, Subquery, Value
from django.db.models.functions import Concat
from django.utils import timezone

from registry.convergence import FORGET_S, Standing, age_s
from registry.deployment import standing_of
from registry.models import Event, Operation, RegisteredModel, Replica, Route, Version
from registry.specs import EventKind, OperationState, RouteMode

_UNFINISHED = (OperationState.QUEUED, OperationState.RUNNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedModel:
    """A model's name, and the number of the version that answers (None: none does)."""

    name: str
    live: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutedVersion:
    """A version that is routed: `weight` percent of the traffic go to it, or are copied to it."""

    number: int
    mode: RouteMode
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOverview:
    """One model: its routes, stable first, and how far the replicas are with them.

    `state` and `reason` are those of `registry.deployment.Deployment`; `newest` is the highest
    version number, None without any.
    """

    name: str
    n_versions: int
    newest: int | None
    routes: tuple[RoutedVersion, ...]
    state: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaOverview:
    """A serving process as it last spoke of itself."""

    id: str
    is_ready: bool
    is_alive: bool
    heartbeat_at: datetime
    started_at: datetime
    rss_bytes: int


def load_names(search: str = "") -> tuple[NamedModel, ...]:
    """Every model by name, or those whose name holds `search`, whatever its case: one query."""
    live = Route.objects.filter(model=OuterRef("pk"), mode=RouteMode.LIVE, position=0)
    rows = RegisteredModel.objects.annotate(
        whole=Concat("namespace", Value("/"), "name"),
        live=Subquery(live.values("version__number")[:1]),
    ).order_by("namespace", "name")
    if search:
        rows = rows.filter(whole__icontains=search)
    return tuple(
        NamedModel(name=name, live=number) for name, number in rows.values_list("whole", "live")
    )


def load_overviews(names: Collection[str]) -> dict[str, ModelOverview]:
    """The overview of each model of `names` that there is, in at most four queries."""
    routes = Route.objects.select_related("version").order_by("position", "id")
    newest = Version.objects.filter(model=OuterRef("pk")).order_by("-number")
    rows = list(
        RegisteredModel.objects.annotate(
            whole=Concat("namespace", Value("/"), "name"),
            n_versions=Count("versions"),
            newest=Subquery(newest.values("number")[:1]),
        )
        .filter(whole__in=list(names))
        .prefetch_related(Prefetch("routes", routes, to_attr="all_routes"))
    )
    waiting = [row for row in rows if row.committed_generation != row.routes_generation]
    states = _states(waiting) if waiting else {}
    return {row.whole: _overview(row, *states.get(row.pk, ("committed", ""))) for row in rows}


def load_replicas() -> tuple[ReplicaOverview, ...]:
    """The serving processes that were heard of lately."""
    now = timezone.now()
    return tuple(_replica(row, now) for row in _replicas(now))


def count_unfinished_operations() -> int:
    """Imports, backups and the like that wait or run."""
    return Operation.objects.filter(state__in=_UNFINISHED).count()


def _overview(row: Any, state: str, reason: str) -> ModelOverview:
    return ModelOverview(
        name=row.whole,
        n_versions=row.n_versions,
        newest=row.newest,
        routes=tuple(
            RoutedVersion(
                number=route.version.number, mode=RouteMode(route.mode), weight=route.weight
            )
            for route in row.all_routes
        ),
        state=state,
        reason=reason,
    )


def _states(rows: list[Any]) -> dict[int, tuple[str, str]]:
    """As `registry.deployment` says of one model, of all whose routes are not committed."""
    generations = Q()
    for row in rows:
        generations |= Q(model=row, details__generation=row.routes_generation)
    failures = dict(
        Event.objects.filter(generations, kind=EventKind.SWAP_FAILED)
        .order_by("id")
        .values_list("model_id", "reason")
    )
    now = timezone.now()
    replicas = _replicas(now)
    return {
        row.pk: _state(
            row, failures.get(row.pk), [standing_of(r, row.whole, now) for r in replicas]
        )
        for row in rows
    }


def _state(row: Any, failure: str | None, standings: list[Standing]) -> tuple[str, str]:
    if failure is not None:
        return "failed", failure
    failed = [each for each in standings if each.failed == row.routes_generation]
    return ("failed", failed[0].reason) if failed else ("preparing", "")


def _replicas(now: datetime) -> list[Replica]:
    return [row for row in Replica.objects.all() if age_s(row.heartbeat_at, now) <= FORGET_S]


def _replica(row: Replica, now: datetime) -> ReplicaOverview:
    return ReplicaOverview(
        id=row.id,
        is_ready=row.is_ready,
        is_alive=standing_of(row, "", now).is_alive,
        heartbeat_at=row.heartbeat_at,
        started_at=row.started_at,
        rss_bytes=row.rss_bytes,
    )
