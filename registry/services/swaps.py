"""What serving processes write: that they are alive and how far, and the commit they agree on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from registry.convergence import ALIVE_S, FORGET_S, Judgement, Verdict, age_s, judge
from registry.deployment import find_failure, standing_of
from registry.errors import InvalidManifest, VersionDamaged, VersionNotRoutable
from registry.location import open_store
from registry.manifests import parse_manifest
from registry.models import MAX_TEXT_CHARS, Blob, Event, RegisteredModel, Replica, Route, Version
from registry.queries import find_model, find_version
from registry.refs import find_version_of
from registry.services import signing
from registry.services.common import (
    add_event,
    check_actor,
    check_text,
    lock_model,
    raise_generation,
)
from registry.services.routing import promote
from registry.services.upkeep import verify
from registry.specs import EventKind, RouteMode, VersionKind, VersionSpec, VersionState
from registry.verification import verify as verify_files

ACTOR = "replicas"
CHANGES = (EventKind.PROMOTED, EventKind.ROLLED_BACK, EventKind.ROUTED)


def report_replica(
    replica_id: str, *, is_ready: bool, rss_bytes: int, states: Mapping[str, Any]
) -> dict[str, int]:
    """Keep what a serving process says of itself; returns the models' committed generations.

    Rows of processes that have not been heard of for long go. Meant for once a second.
    """
    now = timezone.now()
    Replica.objects.update_or_create(
        id=replica_id,
        defaults={
            "heartbeat_at": now,
            "is_ready": is_ready,
            "rss_bytes": rss_bytes,
            "states": dict(states),
        },
    )
    stale = Replica.objects.filter(heartbeat_at__lt=now - timedelta(seconds=FORGET_S))
    if stale.exists():
        stale.delete()
    rows = RegisteredModel.objects.values_list("namespace", "name", "committed_generation")
    return {f"{namespace}/{name}": generation for namespace, name, generation in rows}


def forget_replica(replica_id: str) -> None:
    """A serving process has ended in order."""
    Replica.objects.filter(id=replica_id).delete()


def commit_if_prepared(name: str) -> bool:
    """Let the model's desired routes answer if the replicas are that far; True if this call did.

    Any replica may ask, any number of times: one of them moves the committed routes and tells it
    (event `swapped`), or tells why it cannot be (`swap_failed`). Raises ModelNotFound.
    """
    row = find_model(name)
    if row.committed_generation == row.routes_generation or find_failure(row) is not None:
        return False
    now = timezone.now()
    request = _find_request(row)
    waited_s = age_s(request.at, now) if request else 0.0
    standings = [standing_of(each, name, now) for each in Replica.objects.all()]
    judgement = judge(
        row.routes_generation,
        standings,
        waited_s=waited_s,
        deadline_s=settings.BELLWETHER_SWAP_DEADLINE_S,
    )
    if judgement.verdict is Verdict.FAIL:
        _fail(row, judgement)
    if judgement.verdict is not Verdict.COMMIT:
        return False
    details = {
        "seconds": round(waited_s, 3),
        "requested_by": request.actor if request else "",
        "replicas": sorted(each.id for each in standings if each.is_alive),
        "left_behind": list(judgement.left),
    }
    return _commit(row, details, now)


@transaction.atomic
def retry_swap(name: str, *, actor: str, reason: str = "") -> int:
    """Have every replica try the desired routes again; returns their new generation.

    Raises ModelNotFound or InvalidField.
    """
    actor, reason = check_actor(actor), check_text("reason", reason)
    model = lock_model(name)
    is_committed = model.committed_generation == model.routes_generation
    generation = raise_generation(model)
    if is_committed:
        # Nothing new is to be prepared: replicas that could not load it begin afresh.
        RegisteredModel.objects.filter(pk=model.pk).update(committed_generation=generation)
    add_event(
        EventKind.ROUTED,
        model,
        actor=actor,
        reason=reason,
        details={"retry": True, "generation": generation},
        change=(None, None),
    )
    return generation


def promote_revision(name: str, revision: str, *, actor: str) -> VersionSpec:
    """Promote the version that `revision` (`v3`, `3`, a tag, an alias, a commit id) means.

    Raises RevisionNotFound, also for what is not sealed, and what `promote` raises.
    """
    version = find_version_of(find_model(name), revision)
    return promote(name, version.number, actor=actor, reason="update-model")


def check_stageable(name: str, number: int) -> dict[str, Any]:
    """Prove a version's files before they are loaded; returns what was done.

    Every file must be in the view with its size; what was never read since it was published is
    hashed, once. Raises VersionDamaged, VersionNotRoutable, SignatureRequired where the model's
    policy asks for one, ModelNotFound or VersionNotFound.
    """
    version = find_version(find_model(name), number)
    if version.state == VersionState.DAMAGED:
        raise VersionDamaged(f"{version} is damaged: restore its files, then verify it")
    signing.check_policy(name, number)
    if version.kind != VersionKind.FILES:
        return {"verified": "remote"}
    return _check_files(version)


def _check_files(version: Version) -> dict[str, Any]:
    try:
        manifest = parse_manifest(version.manifest, digest=version.digest)
    except InvalidManifest as error:
        raise VersionDamaged(
            f"{version}: its manifest is not the one it was sealed with"
        ) from error
    store = open_store()
    if not store.has_view(manifest):
        raise VersionNotRoutable(f"{version}: its files are not all in place; verify it")
    blobs = version.blobs.all()
    if blobs.filter(is_damaged=True).exists():
        raise VersionDamaged(f"{version} has damaged files: restore them, then verify it")
    unread = blobs.filter(verified_at__isnull=True)
    if not unread.exists():
        return {"verified": "sizes", "hashed_before": True}
    started = timezone.now()
    if not verify_files(store, manifest).is_sound:
        verify(str(version.model), version.number, actor=ACTOR)
        raise VersionDamaged(f"{version} is damaged: its files are not those it was sealed with")
    now = timezone.now()
    Blob.objects.filter(pk__in=list(unread.values_list("pk", flat=True))).update(verified_at=now)
    return {"verified": "hashes", "verify_s": round(age_s(started, now), 3)}


@transaction.atomic
def _commit(row: RegisteredModel, details: dict[str, Any], now: datetime) -> bool:
    # Routes and generation are read in one transaction with the change: what is committed is what
    # was prepared, or the generation has moved on and nothing happens.
    n_changed = (
        RegisteredModel.objects.filter(pk=row.pk, routes_generation=row.routes_generation)
        .exclude(committed_generation=F("routes_generation"))
        .update(committed_generation=row.routes_generation, committed_at=now)
    )
    if not n_changed:
        return False
    routes = Route.objects.filter(model=row).select_related("version").order_by("position", "id")
    RegisteredModel.objects.filter(pk=row.pk).update(
        committed_routes=[
            {"version": each.version.number, "mode": each.mode, "weight": each.weight}
            for each in routes
        ]
    )
    stable = next((each.version for each in routes if each.mode == RouteMode.LIVE), None)
    add_event(
        EventKind.SWAPPED,
        row,
        version=stable,
        actor=ACTOR,
        details={"generation": row.routes_generation} | details,
        change=(_stable_before(row), stable.number if stable else None),
    )
    raise_generation()
    return True


def _stable_before(row: RegisteredModel) -> int | None:
    live = (each for each in row.committed_routes if each["mode"] == RouteMode.LIVE)
    return next((each["version"] for each in live), None)


@transaction.atomic
def _fail(row: RegisteredModel, judgement: Judgement) -> None:
    model = lock_model(str(row))
    if model.routes_generation != row.routes_generation or find_failure(model) is not None:
        return
    stable = Route.objects.filter(model=row, mode=RouteMode.LIVE, position=0).first()
    add_event(
        EventKind.SWAP_FAILED,
        model,
        version=stable.version if stable else None,
        actor=ACTOR,
        reason=judgement.reason[:MAX_TEXT_CHARS],
        details={"generation": row.routes_generation},
    )


def _find_request(row: RegisteredModel) -> Event | None:
    return Event.objects.filter(model=row, kind__in=CHANGES).order_by("-id").first()


__all__ = [
    "ALIVE_S",
    "check_stageable",
    "commit_if_prepared",
    "forget_replica",
    "promote_revision",
    "report_replica",
    "retry_swap",
]
