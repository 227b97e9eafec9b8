"""Damage: taken out of reach, then replaced from a backup by digest.

What is damaged is moved aside, so that no loader and no download reads it; what is mapped serves
on. A file in place is never written to: a healed blob is a new file, and its views are new folders.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from django.db import transaction
from django.utils import timezone

from registry import durable
from registry.backups.restoring import fetch_blob
from registry.backups.rows import needed_blobs
from registry.backups.snapshots import blob_path
from registry.backups.targets import Target
from registry.errors import BackupDamaged, InvalidManifest, TargetUnreachable
from registry.location import open_store
from registry.manifests import Manifest, parse_manifest
from registry.models import Blob, Version
from registry.services.common import add_event, check_actor, lock_model, raise_generation
from registry.specs import EventKind, VersionState
from registry.staging import Staging
from registry.steps import HealStep, reach
from registry.store import Progress, Store
from registry.verification import verify as verify_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Healed:
    """`blobs` (sha256) were replaced, `versions` are sound again; `left` are still damaged."""

    blobs: tuple[str, ...]
    versions: tuple[str, ...]
    left: tuple[str, ...]


def isolate(blobs: Mapping[str, str], views: Iterable[str] = (), *, actor: str) -> tuple[str, ...]:
    """Flag damaged `blobs` (what is wrong, by sha256) and every version that needs them, then move
    the blobs and the versions' views aside. `views` are digests of views that are damaged alone.

    Returns the versions that are damaged since now. Doing it again changes nothing.
    """
    actor, digests = check_actor(actor), set(views)
    Blob.objects.filter(pk__in=list(blobs)).update(is_damaged=True)
    users = Version.objects.filter(blobs__in=list(blobs)) | Version.objects.filter(
        digest__in=digests
    )
    flagged = []
    for version in users.distinct().order_by("id"):
        digests.add(version.digest)
        if version.state == VersionState.SEALED:
            flagged.append(_flag(version, blobs, actor))
    reach(HealStep.FLAGGED)
    store = open_store()
    for digest in sorted(digests):
        store.quarantine(store.view(digest))
        reach(HealStep.VIEW_ASIDE)
    for sha256 in sorted(blobs):
        store.quarantine(store.blob(sha256))
        reach(HealStep.BLOB_ASIDE)
    return tuple(flagged)


def heal(
    targets: Iterable[Target], *, actor: str, progress: Progress = lambda done, total: None
) -> Healed:
    """Replace every damaged or missing blob from the first target that has it whole, rebuild the
    views, and seal the versions that are sound again.

    A target that does not answer is passed over; without any, only views are rebuilt.
    """
    actor, store, asked = check_actor(actor), open_store(), tuple(targets)
    wanted = {blob.pk: blob.size for blob in _damaged_blobs(store)}
    healed: list[str] = []
    done, total = 0, sum(wanted.values())
    with store.open_staging() as staging:
        for sha256, size in wanted.items():
            if _replace(store, staging, asked, sha256, size):
                healed.append(sha256)
            staging.touch()
            done += size
            progress(done, total)
    versions = [str(v) for v in _broken_versions(store) if _mend(store, v, healed, actor)]
    left = [str(version) for version in _broken_versions(store)]
    left += [f"blob {sha256}" for sha256 in wanted if sha256 not in healed]
    return Healed(blobs=tuple(healed), versions=tuple(versions), left=tuple(left))


@transaction.atomic
def _flag(version: Version, blobs: Mapping[str, str], actor: str) -> str:
    model = lock_model(str(version.model))
    Version.objects.filter(pk=version.pk).update(state=VersionState.DAMAGED)
    held = set(version.blobs.values_list("pk", flat=True)) & blobs.keys()
    details = {"blobs": {sha256: blobs[sha256] for sha256 in sorted(held)[:20]}}
    add_event(EventKind.DAMAGED, model, version=version, actor=actor, details=details)
    return str(version)


def _damaged_blobs(store: Store) -> Iterator[Blob]:
    for blob in needed_blobs().order_by("pk").iterator():
        if blob.is_damaged or durable.regular_size(store.blob(blob.pk)) != blob.size:
            yield blob


def _replace(
    store: Store, staging: Staging, targets: Iterable[Target], sha256: str, size: int
) -> bool:
    """Whether the blob is whole at the end: it may have been all along, or be fetched now."""
    blob = store.blob(sha256)
    if not _is_whole(store, sha256, size):
        staged = next(filter(None, (_fetch(t, staging, sha256, size) for t in targets)), None)
        if staged is None:
            return False
        reach(HealStep.FETCHED)
        if durable.regular_size(blob) is not None:
            store.quarantine(blob)
        store.keep(staged, sha256, size)
        staged.unlink()
        reach(HealStep.KEPT)
    Blob.objects.filter(pk=sha256).update(is_damaged=False, verified_at=timezone.now())
    return True


def _fetch(target: Target, staging: Staging, sha256: str, size: int) -> Path | None:
    try:
        if target.size(blob_path(sha256)) != size:
            return None
        return fetch_blob(target, staging, sha256, size)
    except (BackupDamaged, TargetUnreachable):
        return None


def _is_whole(store: Store, sha256: str, size: int) -> bool:
    blob = store.blob(sha256)
    if durable.regular_size(blob) != size:
        return False
    return durable.hash_file(blob, lambda _: None) == sha256


def _broken_versions(store: Store) -> list[Version]:
    rows = Version.objects.exclude(versionblob=None).select_related("model").order_by("id")
    return [row for row in rows if row.state == VersionState.DAMAGED or not _has_view(store, row)]


def _has_view(store: Store, version: Version) -> bool:
    manifest = _read(version)
    return manifest is None or store.has_view(manifest)


def _mend(store: Store, version: Version, healed: Iterable[str], actor: str) -> bool:
    manifest = _read(version)
    if manifest is None or any(
        Blob.objects.filter(versions=version, is_damaged=True).values_list("pk", flat=True)
    ):
        return False
    if not verify_files(store, manifest).is_sound:
        if store.view(manifest.digest).exists():
            store.quarantine(store.view(manifest.digest))
            reach(HealStep.VIEW_ASIDE)
        store.rebuild(manifest)
        reach(HealStep.VIEW_MADE)
        if not verify_files(store, manifest).is_sound:
            return False
    _record(version, sorted({f.sha256 for f in manifest.files} & set(healed)), actor)
    reach(HealStep.RECORDED)
    return True


@transaction.atomic
def _record(version: Version, blobs: list[str], actor: str) -> None:
    model = lock_model(str(version.model))
    Version.objects.filter(pk=version.pk, state=VersionState.DAMAGED).update(
        state=VersionState.SEALED
    )
    add_event(EventKind.HEALED, model, version=version, actor=actor, details={"blobs": blobs[:20]})
    # Who could not load it may try again at once.
    raise_generation()


def _read(version: Version) -> Manifest | None:
    try:
        return parse_manifest(version.manifest, digest=version.digest)
    except InvalidManifest:
        return None
