"""The append-only journal: a record is in the operating system's hands before its answer leaves.

    root/<uuid>/            one directory a process, its own for life
        lock                held by flock; free means that the owner is gone
        0000000000.seg      frames (see `inference.segments`), about 16 MiB each
    root/set-aside/         what could not be read or kept, for people to look at

A killed process loses nothing that `record` returned for: the bytes are in the page cache. `sync`
hands them to the disk too, for the day the machine itself goes down. The root must be on a local
disk, where flock and rename mean what they say.
"""

import fcntl
import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import UUID, uuid4

from inference.records import PredictionRecord
from inference.segments import ORIGIN, Position, Scan, encode, scan

__all__ = [
    "ORIGIN",
    "Chunk",
    "Damage",
    "Journal",
    "Position",
    "discard_before",
    "orphans",
    "read_records",
    "remove",
    "set_aside",
]

SEGMENT_BYTES = 16 * 1024 * 1024
# One read of a chunk: some 500 records with texts; a single longer frame is read whole.
READ_BYTES = 4 * 1024 * 1024
SET_ASIDE = "set-aside"


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes from `start` on that are no readable record."""

    start: Position
    data: bytes


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records in the order of writing; `ends[i]` is the position after `records[i]`.

    `end` is where the next read starts: after the last record, or after what is `damaged`.
    """

    records: tuple[PredictionRecord, ...]
    ends: tuple[Position, ...]
    damaged: tuple[Damage, ...]
    end: Position


