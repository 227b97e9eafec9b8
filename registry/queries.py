"""The only readers of the registry that other apps call. They return specs, never rows."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Count, Prefetch, Subquery
from django.db.models.signals import post_save
from django.dispatch import receiver

from registry.errors import InvalidName, ModelNotFound, VersionNotFound
from registry.location import open_store
from registry.models import Event, RegisteredModel, RegistryState, Route, Version
from registry.names import parse_model_name
from registry.specs import (
    Deletion,
    DesiredState,
    EventKind,
    ModelRoutes,
    ModelSpec,
    Pooling,
    RouteMode,
    RouteSpec,
    Stickiness,
    VersionKind,
    VersionSpec,
)

MAX_CACHED_LABELS = 4_096
RECENT_EVENTS = 2_000

STATE_ID = 1


def load_generation() -> int:
    """How many times what should be served has changed; one tiny query, meant for polling."""
    return (
        RegistryState.objects.filter(pk=STATE_ID).values_list("generation", flat=True).first() or 0
    )


def load_desired_state() -> DesiredState:
    """What should be served, by model; a model without a route has none, and is there."""
    # The generation first: a change in between is then seen again by the next poll, not missed.
    generation = load_generation()
    rows = RegisteredModel.objects.order_by("namespace", "name").prefetch_related(
        Prefetch("routes", Route.objects.select_related("version").order_by("position", "id"))
    )
    return DesiredState(
        generation=generation, models={str(row): _model_routes(row) for row in rows}
    )


def load_model_routes(model: str) -> ModelRoutes:
    """What should be served of one model; raises ModelNotFound."""
    routes = Route.objects.select_related("version").order_by("position", "id")
    rows = RegisteredModel.objects.prefetch_related(Prefetch("routes", routes))
    return _model_routes(_find(rows, model))


def _model_routes(row: RegisteredModel) -> ModelRoutes:
    desired = tuple(_route_spec(row, route.version, route) for route in row.routes.all())
    committed = desired
    if row.committed_generation != row.routes_generation:
        numbers = [route["version"] for route in row.committed_routes]
        versions = {v.number: v for v in Version.objects.filter(model=row, number__in=numbers)}
        committed = tuple(
            _committed_spec(row, versions[route["version"]], route)
            for route in row.committed_routes
            if route["version"] in versions
        )
    return ModelRoutes(
        generation=row.routes_generation,
        desired=desired,
        committed_generation=row.committed_generation,
        committed=committed,
        salt=row.route_salt,
        stickiness=Stickiness(row.stickiness),
        is_pinned=row.is_pinned,
    )


def _route_spec(model: RegisteredModel, version: Version, route: Route) -> RouteSpec:
    version.model = model
    return RouteSpec(version=version_spec(version), mode=RouteMode(route.mode), weight=route.weight)


def _committed_spec(
    model: RegisteredModel, version: Version, route: Mapping[str, Any]
) -> RouteSpec:
    version.model = model
    return RouteSpec(
        version=version_spec(version), mode=RouteMode(route["mode"]), weight=route["weight"]
    )


def load_version(model: str, number: int) -> VersionSpec:
    """One version, whatever its state; raises ModelNotFound or VersionNotFound."""
    return version_spec(find_version(find_model(model), number))


def load_live_version(model: str) -> VersionSpec | None:
    """The stable version, None before the first promotion; raises ModelNotFound."""
    route = (
        Route.objects.filter(model=find_model(model), mode=RouteMode.LIVE, position=0)
        .select_related("version__model")
        .first()
    )
    return version_spec(route.version) if route else None


def load_live_since(model: str) -> datetime | None:
    """When the stable version last became that, None before the first promotion; raises
    ModelNotFound.
    """
    row = find_model(model)
    live = Route.objects.filter(model=row, mode=RouteMode.LIVE, position=0)
    changes = Event.objects.filter(
        model=row,
        kind__in=(EventKind.PROMOTED, EventKind.ROLLED_BACK),
        to_number=Subquery(live.values("version__number")[:1]),
    )
    return changes.order_by("-id").values_list("at", flat=True).first()


def load_labels(model: str, number: int) -> tuple[str, ...]:
    """A version's class names in logit order; raises ModelNotFound or VersionNotFound.

    Remembered in the process, since a version never changes.
    """
    return _labels(model, number)


def load_models() -> tuple[ModelSpec, ...]:
    """Every registered model by name."""
    return tuple(map(model_spec, model_rows()))


def load_deletions(since: datetime | None = None) -> tuple[Deletion, ...]:
    """The last deletion of each model that was deleted, the newest first; two queries.

    With `since` only later ones, and only those among the newest events: a cheap look.
    """
    rows = Event.objects.filter(kind=EventKind.DELETED)
    if since is not None:
        newest = Event.objects.order_by("-id").values_list("id", flat=True).first() or 0
        rows = rows.filter(at__gte=since, id__gt=newest - RECENT_EVENTS)
    last: dict[str, datetime] = {}
    for name, at in rows.order_by("-id").values_list("model_name", "at"):
        last.setdefault(name, at)
    if not last:
        return ()
    names = {str(row) for row in RegisteredModel.objects.only("namespace", "name")}
    return tuple(Deletion(model=name, at=at, is_again=name in names) for name, at in last.items())


def require(model: str, number: int | None = None) -> None:
    """Raise ModelNotFound or VersionNotFound where there is no such model or version."""
    row = find_model(model)
    if number is not None:
        find_version(row, number)


def load_model(model: str) -> ModelSpec:
    """One registered model; raises ModelNotFound."""
    return model_spec(_find(model_rows(), model))


# What follows hands out rows: for this app only.


def model_rows() -> Any:
    """Models with what `model_spec` needs, in two queries."""
    live = Route.objects.filter(mode=RouteMode.LIVE, position=0).select_related("version")
    return RegisteredModel.objects.annotate(
        n_versions=Count("versions", distinct=True)
    ).prefetch_related(Prefetch("routes", live, to_attr="live_routes"))


def model_spec(row: Any) -> ModelSpec:
    """The facts of a row of `model_rows`."""
    live = None
    for route in row.live_routes:
        route.version.model = row
        live = version_spec(route.version)
    return ModelSpec(
        name=str(row),
        description=row.description,
        created_at=row.created_at,
        n_versions=row.n_versions,
        live=live,
        is_pinned=row.is_pinned,
    )


def version_spec(row: Version) -> VersionSpec:
    """The facts of a version's row."""
    return VersionSpec(
        model=str(row.model),
        number=row.number,
        digest=row.digest,
        task=row.task,
        labels=tuple(row.labels),
        pooling=Pooling(row.pooling),
        view=open_store().view(row.digest),
        n_bytes=row.n_bytes,
        kind=VersionKind(row.kind),
    )


