"""Which version answers: promote, roll back, retire."""

from django.db import transaction

from registry.errors import NothingToRollBack, VersionIsLive, VersionNotRoutable
from registry.history import choose_rollback
from registry.models import RegisteredModel, Route, Version
from registry.queries import find_model, find_version, version_spec
from registry.refs import load_changes
from registry.routes import Routes, live_of, with_live_alone
from registry.services.common import add_event, check_actor, check_text, lock_model
from registry.services.routes import (
    check_routable,
    current_routes,
    is_compatible,
    replace_routes,
)
from registry.specs import EventKind, VersionSpec, VersionState


@transaction.atomic
def promote(name: str, number: int, *, actor: str, reason: str = "") -> VersionSpec:
    """Let version `number` answer all of the model's requests; returns it.

    Canaries end with that; shadows of other versions stay. Promoting the version that alone is live
    changes nothing; promoting the stable one ends its canaries. Raises ModelNotFound,
    VersionNotFound, VersionNotRoutable (retired, or its files are not in place), VersionDamaged or
    InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    version = find_version(model, number)
    check_routable(version)
    before = current_routes(model)
    live = _live_numbers(before)
    if live != [number]:
        kind = EventKind.ROUTED if live[:1] == [number] else EventKind.PROMOTED
        _make_live(kind, version, before, actor=actor, reason=reason)
    return version_spec(version)


@transaction.atomic
def rollback(name: str, *, actor: str, reason: str = "") -> VersionSpec:
    """Let the version that was live before this one answer again; returns it.

    A second rollback goes one further back, it does not return (`registry.history`). Canaries end
    with it; versions that can no longer be routed are passed over. Raises ModelNotFound,
    NothingToRollBack, InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    before = current_routes(model)
    version = _find_earlier(model, before)
    _make_live(EventKind.ROLLED_BACK, version, before, actor=actor, reason=reason)
    return version_spec(version)


def plan_promotion(name: str, number: int) -> Routes:
    """The routes that `promote` would make now; raises what it raises."""
    model = find_model(name)
    version = find_version(model, number)
    check_routable(version)
    before = current_routes(model)
    return before if _live_numbers(before) == [number] else _routes_with(version, before)


def plan_rollback(name: str) -> Routes:
    """The routes that `rollback` would make now; raises ModelNotFound or NothingToRollBack."""
    model = find_model(name)
    before = current_routes(model)
    return _routes_with(_find_earlier(model, before), before)


@transaction.atomic
def retire(name: str, number: int, *, actor: str, reason: str = "") -> VersionSpec:
    """Take a version out of use for good; returns it. Retiring it again changes nothing.

    Raises ModelNotFound, VersionNotFound, InvalidField, or VersionIsLive while it has a route.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    version = find_version(model, number)
    if Route.objects.filter(version=version).exists():
        raise VersionIsLive(
            f"{name} version {number} is routed: promote another version first",
            details={"model": name, "version": number},
        )
    if version.state != VersionState.RETIRED:
        Version.objects.filter(pk=version.pk).update(state=VersionState.RETIRED)
        add_event(EventKind.RETIRED, model, version=version, actor=actor, reason=reason)
    return version_spec(version)


def _live_numbers(routes: Routes) -> list[int]:
    return [route.version for route in live_of(routes)]


def _make_live(
    kind: EventKind, version: Version, before: Routes, *, actor: str, reason: str
) -> None:
    """Let `version` alone answer."""
    routes = _routes_with(version, before)
    replace_routes(kind, version.model, routes, actor=actor, reason=reason)


def _routes_with(version: Version, before: Routes) -> Routes:
    """`version` alone is live; shadows stay where they can still be compared with it."""
    stable, *shadows = with_live_alone(before, version.number)
    kept = [
        route
        for route in shadows
        if is_compatible(version, find_version(version.model, route.version))
    ]
    return (stable, *kept)


def _find_earlier(model: RegisteredModel, before: Routes) -> Version:
    """The version to roll back to; raises NothingToRollBack."""
    live = next(iter(_live_numbers(before)), None)
    number = None if live is None else _choose_earlier(model, live)
    if number is None:
        raise NothingToRollBack(
            f"{model} has no earlier version that was live and can be routed: promote one instead",
            details={"model": str(model), "live": live},
        )
    return find_version(model, number)


def _choose_earlier(model: RegisteredModel, live: int) -> int | None:
    return choose_rollback(
        load_changes(model), live=live, is_routable=lambda n: _is_routable(model, n)
    )


def _is_routable(model: RegisteredModel, number: int) -> bool:
    try:
        check_routable(find_version(model, number))
    except VersionNotRoutable:
        return False
    return True
