"""Keeping what is stored true: verification on demand, recovery at start."""

import hashlib
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.errors import InvalidManifest
from registry.location import open_store
from registry.manifests import Manifest, parse_manifest
from registry.models import Blob, Version
from registry.queries import find_model, find_version, version_spec
from registry.services.common import add_event, check_actor, lock_model
from registry.services.healing import isolate
from registry.specs import EventKind, VersionSpec, VersionState
from registry.store import Progress, Recovery
from registry.verification import Damage, Verification
from registry.verification import verify as verify_files

# An event tells what is wrong, not every file of a lost disk.
MAX_DETAILS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyResult:
    """A version after its verification."""

    version: VersionSpec
    state: VersionState
    verification: Verification


def verify(name: str, number: int, *, actor: str, progress: Progress | None = None) -> VerifyResult:
    """Read and hash every stored byte of a version, and record the outcome.

    A version that is not sound becomes damaged, and what is damaged is moved aside, with its view;
    a damaged one that is sound again becomes sealed; retired stays retired. Its route is left
    alone: what is served is in memory already. Raises ModelNotFound or VersionNotFound.
    """
    actor = check_actor(actor)
    version = find_version(find_model(name), number)
    result = _record(name, number, _verify(version, progress or (lambda done, total: None)), actor)
    if not result.verification.is_sound:
        isolate(_damaged_blobs(result.verification), _damaged_views(result), actor=actor)
    return result


def verify_all(*, actor: str) -> Iterator[VerifyResult]:
    """Verify every version that is not retired, one after another, oldest first."""
    rows = Version.objects.exclude(state=VersionState.RETIRED).order_by("id")
    keys = list(rows.values_list("model__namespace", "model__name", "number"))
    for namespace, name, number in keys:
        yield verify(f"{namespace}/{name}", number, actor=actor)


def recover() -> Recovery:
    """Put the store in order after a crash; meant for every start.

    Removes abandoned staging folders and rebuilds missing views from blobs. Versions whose view
    cannot be rebuilt are named in `failed` (digests); they are not marked, verification does that.
    """
    return open_store().recover(dict(_known_manifests()), now=time.time())


def _known_manifests() -> Iterator[tuple[str, Manifest]]:
    # A damaged version's view was moved aside: built again from the same blobs it would be as bad.
    rows = Version.objects.filter(state=VersionState.SEALED).values_list("digest", "manifest")
    for digest, text in rows.distinct():
        try:
            yield digest, parse_manifest(text, digest=digest)
        except InvalidManifest:
            continue


def _damaged_blobs(found: Verification) -> dict[str, str]:
    """What is wrong with the stored files of a version, by sha256."""
    blobs = {d.expected: "its bytes differ" for d in found.damaged if d.place == "blob"}
    return blobs | dict.fromkeys(found.missing_blobs, "it is missing")


def _damaged_views(result: VerifyResult) -> tuple[str, ...]:
    """The version's own view, unless only its record is damaged."""
    is_record = any(damage.place == "record" for damage in result.verification.damaged)
    return () if is_record else (result.version.digest,)


def _verify(version: Version, progress: Progress) -> Verification:
    try:
        manifest = parse_manifest(version.manifest, digest=version.digest)
    except InvalidManifest:
        found = hashlib.sha256(version.manifest.encode()).hexdigest()
        altered = Damage(path="manifest", place="record", expected=version.digest, found=found)
        return Verification(missing=(), damaged=(altered,), extra=())
    return verify_files(open_store(), manifest, progress)


@transaction.atomic
def _record(name: str, number: int, found: Verification, actor: str) -> VerifyResult:
    model = lock_model(name)
    version = find_version(model, number)
    if version.state != VersionState.RETIRED:
        version.state = VersionState.SEALED if found.is_sound else VersionState.DAMAGED
        Version.objects.filter(pk=version.pk).update(state=version.state)
    if found.is_sound:
        blobs = Blob.objects.filter(versions=version).values_list("pk", flat=True)
        Blob.objects.filter(pk__in=list(blobs)).update(is_damaged=False, verified_at=timezone.now())
    add_event(
        EventKind.VERIFIED if found.is_sound else EventKind.DAMAGED,
        model,
        version=version,
        actor=actor,
        details={} if found.is_sound else report(found),
    )
    return VerifyResult(
        version=version_spec(version), state=VersionState(version.state), verification=found
    )


def report(found: Verification) -> dict[str, Any]:
    """What a verification found, as plain JSON values, cut to the first few of each kind."""
    return {
        "missing": list(found.missing[:MAX_DETAILS]),
        "damaged": [asdict(damage) for damage in found.damaged[:MAX_DETAILS]],
        "extra": list(found.extra[:MAX_DETAILS]),
    }
