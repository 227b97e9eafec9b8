"""The registry's rows as the facts that marking looks at; every manifest is read on the way."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.utils import timezone

from registry import gc
from registry.errors import InvalidManifest, RevisionNotFound, SweepRefused
from registry.manifests import parse_manifest
from registry.models import (
    Blob,
    Commit,
    CommitBlob,
    Event,
    Lease,
    Ref,
    RegisteredModel,
    Replica,
    Route,
    Version,
    VersionBlob,
)
from registry.refs import PREVIOUS, find_version_of, load_manifest
from registry.specs import EventKind, RefKind, VersionState

# A replica silent for longer has ended; what it had mapped stays readable to it anyway.
REPLICA_SILENT = timedelta(minutes=10)


def note_retirements(now: datetime) -> None:
    """Know since when versions are retired: from their event, else from now on."""
    for version in Version.objects.filter(state=VersionState.RETIRED, retired_at=None):
        event = Event.objects.filter(
            model=version.model_id, number=version.number, kind=EventKind.RETIRED
        ).first()
        Version.objects.filter(pk=version.pk).update(retired_at=event.at if event else now)


def load_facts(now: datetime) -> gc.Facts:
    """Everything that marking looks at; raises SweepRefused when a manifest cannot be read."""
    leases = Lease.objects.filter(expires_at__gt=now)
    tips = list(Ref.objects.values_list("commit_id", "kind"))
    return gc.Facts(
        commits=_load_commits(),
        versions=_load_versions(now),
        tips=frozenset(commit for commit, _ in tips),
        branch_tips=frozenset(commit for commit, kind in tips if kind == RefKind.BRANCH),
        leased=frozenset(leases.values_list("blob_id", flat=True)),
        blobs=dict(Blob.objects.values_list("sha256", "size")),
    )


def _load_commits() -> tuple[gc.CommitFacts, ...]:
    held = _held(CommitBlob.objects.values_list("commit_id", "blob_id"))
    facts = []
    for row in Commit.objects.order_by("pk").iterator():
        try:
            manifest = load_manifest(row.manifest)
        except InvalidManifest as error:
            raise _unreadable(f"commit {row.oid}") from error
        facts.append(
            gc.CommitFacts(
                id=row.pk,
                model=row.model_id,
                oid=row.oid,
                parent=row.parent_oid,
                at=row.created_at,
                # The rows alone could be wrong, and what they leave out would be lost.
                blobs=frozenset({file.sha256 for file in manifest.files} | held[row.pk]),
            )
        )
    return tuple(facts)


def _load_versions(now: datetime) -> tuple[gc.VersionFacts, ...]:
    held = _held(VersionBlob.objects.values_list("version_id", "blob_id"))
    routed, loaded = _load_routed(), _load_loaded()
    facts = []
    for row in Version.objects.order_by("pk").iterator():
        is_retired = row.state == VersionState.RETIRED
        if is_retired and row.pk not in held:
            continue  # Its files were swept.
        try:
            manifest = parse_manifest(row.manifest, digest=row.digest)
        except InvalidManifest as error:
            raise _unreadable(f"version {row.number}") from error
        facts.append(
            gc.VersionFacts(
                id=row.pk,
                commit=row.commit_id,
                retired_at=(row.retired_at or now) if is_retired else None,
                is_routed=(row.model_id, row.number) in routed,
                is_loaded=(row.model_id, row.number) in loaded,
                blobs=frozenset({file.sha256 for file in manifest.files} | held[row.pk]),
            )
        )
    return tuple(facts)


def _load_routed() -> set[tuple[int, int]]:
    """Versions with a route, wanted or committed, and those a roll-back would return to."""
    routed = set(Route.objects.values_list("model_id", "version__number"))
    for model in RegisteredModel.objects.all():
        routed |= {(model.pk, int(route["version"])) for route in model.committed_routes}
        try:
            routed.add((model.pk, find_version_of(model, PREVIOUS).number))
        except RevisionNotFound:
            continue
    return routed


def _load_loaded() -> set[tuple[int, int]]:
    """Versions that serving processes say they have, in whatever state."""
    models = {str(model): model.pk for model in RegisteredModel.objects.all()}
    loaded = set()
    for replica in Replica.objects.filter(heartbeat_at__gt=timezone.now() - REPLICA_SILENT):
        for name, state in replica.states.items():
            for version in state.get("versions", ()):
                if name in models:
                    loaded.add((models[name], int(version["version"])))
    return loaded


def _held(pairs: "object") -> "defaultdict[int, set[str]]":
    held: defaultdict[int, set[str]] = defaultdict(set)
    for holder, blob in pairs:  # type: ignore[attr-defined]
        held[holder].add(blob)
    return held


def _unreadable(what: str) -> SweepRefused:
    return SweepRefused(
        f"the manifest of {what} cannot be read, so what it needs is unknown: verify the registry"
    )
