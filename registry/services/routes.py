"""The one writer of routes: a whole set replaces a whole set, in one transaction with its event."""

from collections.abc import Sequence

from django.db import transaction

from registry.errors import (
    IncompatibleVersion,
    InvalidField,
    InvalidManifest,
    RoutesChanged,
    VersionDamaged,
    VersionNotRoutable,
)
from registry.location import open_store
from registry.manifests import parse_manifest
from registry.models import RegisteredModel, Route, Version
from registry.models.catalogue import make_salt
from registry.queries import find_model, find_version
from registry.routes import Routes, WantedRoute, check_routes, live_of
from registry.services.common import (
    add_event,
    check_actor,
    check_text,
    lock_model,
    raise_generation,
)
from registry.services.signing import check_policy
from registry.specs import EventKind, RouteMode, Stickiness, VersionState


def load_routes(name: str) -> Routes:
    """A model's routes, the stable one first; raises ModelNotFound."""
    return current_routes(find_model(name))


def hold_routes(name: str, seen: int) -> Routes:
    """The model's routes, which nobody else changes until the caller's transaction ends.

    `seen` is their generation as the caller knows it. Raises RoutesChanged where somebody has
    changed them since, and ModelNotFound.
    """
    model = lock_model(name)
    if model.routes_generation != seen:
        raise RoutesChanged(
            f"the routes of {name} were changed meanwhile: look at them again, then decide",
            details={"model": name, "seen": seen, "generation": model.routes_generation},
        )
    return current_routes(model)


@transaction.atomic
def set_routes(
    name: str,
    wanted: Sequence[WantedRoute],
    *,
    actor: str,
    reason: str = "",
    stickiness: Stickiness | None = None,
    force: bool = False,
) -> Routes:
    """Let exactly `wanted` be the model's routes; returns them. The same again changes nothing.

    Where the stable version changes, that is a promotion, which a rollback undoes. `force` (with a
    reason) routes versions whose task or labels differ from the stable one's. Raises
    ModelNotFound, VersionNotFound, InvalidRoutes, VersionNotRoutable, VersionDamaged,
    SignatureRequired, IncompatibleVersion or InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    if force and not reason:
        raise InvalidField("reason must say why, with force", details={"field": "reason"})
    routes = check_routes(wanted)
    model = lock_model(name)
    versions = [find_version(model, route.version) for route in routes]
    for version in versions:
        check_routable(version)
    if not force:
        for version in versions[1:]:
            check_compatible(versions[0], version)
    sticks = Stickiness(stickiness or model.stickiness)
    before = current_routes(model)
    if routes != before or sticks != model.stickiness:
        RegisteredModel.objects.filter(pk=model.pk).update(stickiness=sticks)
        was_stable = live_of(before)[0].version if live_of(before) else None
        is_promotion = was_stable != routes[0].version
        replace_routes(
            EventKind.PROMOTED if is_promotion else EventKind.ROUTED,
            model,
            routes,
            actor=actor,
            reason=reason,
            details={"stickiness": sticks.value} | ({"forced": True} if force else {}),
        )
    return routes


@transaction.atomic
def reshuffle(name: str, *, actor: str, reason: str = "") -> None:
    """Draw anew which callers get which live version; shares stay as they are.

    Raises ModelNotFound or InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    RegisteredModel.objects.filter(pk=model.pk).update(route_salt=make_salt())
    live = live_of(current_routes(model))
    stable = live[0].version if live else None
    add_event(
        EventKind.ROUTED,
        model,
        actor=actor,
        reason=reason,
        details={"reshuffled": True},
        change=(stable, stable),
    )
    raise_generation(model)


def current_routes(model: RegisteredModel) -> Routes:
    """The model's routes as they are, the stable one first, shadows last."""
    rows = Route.objects.filter(model=model).select_related("version").order_by("position", "id")
    routes = [WantedRoute(row.version.number, RouteMode(row.mode), row.weight) for row in rows]
    return (*live_of(routes), *(route for route in routes if route.mode is RouteMode.SHADOW))


def replace_routes(
    kind: EventKind,
    model: RegisteredModel,
    routes: Routes,
    *,
    actor: str,
    reason: str,
    details: dict[str, object] | None = None,
) -> None:
    """Write `routes` (checked, stable first) with their event, in the caller's transaction."""
    before = current_routes(model)
    versions = {route.version: find_version(model, route.version) for route in routes}
    Route.objects.filter(model=model).delete()
    Route.objects.bulk_create(
        Route(
            model=model,
            version=versions[route.version],
            mode=route.mode,
            weight=route.weight,
            position=position,
        )
        for position, route in enumerate(routes)
    )
    add_event(
        kind,
        model,
        version=versions[routes[0].version],
        actor=actor,
        reason=reason,
        details={
            "before": [route.as_json() for route in before],
            "after": [route.as_json() for route in routes],
        }
        | (details or {}),
        change=(live_of(before)[0].version if live_of(before) else None, routes[0].version),
    )
    raise_generation(model)


def check_routable(version: Version) -> None:
    """Raise VersionNotRoutable (retired, rejected, or without its files), VersionDamaged or
    SignatureRequired for a version that may not be routed.
    """
    details = {"model": str(version.model), "version": version.number, "state": version.state}
    if version.state == VersionState.DAMAGED:
        raise VersionDamaged(
            f"{version} is damaged: restore its files, verify it, then promote it", details=details
        )
    if version.state == VersionState.RETIRED:
        raise VersionNotRoutable(f"{version} is retired: promote another", details=details)
    if version.rejection:
        raise VersionNotRoutable(
            f"{version} was rejected ({version.rejection}): reinstate it first, or promote another",
            details=details,
        )
    if not _has_files(version):
        raise VersionNotRoutable(
            f"{version}: its files are not in place; verify it, or restart to rebuild its view",
            details=details,
        )
    if version.model.requires_signature:
        check_policy(str(version.model), version.number)


def is_compatible(stable: Version, other: Version) -> bool:
    """Whether callers of one can read the other's answers: the same task, the same labels."""
    return stable.task == other.task and set(stable.labels) == set(other.labels)


def check_compatible(stable: Version, other: Version) -> None:
    """Raise IncompatibleVersion unless both `is_compatible`."""
    if is_compatible(stable, other):
        return
    what = "task" if stable.task != other.task else "labels"
    raise IncompatibleVersion(
        f"{other} has other {what} than version {stable.number}, which is stable: choose another, "
        "or repeat with force and a reason",
        details={"model": str(other.model), "version": other.number, "field": what},
    )


def _has_files(version: Version) -> bool:
    try:
        manifest = parse_manifest(version.manifest, digest=version.digest)
    except InvalidManifest:
        return False
    return open_store().has_view(manifest)