def find_model(model: str) -> RegisteredModel:
    """The row of `namespace/name`; raises ModelNotFound."""
    row: RegisteredModel = _find(RegisteredModel.objects.all(), model)
    return row


def find_version(model: RegisteredModel, number: int) -> Version:
    """The row of a model's version; raises VersionNotFound."""
    row = Version.objects.filter(model=model, number=number).first()
    if row is None:
        raise VersionNotFound(
            f"{model} has no version {number}", details={"model": str(model), "version": number}
        )
    row.model = model
    return row


@lru_cache(maxsize=MAX_CACHED_LABELS)
def _labels(model: str, number: int) -> tuple[str, ...]:
    return tuple(find_version(find_model(model), number).labels)


@receiver(post_save, sender=Version, dispatch_uid="registry.forget_labels")
def _forget_labels(sender: type[Version], created: bool, **kwargs: object) -> None:
    # In a database that was emptied or restored, a name and number can mean another version.
    if created:
        _labels.cache_clear()


def _find(rows: Any, model: str) -> Any:
    try:
        namespace, name = parse_model_name(model)
    except InvalidName as error:
        # What can have no row is not there; the database never sees such text.
        raise ModelNotFound(f"there is no model {model!r:.120}") from error
    row = rows.filter(namespace=namespace, name=name).first()
    if row is None:
        raise ModelNotFound(f"there is no model {model}", details={"model": model})
    return row
