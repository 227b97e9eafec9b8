"""Where backups lie: a folder, anything that fsspec reaches, or a storage of Django's.

One small interface over all three. What is put is there whole or not at all, under exactly the name
that was asked for; what is there already with the right size is left alone. Locations may hold
secrets (better: fsspec's own configuration does), so only `label` is ever shown or kept.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import urlsplit
from uuid import uuid4

from registry import durable
from registry.errors import BackupDamaged, TargetUnreachable
from registry.steps import BackupStep, reach

STORAGE_PREFIX = "storage:"
# Where writing an object is atomic; elsewhere it is written aside and renamed.
ATOMIC = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci", "memory"})
TEMPORARY = ".tmp-"


class Target(Protocol):
    """Files by path (`/` between folders). Every method may raise TargetUnreachable."""

    @property
    def label(self) -> str:
        """What may be shown: never a server path, a user name or a secret."""

    def size(self, path: str) -> int | None:
        """Bytes of a file; None when there is none."""

    def list(self, folder: str) -> dict[str, int]:
        """Bytes by path of every file under a folder, at any depth."""

    def put(self, path: str, file: Path) -> bool:
        """Store a local file unless one of its size is there; whether it was sent."""

    def open(self, path: str) -> BinaryIO:
        """A file's bytes; raises BackupDamaged when there is none."""

    def delete(self, path: str) -> None:
        """Delete a file; nothing happens when there is none."""


def open_target(location: str, *, label: str | None = None) -> Target:
    """The target at a location: a folder, an fsspec URL or `storage:ALIAS`.

    `label` is its name in the settings. Raises TargetUnreachable.
    """
    if location.startswith(STORAGE_PREFIX):
        return StorageTarget(location.removeprefix(STORAGE_PREFIX), label=label)
    if "://" in location and not location.startswith("file://"):
        return FsspecTarget(location, label=label)
    return DirectoryTarget(Path(location.removeprefix("file://")), label=label)


def safe_label(location: str) -> str:
    """What may be shown of a location that has no name: no path on this machine, no secret.

    >>> safe_label("s3://key:secret@bucket/models?region=x")
    's3://bucket/models'
    >>> safe_label("/srv/private/backups")
    'folder backups'
    """
    if location.startswith(STORAGE_PREFIX):
        return location[:80]
    if "://" not in location or location.startswith("file://"):
        return f"folder {Path(location).name[:80]}"
    parts = urlsplit(location)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]


class DirectoryTarget:
    """A folder of this machine or mounted there; durable and atomic, as the store is."""

    def __init__(self, root: Path, *, label: str | None = None) -> None:
        self._root = root.expanduser()
        self.label = label or safe_label(str(root))

    def size(self, path: str) -> int | None:
        with _reaching(self.label):
            return durable.regular_size(self._root / path)

    def list(self, folder: str) -> dict[str, int]:
        with _reaching(self.label):
            return dict(self._walk(self._root / folder))

    def put(self, path: str, file: Path) -> bool:
        target = self._root / path
        with _reaching(self.label):
            if durable.regular_size(target) == file.stat().st_size:
                return False
            durable.make_folder(target.parent)
            temporary = target.with_name(f"{target.name}{TEMPORARY}{uuid4().hex}")
            try:
                with file.open("rb") as stream:
                    durable.copy_hashed(stream, temporary, lambda _: None)
                reach(BackupStep.FILE_WRITTEN)
                os.replace(temporary, target)
                durable.sync_folder(target.parent)
                reach(BackupStep.FILE_RENAMED)
            finally:
                temporary.unlink(missing_ok=True)
        return True

    def open(self, path: str) -> BinaryIO:
        with _reaching(self.label, path):
            return (self._root / path).open("rb")

    def delete(self, path: str) -> None:
        with _reaching(self.label):
            (self._root / path).unlink(missing_ok=True)

    def _walk(self, root: Path) -> Iterator[tuple[str, int]]:
        for folder, _, names in os.walk(root):
            for name in sorted(names):
                size = durable.regular_size(Path(folder) / name)
                if size is not None:
                    yield (Path(folder) / name).relative_to(self._root).as_posix(), size


