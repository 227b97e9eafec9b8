"""File operations that survive a crash, or leave only what can be told from the finished thing."""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

CHUNK_BYTES = 1024**2
# Read-only for everybody: loaders may run under another account than the store's owner.
FILE_MODE, SEALED_MODE, OPEN_MODE = 0o444, 0o555, 0o700

# Where a hard link cannot be had (another file system, too many links, not supported), copy.
_NO_LINK = {errno.EXDEV, errno.EMLINK, errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


def copy_hashed(source: BinaryIO, target: Path, on_bytes: Callable[[int], None]) -> tuple[int, str]:
    """Write `source` to the new file `target`, durably; returns its size and sha256 (hex)."""
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as sink:
        while chunk := source.read(CHUNK_BYTES):
            sink.write(chunk)
            digest.update(chunk)
            size += len(chunk)
            on_bytes(len(chunk))
        os.fchmod(sink.fileno(), FILE_MODE)
        sink.flush()
        os.fsync(sink.fileno())
    return size, digest.hexdigest()


def join_hashed(
    parts: list[Path], target: Path, on_bytes: Callable[[int], None]
) -> tuple[int, str]:
    """Write `parts`, one after another, to the new file `target`; its size and sha256 (hex)."""
    digest, size = hashlib.sha256(), 0
    with target.open("xb") as sink:
        for part in parts:
            with part.open("rb") as source:
                while chunk := source.read(CHUNK_BYTES):
                    sink.write(chunk)
                    digest.update(chunk)
                    size += len(chunk)
                    on_bytes(len(chunk))
        sink.flush()
        os.fsync(sink.fileno())
    return size, digest.hexdigest()


def hash_file(path: Path, on_bytes: Callable[[int], None]) -> str:
    """The sha256 (hex) of a regular file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


def link_or_copy(source: Path, target: Path) -> bool:
    """Give `source` the further name `target`; returns whether it is a link, not a copy.

    The target appears whole or not at all. Raises FileExistsError when it is there already.
    """
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        _copy(source, target)
        return False
    return True


def _copy(source: Path, target: Path) -> None:
    temporary = target.with_name(f"{target.name[:200]}.tmp-{uuid4().hex}")
    try:
        with source.open("rb") as stream:
            copy_hashed(stream, temporary, lambda _: None)
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        # Content-addressed: should another process win here, it wrote the same bytes.
        temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make `path` and its parents, durably."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Make the bytes of a file durable."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def seal_tree(root: Path) -> None:
    """Make every folder under and including `root` read-only and durable, innermost first."""
    for folder, _, _ in os.walk(root, topdown=False):
        os.chmod(folder, SEALED_MODE)
        sync_folder(Path(folder))


def remove_tree(root: Path) -> None:
    """Remove a tree that may be sealed; nothing happens when it is gone already."""
    for folder, _, _ in os.walk(root):
        os.chmod(folder, OPEN_MODE)
    shutil.rmtree(root, ignore_errors=True)


def regular_size(path: Path) -> int | None:
    """Size in bytes of a regular file; None when there is none, or it is a link or a device."""
    try:
        facts = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return facts.st_size if stat.S_ISREG(facts.st_mode) else None
