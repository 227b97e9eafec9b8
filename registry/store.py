"""The artifact store: every file once, named by its sha256; every version a view of links.

    blobs/sha256/ab/cd/<hex>   one file's bytes, mode 0444, never rewritten
    staging/<uuid>/            copies that are being taken in; same file system
    views/<digest>/            read-only folder of hard links: all that loaders read
    quarantine/                blobs and views found damaged: read by nobody

Publish order, each step durable before the next, so a crash leaves the old state or the new one:
copy and hash into staging → fsync the file → link into blobs → fsync the folders → build
`views/<digest>.tmp-<uuid>` → fsync → rename. The database row comes last, and is the caller's.
A file that is served is memory-mapped: nothing here ever writes over one.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from registry import durable
from registry.errors import BlobDamaged, SourceUnreadable, StoreFull
from registry.manifests import Manifest, ManifestFile, build_manifest
from registry.sources import Source
from registry.staging import Staging, is_abandoned
from registry.steps import Step, reach

# Room that must stay free beside the files: the database and the journal live on the same disk.
SPARE_BYTES = 64 * 1024**2

Progress = Callable[[int, int], None]
"""Called with bytes done and bytes in all, again and again during long work."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What `Store.recover` did: leftovers removed, views (digests) rebuilt or not to be rebuilt."""

    n_removed: int
    rebuilt: tuple[str, ...]
    failed: tuple[str, ...]


