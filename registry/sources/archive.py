"""A tar or zip archive as a source: its members are written under numbers, never under their names.

bytes → what kind → members in order → each judged before it is written → one top folder taken off

Only plain files enter. What an archive claims of itself is a limit, never a reason to trust: actual
bytes are counted.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from registry.content import check_name
from registry.errors import ArchiveRefused, InvalidPath, StoreFull
from registry.inspection import CONFIG, MAX_FILE_BYTES, MAX_FILES, MAX_TOTAL_BYTES
from registry.names import check_path
from registry.sources.directory import MAX_ENTRIES, SKIPPED_NAMES
from registry.sources.members import CHUNK_BYTES, Member, show
from registry.sources.tars import read_tar, read_tar_gz
from registry.sources.zips import read_zip

# Weights hardly compress; text by ten or twenty. Small archives may do what they like.
MAX_RATIO, FREE_BYTES = 200, 64 * 1024**2
SPARE_BYTES = 64 * 1024**2
LEFT_OUT = SKIPPED_NAMES | {"__MACOSX"}

_NO = {
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf": "7z",
    b"Rar!": "rar",
}
OnBytes = Callable[[int], None]


@dataclass
class ArchiveSource:
    """The files of one archive, unpacked into `folder`, which is private and empty.

    Raises ArchiveRefused (or ContentRefused, InvalidPath for a single member) and StoreFull; what
    has been written by then stays in `folder`, for its owner to remove. `on_bytes` hears of every
    piece written.
    """

    archive: Path
    folder: Path
    on_bytes: OnBytes = lambda n_bytes: None
    description: str = "archive"
    sizes: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._skipped: list[str] = []
        self._files: dict[str, Path] = {}
        self._n_entries = self._n_bytes = 0
        size = self.archive.stat().st_size
        self._max_bytes = min(MAX_TOTAL_BYTES, max(FREE_BYTES, MAX_RATIO * size))
        with self.archive.open("rb") as stream:
            for member in _members(stream, size):
                self._take(member)
        if not self._files:
            raise ArchiveRefused("the archive holds no files")
        self._strip_top()
        self.sizes = {path: file.stat().st_size for path, file in sorted(self._files.items())}

    @property
    def skipped(self) -> tuple[str, ...]:
        return tuple(sorted(self._skipped))

    def open(self, path: str) -> BinaryIO:
        return self._files[path].open("rb")

    def _take(self, member: Member) -> None:
        self._n_entries += 1
        if self._n_entries > MAX_ENTRIES:
            raise ArchiveRefused(f"the archive has over {MAX_ENTRIES} entries")
        if member.problem:
            raise ArchiveRefused(
                f"{show(member.name)!r} in the archive {member.problem}",
                details={"path": show(member.name)},
            )
        path = _check_member(member)
        if member.is_folder:
            return
        if _is_left_out(path):
            self._skipped.append(path)
            for piece in member.read():
                self._count(path, len(piece))
            return
        self._keep(path, member)

    def _keep(self, path: str, member: Member) -> None:
        if path in self._files:
            raise InvalidPath(f"{show(path)!r} is in the archive twice", details={"path": path})
        if len(self._files) >= MAX_FILES:
            raise ArchiveRefused(f"the archive has over {MAX_FILES} files")
        check_name(path)
        self._check_size(path, member.size)
        target = self.folder / str(len(self._files))
        with target.open("xb") as sink:
            for piece in member.read():
                self._count(path, len(piece))
                sink.write(piece)
        self._files[path] = target

    def _check_size(self, path: str, size: int) -> None:
        if size > MAX_FILE_BYTES:
            raise ArchiveRefused(
                f"{path} has {size} bytes; a file may have {MAX_FILE_BYTES}",
                details={"path": path},
            )
        needed, free = size + SPARE_BYTES, shutil.disk_usage(self.folder).free
        if needed > free:
            raise StoreFull(
                f"{needed} bytes are needed for {path} and {free} are free: make room",
                details={"needed": needed, "free": free},
            )

    def _count(self, path: str, n_bytes: int) -> None:
        self._n_bytes += n_bytes
        if self._n_bytes > self._max_bytes:
            raise ArchiveRefused(
                f"the archive unpacks to over {self._max_bytes} bytes, at {path}: it may grow "
                f"{MAX_RATIO} times",
                details={"path": path, "limit_bytes": self._max_bytes},
            )
        self.on_bytes(n_bytes)

    def _strip_top(self) -> None:
        """Take a single top folder off, as `tar czf model.tar.gz model` puts one on."""
        tops = {path.partition("/")[0] for path in self._files}
        if (
            len(tops) == 1
            and CONFIG not in self._files
            and all("/" in path for path in self._files)
        ):
            self._files = {path.partition("/")[2]: file for path, file in self._files.items()}


def _members(stream: BinaryIO, size: int) -> Iterator[Member]:
    head = stream.read(CHUNK_BYTES)[:512]
    stream.seek(0)
    if head[:2] == b"\x1f\x8b":
        return read_tar_gz(stream)
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return read_zip(stream, size)
    if head[257:262] == b"ustar":
        return read_tar(stream)
    kind = next((name for magic, name in _NO.items() if head.startswith(magic)), None)
    said = f"is {kind}" if kind else "is no archive of a known kind"
    raise ArchiveRefused(f"the file {said}: send a tar, a tar.gz or a zip")


def _check_member(member: Member) -> str:
    """The member's path, if it is legal. Hidden parts are left out later, so they may be reserved
    names; all else holds for them too.
    """
    path = member.name
    while path.startswith("./"):
        path = path[2:]
    if member.is_folder:
        path = path.removesuffix("/")
        if path in ("", "."):
            return ""
    parts = path.split("/")
    check_path("/".join(f"_{part[1:]}" if _is_hidden(part) else part for part in parts))
    return path


def _is_left_out(path: str) -> bool:
    return any(_is_hidden(part) or part in LEFT_OUT for part in path.split("/"))


def _is_hidden(part: str) -> bool:
    return part.startswith(".") and part.strip(".") != ""
