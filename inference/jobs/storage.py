"""A job's folder: the input, and segments of results and errors.

    BELLWETHER_HOME/jobs/<id>/input · results-<segment> · errors-<segment> · results.parquet

Whoever takes a job begins a segment of its own, and the job's row says how much of each counts. So
a process that was taken for dead and goes on writing harms nobody, without any lock: its bytes are
in its own segment and never counted.
"""

import errno
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

from inference.errors import JobDiskFull, JobFilesLost
from registry import durable

INCOMING = "incoming"
PIECE_BYTES = 256 * 1024
SPARE_BYTES = 64 * 1024**2
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@dataclass(frozen=True, slots=True)
class Segment:
    """How many bytes of a segment's two files count."""

    name: str
    n_result_bytes: int = 0
    n_error_bytes: int = 0


@dataclass(frozen=True, slots=True)
class JobFolder:
    root: Path

    @property
    def input(self) -> Path:
        return self.root / "input"

    def results(self, segment: str) -> Path:
        """Results as they are read, but Arrow streams where the input is Parquet."""
        return self.root / f"results-{segment}"

    def errors(self, segment: str) -> Path:
        return self.root / f"errors-{segment}"

    @property
    def parquet(self) -> Path:
        return self.root / "results.parquet"

    def is_here(self) -> bool:
        """Whether this process sees the job's input."""
        return self.input.is_file()

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


def folder_of(root: Path, job_id: UUID) -> JobFolder:
    return JobFolder(root / str(job_id))


def make_incoming(root: Path) -> Path:
    """A new path for a file that comes in."""
    with full_disk_named():
        durable.make_folder(root / INCOMING)
    return root / INCOMING / uuid4().hex


def check_room(root: Path, n_bytes: int) -> None:
    """Raise JobDiskFull where `n_bytes` more, and what is written of them, do not fit."""
    free = shutil.disk_usage(root).free
    needed = 2 * n_bytes + SPARE_BYTES
    if needed > free:
        raise _full(f"about {needed} bytes are needed and {free} are free")


def adopt(root: Path, incoming: Path, job_id: UUID) -> JobFolder:
    """Make a job's folder with `incoming` as its input; it appears whole, durably."""
    making = JobFolder(root / INCOMING / f"{job_id}.making")
    with full_disk_named():
        making.root.mkdir(parents=True)
        durable.sync_file(incoming)
        incoming.rename(making.input)
        durable.sync_folder(making.root)
        folder = folder_of(root, job_id)
        making.root.rename(folder.root)
        durable.sync_folder(root)
    return folder


def begin(folder: JobFolder, segment: str) -> None:
    """Make the two files of a segment, durably."""
    with full_disk_named():
        try:
            folder.results(segment).touch()
            folder.errors(segment).touch()
            durable.sync_folder(folder.root)
        except FileNotFoundError:
            raise _lost(folder.root) from None


def append(path: Path, committed: int, data: bytes) -> int:
    """Write `data` durably after the first `committed` bytes; returns where it ends.

    Raises JobDiskFull, and JobFilesLost where the file is gone.
    """
    if not data:
        return committed
    with full_disk_named(), _opened(path) as fd:
        view, at = memoryview(data), committed
        while view:
            n = os.pwrite(fd, view, at)
            view, at = view[n:], at + n
        os.fsync(fd)
    return at


def read_pieces(parts: Sequence[tuple[Path, int]]) -> Iterator[bytes]:
    """The first bytes of each file, as many as are named. Raises JobFilesLost."""
    for path, left in parts:
        with _opened(path) as fd:
            at = 0
            while at < left:
                piece = os.pread(fd, min(PIECE_BYTES, left - at), at)
                if not piece:
                    raise _lost(path)
                at += len(piece)
                yield piece


def list_leftovers(root: Path, *, before: float) -> Iterator[Path]:
    """What came in and became no job, last touched before `before` (epoch seconds)."""
    for path in (root / INCOMING).glob("*"):
        if path.stat().st_mtime < before:
            yield path


def list_folders(root: Path, *, before: float) -> Iterator[tuple[UUID, JobFolder]]:
    """Every job's folder that was last touched before `before` (epoch seconds)."""
    for path in root.glob("*"):
        if path.name != INCOMING and path.stat().st_mtime < before:
            try:
                yield UUID(path.name), JobFolder(path)
            except ValueError:
                continue


def remove(path: Path) -> None:
    """Remove a file or a folder; nothing happens when it is gone already."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def full_disk_named() -> Iterator[None]:
    """Raise JobDiskFull for a full disk."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise _full("the disk is full") from error


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        raise _lost(path) from None
    try:
        yield fd
    finally:
        os.close(fd)


def _full(problem: str) -> JobDiskFull:
    return JobDiskFull(f"No room for the job's files: {problem}. Make room, then resume the job.")


def _lost(path: Path) -> JobFilesLost:
    return JobFilesLost(
        f"The job's {path.name.partition('-')[0]} are missing or shorter than they were: start the "
        "job again."
    )
