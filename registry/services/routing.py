"""Which version answers: promote, roll back, retire."""

from django.db import transaction
from django.db.models import Q

from registry.errors import (
    InvalidManifest,
    NothingToRollBack,
    VersionDamaged,
    VersionIsLive,
    VersionNotRoutable,
)
from registry.history import Change, choose_rollback
from registry.location import open_store
from registry.manifests import parse_manifest
from registry.models import LIVE_WEIGHT, Event, RegisteredModel, Route, Version
from registry.queries import find_version, version_spec
from registry.services.common import (
    add_event,
    check_actor,
    check_text,
    lock_model,
    raise_generation,
)
from registry.specs import EventKind, RouteMode, VersionSpec, VersionState

# How many changes of the live version a rollback looks back over.
MAX_HISTORY = 1_000


@transaction.atomic
def promote(name: str, number: int, *, actor: str, reason: str = "") -> VersionSpec:
    """Let version `number` answer all of the model's requests; returns it.

    Promoting the live version changes nothing. Raises ModelNotFound, VersionNotFound,
    VersionNotRoutable (retired, or its files are not in place), VersionDamaged or InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    version = find_version(model, number)
    _check_routable(version)
    live = _live_number(model)
    if live != number:
        _make_live(EventKind.PROMOTED, version, live, actor=actor, reason=reason)
    return version_spec(version)


@transaction.atomic
def rollback(name: str, *, actor: str, reason: str = "") -> VersionSpec:
    """Let the version that was live before this one answer again; returns it.

    A second rollback goes one further back, it does not return (`registry.history`). Versions that
    can no longer be routed are passed over. Raises ModelNotFound, NothingToRollBack, InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    live = _live_number(model)
    number = None if live is None else _choose_earlier(model, live)
    if number is None:
        raise NothingToRollBack(
            f"{name} has no earlier version that was live and can be routed: promote one instead",
            details={"model": name, "live": live},
        )
    version = find_version(model, number)
    _make_live(EventKind.ROLLED_BACK, version, live, actor=actor, reason=reason)
    return version_spec(version)


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


def _live_number(model: RegisteredModel) -> int | None:
    routes = Route.objects.filter(model=model, mode=RouteMode.LIVE, position=0)
    return routes.values_list("version__number", flat=True).first()


def _make_live(
    kind: EventKind, version: Version, live: int | None, *, actor: str, reason: str
) -> None:
    Route.objects.filter(model=version.model).filter(
        Q(version=version) | Q(mode=RouteMode.LIVE)
    ).delete()
    Route.objects.create(
        model=version.model, version=version, mode=RouteMode.LIVE, weight=LIVE_WEIGHT, position=0
    )
    add_event(
        kind,
        version.model,
        version=version,
        actor=actor,
        reason=reason,
        change=(live, version.number),
    )
    raise_generation(version.model)


def _choose_earlier(model: RegisteredModel, live: int) -> int | None:
    kinds = (EventKind.PROMOTED, EventKind.ROLLED_BACK)
    rows = Event.objects.filter(model=model, kind__in=kinds, to_number__isnull=False)
    newest_first = list(rows.order_by("-id").values_list("kind", "to_number")[:MAX_HISTORY])
    changes = [Change(EventKind(kind), int(to or 0)) for kind, to in reversed(newest_first)]
    return choose_rollback(changes, live=live, is_routable=lambda n: _is_routable(model, n))


def _is_routable(model: RegisteredModel, number: int) -> bool:
    try:
        _check_routable(find_version(model, number))
    except VersionNotRoutable:
        return False
    return True


def _check_routable(version: Version) -> None:
    details = {"model": str(version.model), "version": version.number, "state": version.state}
    if version.state == VersionState.DAMAGED:
        raise VersionDamaged(
            f"{version} is damaged: restore its files, verify it, then promote it", details=details
        )
    if version.state == VersionState.RETIRED:
        raise VersionNotRoutable(f"{version} is retired: promote another", details=details)
    if not _has_files(version):
        raise VersionNotRoutable(
            f"{version}: its files are not in place; verify it, or restart to rebuild its view",
            details=details,
        )


def _has_files(version: Version) -> bool:
    try:
        manifest = parse_manifest(version.manifest, digest=version.digest)
    except InvalidManifest:
        return False
    return open_store().has_view(manifest)