class Journal:
    """This process's own journal. Every method may be called from any thread."""

    def __init__(self, directory: Path, lock_fd: int, *, segment_bytes: int) -> None:
        self.directory = directory
        self.id = UUID(directory.name)
        self._segment_bytes = segment_bytes
        self._lock_fd = lock_fd
        self._mutex = threading.Lock()
        self._end = ORIGIN
        self._fd = _create_segment(directory, 0)
        self._retired: list[int] = []
        # A failed write could not be cut off again: nothing may follow it in this segment.
        self._is_tail_dirty = False

    @classmethod
    def open(cls, root: Path, *, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Make `root/<uuid>` for this process and hold its lock. Raises OSError."""
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = str(uuid4())
        # Locked under a name that `orphans` ignores: nobody can take it for a dead process's.
        nascent = root / f".new-{name}"
        nascent.mkdir(mode=0o700)
        lock_fd = os.open(nascent / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        nascent.rename(root / name)
        return cls(root / name, lock_fd, segment_bytes=segment_bytes)

    @property
    def root(self) -> Path:
        return self.directory.parent

    @property
    def end(self) -> Position:
        """Where the next record will go: everything before it is kept."""
        return self._end

    def record(self, records: Sequence[PredictionRecord]) -> None:
        """Append all of `records` in one write, or none of them and raise OSError."""
        data = encode(records)
        with self._mutex:
            if self._is_tail_dirty or self._end.offset >= self._segment_bytes:
                self._rotate()
            try:
                _write_all(self._fd, data, self._end.offset)
            except OSError:
                self._cut_tail()
                raise
            self._end = Position(self._end.segment, self._end.offset + len(data))

    def read(self, start: Position, limit: int) -> Chunk:
        """As `read_records`, up to the last record that was acknowledged."""
        return read_records(self.directory, start, limit, stop=self._end)

    def sync(self) -> None:
        """Wait until all that was recorded before this call is on the disk. Raises OSError."""
        with self._mutex:
            fds, self._retired = [*self._retired, os.dup(self._fd)], []
        try:
            for fd in fds:
                os.fsync(fd)
        finally:
            for fd in fds:
                os.close(fd)

    def close(self) -> None:
        """Let go of the files and the lock; what is unread becomes an orphan's."""
        with self._mutex:
            for fd in (*self._retired, self._fd, self._lock_fd):
                os.close(fd)
            self._retired = []

    def _rotate(self) -> None:
        number = self._end.segment + 1
        fd = _create_segment(self.directory, number)
        # Not synced here: the caller may be the event loop, and a disk can take 100 ms.
        self._retired.append(self._fd)
        self._fd, self._end, self._is_tail_dirty = fd, Position(number, 0), False

    def _cut_tail(self) -> None:
        try:
            os.ftruncate(self._fd, self._end.offset)
        except OSError:
            self._is_tail_dirty = True


def read_records(
    directory: Path, start: Position, limit: int, *, stop: Position | None = None
) -> Chunk:
    """Up to `limit` records from `start` on, out of one segment; none if there are no more.

    A frame cut short at the end of the newest segment is a write that was never acknowledged, and
    is left alone. Other damage is reported: a bad payload costs its own frame, a bad header the
    rest of its segment; later segments are read all the same. `stop` bounds the reading of a
    journal that is being written: it must be a position between frames. Raises OSError.
    """
    numbers = [number for number in _segments(directory) if number >= start.segment]
    if stop is not None:
        numbers = [number for number in numbers if number <= stop.segment]
    position = start
    for number in numbers:
        if number > position.segment:
            position = Position(number, 0)
        is_newest = number == numbers[-1]
        chunk = _read_segment(directory, position, limit, stop=stop, is_newest=is_newest)
        if chunk.end != position:
            return chunk
    return Chunk((), (), (), position)


def discard_before(directory: Path, position: Position) -> None:
    """Remove the segments that end before `position`. Raises OSError."""
    for number in _segments(directory):
        if number < position.segment:
            _segment_path(directory, number).unlink()


def set_aside(directory: Path, start: Position, data: bytes) -> Path:
    """Keep bytes that could not be used where people find them; doing it twice is doing it once."""
    folder = directory.parent / SET_ASIDE
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / f"{directory.name}-{start.segment:010d}-{start.offset}.corrupt"
    path.write_bytes(data)
    return path


def orphans(root: Path) -> Iterator[Path]:
    """Directories of processes that are gone, each locked until the next one is asked for."""
    for directory in sorted(root.iterdir()) if root.is_dir() else ():
        if not _is_journal_name(directory.name):
            continue
        lock_fd = _try_lock(directory)
        if lock_fd is None:
            continue
        try:
            yield directory
        finally:
            os.close(lock_fd)


def remove(directory: Path) -> None:
    """Remove an orphan that is wholly kept elsewhere; the caller holds its lock."""
    gone = directory.with_name(f".gone-{directory.name}")
    # Renamed first: nobody may find half of a journal.
    directory.rename(gone)
    shutil.rmtree(gone)


def _read_segment(
    directory: Path, start: Position, limit: int, *, stop: Position | None, is_newest: bool
) -> Chunk:
    is_live = stop is not None and start.segment == stop.segment
    path = _segment_path(directory, start.segment)
    with path.open("rb") as file:
        size = stop.offset if is_live and stop is not None else os.fstat(file.fileno()).st_size
        left = size - start.offset
        data = os.pread(file.fileno(), min(left, READ_BYTES), start.offset) if left > 0 else b""
        found = scan(data, limit=limit)
        if not found.frames and found.n_needed and len(data) < left:
            data = os.pread(file.fileno(), min(left, max(found.n_needed, READ_BYTES)), start.offset)
            found = scan(data, limit=limit)
        rest = b""
        is_cut = bool(found.n_needed) and found.end + found.n_needed > left
        # What a live or an older segment holds was finished: a cut there is not a torn tail.
        is_damaged = found.is_broken or (is_cut and (is_live or not is_newest))
        if is_damaged or (is_live and len(data) < min(left, READ_BYTES)):
            rest = os.pread(file.fileno(), left, start.offset)[found.end :]
            return _chunk(start, data, found, rest=rest, end=max(size, start.offset))
    return _chunk(start, data, found)


def _chunk(
    start: Position, data: bytes, found: Scan, *, rest: bytes | None = None, end: int | None = None
) -> Chunk:
    segment, base = start
    whole = [(frame, frame.record) for frame in found.frames]
    damaged = [
        Damage(Position(segment, base + frame.start), data[frame.start : frame.end])
        for frame, record in whole
        if record is None
    ]
    if rest is not None:
        damaged.append(Damage(Position(segment, base + found.end), rest))
    return Chunk(
        records=tuple(record for _, record in whole if record is not None),
        ends=tuple(
            Position(segment, base + frame.end) for frame, record in whole if record is not None
        ),
        damaged=tuple(damaged),
        end=Position(segment, base + found.end if end is None else end),
    )


def _write_all(fd: int, data: bytes, offset: int) -> None:
    written = os.pwrite(fd, data, offset)
    while written < len(data):
        written += os.pwrite(fd, data[written:], offset + written)


def _create_segment(directory: Path, number: int) -> int:
    return os.open(_segment_path(directory, number), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)


def _segment_path(directory: Path, number: int) -> Path:
    return directory / f"{number:010d}.seg"


def _segments(directory: Path) -> list[int]:
    return sorted(int(path.stem) for path in directory.glob("*.seg"))


def _is_journal_name(name: str) -> bool:
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _try_lock(directory: Path) -> int | None:
    try:
        fd = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Another process may have kept and removed it between the open and the lock.
        if os.path.samestat(os.fstat(fd), os.stat(directory / "lock")):
            return fd
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None
