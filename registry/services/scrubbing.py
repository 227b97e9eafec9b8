"""The whole registry checked, level by level; each level includes the ones before it.

0  every file that rows need is there, with its size
1  manifests, rows and views fit together
2  every byte is what its name promises (oldest check first, so it can go on another time)
3  weights and tokenizers can be parsed
4  a backup restored elsewhere answers as the golden inputs say (`manage.py drill`)
"""

import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial
from pathlib import Path

from django.db.models import F
from django.utils import timezone

from registry import durable
from registry.backups.rows import needed_blobs
from registry.content import check_content
from registry.errors import ContentRefused, InvalidField, InvalidManifest
from registry.location import open_store
from registry.manifests import Manifest, parse_manifest
from registry.models import Blob, Commit, CommitBlob, Version, VersionBlob
from registry.refs import load_manifest
from registry.services.healing import isolate
from registry.specs import VersionKind
from registry.store import Progress, Store
from registry.verification import is_same

MAX_PARTS = 10_000


class Level(IntEnum):
    """How thoroughly."""

    PRESENCE = 0
    STRUCTURE = 1
    BYTES = 2
    CONTENT = 3


@dataclass(frozen=True, slots=True)
class Subset:
    """Part `number` (from 1) of `n_parts` of all blobs; a blob is always in the same part."""

    number: int
    n_parts: int

    def has(self, sha256: str) -> bool:
        return zlib.crc32(sha256.encode()) % self.n_parts == self.number - 1


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; `where` names a blob, version or commit."""

    level: Level
    where: str
    problem: str


@dataclass(slots=True)
class Scrubbed:
    """What a check of the registry has found. `n_left` blobs were not hashed this time."""

    n_blobs: int = 0
    n_hashed: int = 0
    n_hashed_bytes: int = 0
    n_left: int = 0
    findings: list[Finding] = field(default_factory=list)
    blobs: dict[str, str] = field(default_factory=dict)
    views: set[str] = field(default_factory=set)

    @property
    def is_sound(self) -> bool:
        return not self.findings

    def add(self, level: Level, where: str, problem: str) -> None:
        self.findings.append(Finding(level, where, problem))

    def add_blob(self, level: Level, sha256: str, problem: str) -> None:
        if sha256 not in self.blobs:
            self.blobs[sha256] = problem
            self.add(level, f"blob {sha256}", problem)


def scrub(
    level: Level = Level.CONTENT,
    *,
    actor: str,
    subset: Subset | None = None,
    max_duration_s: float | None = None,
    progress: Progress = lambda done, total: None,
) -> Scrubbed:
    """Check the registry up to `level`; damaged files are moved aside, and versions flagged.

    `subset` and `max_duration_s` limit what is hashed: the blobs whose last check is longest ago
    come first, so running again goes on where this ended.
    """
    store, found = open_store(), Scrubbed()
    _check_presence(store, found)
    if level >= Level.STRUCTURE:
        _check_commits(found)
        _check_versions(store, found)
    if level >= Level.BYTES:
        deadline_s = None if max_duration_s is None else time.monotonic() + max_duration_s
        _check_bytes(store, found, subset, deadline_s, progress)
        _check_copies(store, found)
    if level >= Level.CONTENT:
        _check_content(store, found)
    if found.blobs or found.views:
        isolate(found.blobs, found.views, actor=actor)
    return found


def parse_subset(text: str) -> Subset:
    """`n/t`, as in 2/7; raises InvalidField."""
    number, slash, parts = text.partition("/")
    is_numbers = bool(slash) and number.isdecimal() and parts.isdecimal()
    if is_numbers and 1 <= int(number) <= int(parts) <= MAX_PARTS:
        return Subset(int(number), int(parts))
    raise InvalidField(
        f"subset must be n/t, such as 2/7, with t at most {MAX_PARTS}", details={"field": "subset"}
    )


def _check_presence(store: Store, found: Scrubbed) -> None:
    for blob in needed_blobs().iterator():
        found.n_blobs += 1
        size = durable.regular_size(store.blob(blob.pk))
        if size != blob.size and _is_needed(blob.pk):
            problem = "it is missing" if size is None else f"it has {size} bytes, not {blob.size}"
            found.add_blob(Level.PRESENCE, blob.pk, problem)


def _check_commits(found: Scrubbed) -> None:
    for commit in Commit.objects.select_related("model").order_by("id").iterator():
        where = f"commit {commit.oid} of {commit.model}"
        held = CommitBlob.objects.filter(commit=commit)
        _check_held(found, where, partial(load_manifest, commit.manifest), held)


def _check_versions(store: Store, found: Scrubbed) -> None:
    for version in _kept_versions():
        held = VersionBlob.objects.filter(version=version)
        manifest = _check_held(
            found,
            str(version),
            partial(parse_manifest, version.manifest, digest=version.digest),
            held,
        )
        if manifest is not None:
            _check_view(store, found, version, manifest)


def _check_held(
    found: Scrubbed, where: str, read: Callable[[], Manifest], held: "Iterable[object]"
) -> Manifest | None:
    try:
        manifest = read()
    except InvalidManifest as error:
        found.add(Level.STRUCTURE, where, error.message)
        return None
    rows = {row.blob_id for row in held}  # type: ignore[attr-defined]
    if rows != {file.sha256 for file in manifest.files}:
        found.add(Level.STRUCTURE, where, "its rows do not hold the blobs that its manifest names")
    return manifest


def _check_view(store: Store, found: Scrubbed, version: Version, manifest: Manifest) -> None:
    view = store.view(manifest.digest)
    wrong = [
        file.path for file in manifest.files if durable.regular_size(view / file.path) != file.size
    ]
    names = {file.path for file in manifest.files}
    extra = [
        path.relative_to(view).as_posix()
        for path in view.rglob("*")
        if not path.is_dir() and path.relative_to(view).as_posix() not in names
    ]
    if wrong or extra:
        found.views.add(manifest.digest)
        problem = f"its view lacks {wrong[0]}" if wrong else f"its view has {extra[0]} besides"
        found.add(Level.STRUCTURE, str(version), problem)


def _check_bytes(
    store: Store,
    found: Scrubbed,
    subset: Subset | None,
    deadline_s: float | None,
    progress: Progress,
) -> None:
    rows = needed_blobs().order_by(F("verified_at").asc(nulls_first=True), "pk")
    chosen = [
        (sha256, size)
        for sha256, size in rows.values_list("sha256", "size")
        if sha256 not in found.blobs and (subset is None or subset.has(sha256))
    ]
    total = sum(size for _, size in chosen)
    for n_done, (sha256, size) in enumerate(chosen):
        if deadline_s is not None and time.monotonic() >= deadline_s:
            found.n_left = len(chosen) - n_done
            return
        _check_blob(store, found, sha256)
        found.n_hashed += 1
        found.n_hashed_bytes += size
        progress(found.n_hashed_bytes, total)


def _check_blob(store: Store, found: Scrubbed, sha256: str) -> None:
    try:
        digest = durable.hash_file(store.blob(sha256), lambda _: None)
    except OSError as error:
        # Swept since it was listed, or unreadable.
        if _is_needed(sha256):
            found.add_blob(Level.BYTES, sha256, f"it cannot be read ({error.strerror})")
        return
    if digest != sha256:
        found.add_blob(Level.BYTES, sha256, f"its bytes have the sha256 {digest}")
        return
    Blob.objects.filter(pk=sha256).update(verified_at=timezone.now(), is_damaged=False)


def _check_copies(store: Store, found: Scrubbed) -> None:
    """Files of views that are no links of their blobs, so they were not read with them."""
    for version, manifest, view in _views(store, found):
        for file in manifest.files:
            if is_same(store.blob(file.sha256), view / file.path) or file.sha256 in found.blobs:
                continue
            if _hash(view / file.path) != file.sha256:
                found.views.add(manifest.digest)
                found.add(Level.BYTES, str(version), f"the copy of {file.path} is damaged")


def _check_content(store: Store, found: Scrubbed) -> None:
    for version, manifest, view in _views(store, found):
        if version.kind != VersionKind.FILES:
            continue
        for file in manifest.files:
            try:
                check_content(file.path, view / file.path)
            except (ContentRefused, OSError) as error:
                problem = error.message if isinstance(error, ContentRefused) else "cannot be read"
                found.add(Level.CONTENT, str(version), problem)


def _views(store: Store, found: Scrubbed) -> Iterator[tuple[Version, Manifest, Path]]:
    """Versions whose view is there and not found damaged so far."""
    for version in _kept_versions():
        if version.digest in found.views or set(found.blobs) & {
            row.blob_id for row in VersionBlob.objects.filter(version=version)
        }:
            continue
        try:
            manifest = parse_manifest(version.manifest, digest=version.digest)
        except InvalidManifest:
            continue
        yield version, manifest, store.view(manifest.digest)


def _kept_versions() -> Iterator[Version]:
    """Versions that have files: of a retired one they may have been swept."""
    rows = Version.objects.exclude(versionblob=None).select_related("model").order_by("id")
    return rows.iterator()


def _is_needed(sha256: str) -> bool:
    return needed_blobs().filter(pk=sha256).exists()


def _hash(path: Path) -> str | None:
    try:
        return durable.hash_file(path, lambda _: None)
    except OSError:
        return None