class FsspecTarget:
    """Anything that fsspec reaches: object stores, SFTP, WebDAV and many more."""

    def __init__(self, url: str, *, label: str | None = None) -> None:
        from fsspec.core import url_to_fs

        self.label = label or safe_label(url)
        self._is_atomic = urlsplit(url).scheme in ATOMIC
        with _reaching(self.label):
            self._fs, root = url_to_fs(url)
            self._root = root.rstrip("/")

    def size(self, path: str) -> int | None:
        with _reaching(self.label):
            self._fs.invalidate_cache()
            try:
                return int(self._fs.info(self._at(path))["size"])
            except FileNotFoundError:
                return None

    def list(self, folder: str) -> dict[str, int]:
        with _reaching(self.label):
            self._fs.invalidate_cache()
            try:
                found = self._fs.find(self._at(folder), detail=True)
            except FileNotFoundError:
                return {}
            return {
                name.removeprefix(self._root).lstrip("/"): int(facts["size"])
                for name, facts in found.items()
            }

    def put(self, path: str, file: Path) -> bool:
        size = file.stat().st_size
        if self.size(path) == size:
            return False
        with _reaching(self.label):
            at = self._at(path)
            if not self._is_atomic:
                self._fs.makedirs(at.rpartition("/")[0], exist_ok=True)
            sent_to = at if self._is_atomic else f"{at}{TEMPORARY}{uuid4().hex}"
            self._fs.put_file(str(file), sent_to)
            if sent_to != at:
                self._fs.mv(sent_to, at)
        _check_size(self, path, size)
        return True

    def open(self, path: str) -> BinaryIO:
        with _reaching(self.label, path):
            return cast("BinaryIO", self._fs.open(self._at(path), "rb"))

    def delete(self, path: str) -> None:
        with _reaching(self.label), suppress(FileNotFoundError):
            self._fs.rm_file(self._at(path))

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"


class StorageTarget:
    """A storage of Django's, by its alias in STORAGES."""

    def __init__(self, alias: str, *, label: str | None = None) -> None:
        from django.core.files.storage import InvalidStorageError, storages

        self.label = label or f"{STORAGE_PREFIX}{alias}"
        try:
            self._storage = storages[alias]
        except InvalidStorageError as error:
            raise TargetUnreachable(
                f"there is no storage {alias!r:.60} in STORAGES", details={"target": self.label}
            ) from error

    def size(self, path: str) -> int | None:
        with _reaching(self.label):
            return int(self._storage.size(path)) if self._storage.exists(path) else None

    def list(self, folder: str) -> dict[str, int]:
        with _reaching(self.label):
            try:
                folders, names = self._storage.listdir(folder)
            except FileNotFoundError:
                return {}
            found = {f"{folder}/{n}": int(self._storage.size(f"{folder}/{n}")) for n in names}
        for inner in folders:
            found |= self.list(f"{folder}/{inner}")
        return found

    def put(self, path: str, file: Path) -> bool:
        from django.core.files import File

        size = file.stat().st_size
        found = self.size(path)
        if found == size:
            return False
        with _reaching(self.label), file.open("rb") as stream:
            if found is not None:
                # A storage renames what clashes: half a file must make room first.
                self._storage.delete(path)
            saved = self._storage.save(path, File(stream, name=path))
            if saved != path:
                self._storage.delete(saved)
        _check_size(self, path, size)
        return saved == path

    def open(self, path: str) -> BinaryIO:
        with _reaching(self.label, path):
            return cast("BinaryIO", self._storage.open(path, "rb"))

    def delete(self, path: str) -> None:
        with _reaching(self.label):
            self._storage.delete(path)


def read_all(target: Target, path: str, *, limit: int) -> bytes:
    """The bytes of a file of at most `limit` bytes; raises BackupDamaged or TargetUnreachable."""
    with target.open(path) as stream, _reaching(target.label, path):
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise BackupDamaged(f"{path} of the backup is over {limit} bytes", details={"path": path})
    return content


def read_in_pieces(target: Target, path: str) -> Iterator[bytes]:
    """The bytes of a file, a piece at a time; raises BackupDamaged or TargetUnreachable."""
    with target.open(path) as stream, _reaching(target.label, path):
        while chunk := stream.read(durable.CHUNK_BYTES):
            yield chunk


@contextmanager
def _reaching(label: str, path: str | None = None) -> Iterator[None]:
    """Turn what a target raises into one of our errors, without its words: they may hold secrets.

    With `path`, a missing file means that the backup lacks it.
    """
    try:
        yield
    except FileNotFoundError as error:
        if path is None:
            raise _unreachable(label, error) from error
        raise BackupDamaged(
            f"{path} of the backup is missing", details={"path": path, "target": label}
        ) from error
    except (BackupDamaged, TargetUnreachable):
        raise
    except Exception as error:
        raise _unreachable(label, error) from error


def _unreachable(label: str, error: BaseException) -> TargetUnreachable:
    detail: Any = getattr(error, "strerror", None) if type(error).__module__ == "builtins" else None
    return TargetUnreachable(
        f"the backup target {label} does not answer as it should "
        f"({detail or type(error).__name__}): check it and its credentials",
        details={"target": label},
    )


def _check_size(target: Target, path: str, size: int) -> None:
    found = target.size(path)
    if found != size:
        raise TargetUnreachable(
            f"the backup target {target.label} did not keep {path} under its name and size",
            details={"target": target.label, "expected": size, "found": found},
        )
