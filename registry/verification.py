"""Reading every stored byte of a version again, and saying exactly what is not as it was."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from registry import durable
from registry.manifests import Manifest, ManifestFile
from registry.store import Progress, Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """Stored bytes that differ: `place` is "blob", "view" or "record" (the manifest's row).

    `found` is a sha256 (hex), None where the bytes could not be read.
    """

    path: str
    place: str
    expected: str
    found: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a full check found. `missing` and `extra` hold "place: path".

    `missing_blobs` are the sha256 of stored files that are not there.
    """

    missing: tuple[str, ...]
    damaged: tuple[Damage, ...]
    extra: tuple[str, ...]
    missing_blobs: tuple[str, ...] = ()

    @property
    def is_sound(self) -> bool:
        return not (self.missing or self.damaged or self.extra)


def verify(
    store: Store, manifest: Manifest, progress: Progress = lambda done, total: None
) -> Verification:
    """Hash every blob of the version and check its view against them; reads all bytes, writes none.

    A view's hard link is its blob, so its bytes are read once; a copied file is hashed on its own.
    """
    checker = _Checker(store, manifest, progress)
    for file in manifest.files:
        checker.check(file)
    return Verification(
        missing=tuple(checker.missing),
        damaged=tuple(checker.damaged),
        extra=tuple(f"view: {path}" for path in _extra(store.view(manifest.digest), manifest)),
        missing_blobs=tuple(checker.missing_blobs),
    )


class _Checker:
    def __init__(self, store: Store, manifest: Manifest, progress: Progress) -> None:
        self.missing: list[str] = []
        self.missing_blobs: list[str] = []
        self.damaged: list[Damage] = []
        self._store = store
        self._view = store.view(manifest.digest)
        self._hash = _counted(manifest.n_bytes, progress)

    def check(self, file: ManifestFile) -> None:
        blob, linked = self._store.blob(file.sha256), self._view / file.path
        self._check_place("blob", blob, file)
        if not is_same(blob, linked):
            self._check_place("view", linked, file)

    def _check_place(self, place: str, path: Path, file: ManifestFile) -> None:
        if not path.is_symlink() and not path.exists():
            self.missing.append(f"{place}: {file.path}")
            if place == "blob":
                self.missing_blobs.append(file.sha256)
            return
        found = self._read(path)
        if found != file.sha256:
            self.damaged.append(
                Damage(path=file.path, place=place, expected=file.sha256, found=found)
            )

    def _read(self, path: Path) -> str | None:
        if durable.regular_size(path) is None:
            return None
        try:
            return self._hash(path)
        except OSError:
            return None


def _counted(total: int, progress: Progress) -> Callable[[Path], str]:
    done = 0

    def add(n_bytes: int) -> None:
        nonlocal done
        done += n_bytes
        progress(min(done, total), total)

    return lambda path: durable.hash_file(path, add)


def is_same(blob: Path, linked: Path) -> bool:
    """Whether both names are one file, so that reading one reads the other."""
    try:
        one, other = blob.lstat(), linked.lstat()
    except OSError:
        return False
    return (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)


def _extra(view: Path, manifest: Manifest) -> Iterator[str]:
    expected = {file.path for file in manifest.files}
    for path in sorted(view.rglob("*")):
        name = path.relative_to(view).as_posix()
        if name not in expected and (path.is_symlink() or not path.is_dir()):
            yield name
