"""Which loads ended the process: a mark is laid before a load, and taken away after it.

A mark whose maker is gone was left by a crash. The maker holds a file lock, which the kernel drops
with the process however it ends, so a process id used again is not mistaken for it.
"""

import fcntl
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from registry import durable
from registry.specs import VersionSpec

MAX_CRASHES = 2


class Attempts:
    """Marks under `folder`, which processes of one home share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def count_crashes(self, spec: VersionSpec, generation: int) -> int:
        """How often loading `spec` for this generation of its routes has ended a process."""
        return sum(map(_is_abandoned, self._marks(spec, generation)))

    @contextmanager
    def trying(self, spec: VersionSpec, generation: int) -> Iterator[None]:
        """Mark the block as a load; marks of other generations of this version go."""
        self._folder.mkdir(parents=True, exist_ok=True)
        current = set(self._marks(spec, generation))
        for old in self._folder.glob(f"{spec.digest[:32]}-{spec.number}-*"):
            if old not in current and _is_abandoned(old):
                old.unlink(missing_ok=True)
        name = f"{_prefix(spec, generation)}{os.getpid()}-{uuid.uuid4().hex[:8]}"
        mark, unlocked = self._folder / name, self._folder / f".{name}"
        with unlocked.open("xb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            unlocked.rename(mark)  # Seen by others only once it is locked.
            durable.sync_folder(self._folder)
            try:
                yield
            finally:
                mark.unlink(missing_ok=True)

    def _marks(self, spec: VersionSpec, generation: int) -> Iterator[Path]:
        return self._folder.glob(f"{_prefix(spec, generation)}*")


def _prefix(spec: VersionSpec, generation: int) -> str:
    return f"{spec.digest[:32]}-{spec.number}-{generation}-"


def _is_abandoned(mark: Path) -> bool:
    with suppress(OSError), mark.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False
