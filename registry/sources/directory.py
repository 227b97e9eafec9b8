"""A local directory as a source: for the management command only, never for a request.

Every component is opened relative to the folder above it and without following links, so nothing
outside the directory can be read, even when it is changed meanwhile.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Self

from registry.errors import ContentRefused, InvalidPath, SourceUnreadable
from registry.inspection import MAX_FILES
from registry.names import MAX_PATH_PARTS, check_path

SKIPPED_NAMES = frozenset({"__pycache__"})
# Hidden and skipped entries count too: a home directory given by mistake is not walked for hours.
MAX_ENTRIES = 10 * MAX_FILES

_FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: a pipe that took a file's place must not hold the reader for ever.
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DirectorySource:
    """The regular files of one directory, as they were when it was opened; use it with `with`."""

    description = "local directory"

    def __init__(self, root: Path) -> None:
        """List `root`; raises SourceUnreadable, ContentRefused (links, devices) or InvalidPath."""
        self.sizes: dict[str, int] = {}
        self._skipped: list[str] = []
        self._n_entries = 0
        try:
            self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceUnreadable(f"cannot read the directory: {error.strerror}") from error
        try:
            self._walk(self._fd, "", depth=0)
            self.sizes = dict(sorted(self.sizes.items()))
        except BaseException as error:
            self.close()
            if isinstance(error, OSError):
                raise SourceUnreadable(f"cannot read the directory: {error.strerror}") from error
            raise

    @property
    def skipped(self) -> tuple[str, ...]:
        return tuple(sorted(self._skipped))

    def open(self, path: str) -> BinaryIO:
        """The bytes of a listed file; raises SourceUnreadable when it is gone or became a link."""
        *folders, name = path.split("/")
        try:
            with self._folder(folders) as fd:
                stream = os.fdopen(os.open(name, _FILE_FLAGS, dir_fd=fd), "rb")
        except OSError as error:
            raise SourceUnreadable(f"cannot read {path}: {error.strerror}") from error
        if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            stream.close()
            raise SourceUnreadable(f"cannot read {path}: it is no longer a regular file")
        return stream

    def close(self) -> None:
        """Let the directory go; nothing can be opened afterwards."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _folder(self, names: list[str]) -> Iterator[int]:
        """The folder reached by walking `names` from the root, one component at a time."""
        opened: list[int] = []
        try:
            for name in names:
                above = opened[-1] if opened else self._fd
                opened.append(os.open(name, _FOLDER_FLAGS, dir_fd=above))
            yield opened[-1] if opened else self._fd
        finally:
            for fd in opened:
                with suppress(OSError):
                    os.close(fd)

    def _walk(self, fd: int, prefix: str, *, depth: int) -> None:
        if depth >= MAX_PATH_PARTS:
            raise InvalidPath(f"folders are nested over {MAX_PATH_PARTS} deep")
        with os.scandir(fd) as entries:
            for entry in entries:
                self._count_entry()
                self._visit(entry, fd, prefix + entry.name, depth)

    def _visit(self, entry: "os.DirEntry[str]", fd: int, path: str, depth: int) -> None:
        if entry.name.startswith(".") or entry.name in SKIPPED_NAMES:
            self._skipped.append(path)
            return
        check_path(path)
        facts = entry.stat(follow_symlinks=False)
        if stat.S_ISDIR(facts.st_mode):
            inner = os.open(entry.name, _FOLDER_FLAGS, dir_fd=fd)
            try:
                self._walk(inner, path + "/", depth=depth + 1)
            finally:
                os.close(inner)
        elif stat.S_ISREG(facts.st_mode):
            self.sizes[path] = facts.st_size
        else:
            raise _not_regular(path, is_link=stat.S_ISLNK(facts.st_mode))

    def _count_entry(self) -> None:
        self._n_entries += 1
        if self._n_entries > MAX_ENTRIES:
            raise ContentRefused(
                f"the directory has over {MAX_ENTRIES} entries: is it the right one?"
            )


def _not_regular(path: str, *, is_link: bool) -> ContentRefused:
    kind = "a symbolic link (copy the directory with cp -rL first)" if is_link else "not a file"
    return ContentRefused(f"{path} is {kind}; only regular files enter", details={"path": path})