class Store:
    """A store in one folder. `on_step` sees every `Step`: for tests that stop the work there."""

    def __init__(self, root: Path, *, on_step: Callable[[Step], None] = reach) -> None:
        self.root = root
        self.blobs = root / "blobs" / "sha256"
        self.stagings = root / "staging"
        self.views = root / "views"
        self.quarantined = root / "quarantine"
        self._on_step = on_step

    def blob(self, sha256: str) -> Path:
        """Where the bytes with this sha256 lie, or would."""
        return self.blobs / sha256[:2] / sha256[2:4] / sha256

    def view(self, digest: str) -> Path:
        """The read-only folder of the version with this manifest digest, or where it would be."""
        return self.views / digest

    @contextmanager
    def open_staging(self) -> Iterator[Staging]:
        """A private folder to take files in; it and what was not published are gone afterwards."""
        for folder in (self.blobs, self.stagings, self.views):
            durable.make_folder(folder)
        staging = Staging.make(self.stagings)
        try:
            yield staging
        finally:
            staging.remove()

    def take(self, source: Source, staging: Staging, progress: Progress) -> Manifest:
        """Copy every file of `source` into `staging`, hashing as bytes arrive.

        Raises StoreFull, or SourceUnreadable when a file's size is not the one listed.
        """
        total = sum(source.sizes.values())
        self.check_room(total)
        counter = _Counter(total, progress, staging)
        files = []
        for path, size in source.sizes.items():
            files.append(self._take_file(source, staging, path, size, counter))
            self._on_step(Step.FILE_STAGED)
        return build_manifest(files)

    def publish(self, staging: Staging, manifest: Manifest) -> Path:
        """Make the staged files blobs and their view visible; returns the view.

        Doing it again changes nothing. Raises BlobDamaged when a blob of the same name has another
        size: damaged bytes are reported, never replaced.
        """
        for file in manifest.files:
            self._keep_blob(staging.files / file.path, file)
            self._on_step(Step.BLOB_LINKED)
        self._on_step(Step.BLOBS_DURABLE)
        return self._build_view(manifest, staging.uuid)

    def keep(self, staged: Path, sha256: str, size: int) -> None:
        """Make a staged file, just found to have this sha256 and size, a blob; durable at return.

        Raises BlobDamaged when other bytes are stored under that name.
        """
        self._keep_blob(staged, ManifestFile(sha256, size, sha256))

    def rebuild(self, manifest: Manifest) -> bool:
        """Build a version's view from its blobs unless it is there; False when they are not."""
        return self._rebuild(manifest)

    def quarantine(self, place: Path) -> Path | None:
        """Move a blob or a view aside, where nobody reads it; returns where, None if it is gone.

        What has it open or mapped keeps its bytes.
        """
        durable.make_folder(self.quarantined)
        aside = self.quarantined / f"{place.name}.{uuid4().hex[:8]}"
        try:
            # A sealed folder can only be renamed while it is writable: its ".." changes.
            if place.is_dir():
                os.chmod(place, durable.OPEN_MODE)
            os.rename(place, aside)
        except FileNotFoundError:
            return None
        durable.sync_folder(place.parent)
        durable.sync_folder(self.quarantined)
        return aside

    def has_view(self, manifest: Manifest) -> bool:
        """Whether every file of the version is in its view with the right size (content unread)."""
        view = self.view(manifest.digest)
        return all(durable.regular_size(view / f.path) == f.size for f in manifest.files)

    def recover(self, known: Mapping[str, Manifest], *, now: float) -> Recovery:
        """Remove what crashed work left and rebuild missing views of `known` versions (by digest).

        `now` is seconds since the epoch. Work that another process still does is left alone. A view
        whose blobs are missing or of the wrong size is reported, not guessed at.
        """
        n_removed = self._remove_leftovers(now)
        missing = [digest for digest in known if not self.view(digest).is_dir()]
        rebuilt = [digest for digest in missing if self._rebuild(known[digest])]
        failed = tuple(digest for digest in missing if digest not in rebuilt)
        return Recovery(n_removed, tuple(rebuilt), failed)

    def _take_file(
        self, source: Source, staging: Staging, path: str, size: int, counter: "_Counter"
    ) -> ManifestFile:
        target = staging.files / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with source.open(path) as stream:
            n_bytes, sha256 = durable.copy_hashed(stream, target, counter.add)
        if n_bytes != size:
            raise SourceUnreadable(
                f"{path} changed while it was read: try again when it is at rest"
            )
        return ManifestFile(path, n_bytes, sha256)

    def check_room(self, n_bytes: int) -> None:
        """Raise StoreFull unless `n_bytes` and some room to spare fit beside what is stored."""
        free = shutil.disk_usage(self.root).free
        if n_bytes + SPARE_BYTES > free:
            raise StoreFull(
                f"{n_bytes + SPARE_BYTES} bytes are needed and {free} are free: make room",
                details={"needed": n_bytes + SPARE_BYTES, "free": free},
            )

    def _keep_blob(self, staged: Path, file: ManifestFile) -> None:
        blob = self.blob(file.sha256)
        durable.make_folder(blob.parent)
        try:
            durable.link_or_copy(staged, blob)
        except FileExistsError:
            found = durable.regular_size(blob)
            if found != file.size:
                raise _damaged(file, found) from None
        durable.sync_folder(blob.parent)

    def _build_view(self, manifest: Manifest, uuid: str) -> Path:
        view = self.view(manifest.digest)
        if view.is_dir():
            return view
        temporary = self.views / f"{manifest.digest}.tmp-{uuid}"
        try:
            self._fill_view(temporary, manifest)
            self._on_step(Step.VIEW_BUILT)
            _rename_unless_there(temporary, view)
        finally:
            durable.remove_tree(temporary)
        durable.sync_folder(self.views)
        self._on_step(Step.VIEW_RENAMED)
        return view

    def _fill_view(self, folder: Path, manifest: Manifest) -> None:
        for file in manifest.files:
            found = durable.regular_size(self.blob(file.sha256))
            if found != file.size:
                raise _damaged(file, found)
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            durable.link_or_copy(self.blob(file.sha256), target)
        durable.seal_tree(folder)

    def _rebuild(self, manifest: Manifest) -> bool:
        try:
            with self.open_staging() as staging:
                self._build_view(manifest, staging.uuid)
        except BlobDamaged:
            return False
        return True

    def _remove_leftovers(self, now: float) -> int:
        # Views first: work that begins between the listings is then seen with its staging folder.
        halves = [path for path in _listed(self.views) if ".tmp-" in path.name]
        stale = [path for path in _listed(self.stagings) if is_abandoned(path, now=now)]
        for path in stale:
            durable.remove_tree(path)
        # A view under construction belongs to the staging folder whose id it carries.
        working = {path.name for path in _listed(self.stagings)}
        halves = [path for path in halves if path.name.rpartition(".tmp-")[2] not in working]
        for path in halves:
            durable.remove_tree(path)
        return len(stale) + len(halves)


@dataclass(slots=True)
class _Counter:
    total: int
    progress: Progress
    staging: Staging
    done: int = field(default=0)

    def add(self, n_bytes: int) -> None:
        self.done += n_bytes
        self.staging.touch()
        self.progress(self.done, self.total)


def _rename_unless_there(temporary: Path, view: Path) -> None:
    try:
        os.rename(temporary, view)
    except OSError:
        # Another process published the same version first; its view has the same content.
        if not view.is_dir():
            raise


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _damaged(file: ManifestFile, found: int | None) -> BlobDamaged:
    return BlobDamaged(
        f"the stored bytes of {file.path} are damaged: restore blob {file.sha256} from a backup",
        details={"path": file.path, "sha256": file.sha256, "expected": file.size, "found": found},
    )
