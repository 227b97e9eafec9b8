"""Half-finished downloads that outlive their process, each folder with one owner at a time.

A folder is named `<key>.<uuid>`. Who wants to go on with a key renames a free folder to a name of
its own: a rename has one winner, so no lock is needed. Bytes in here are believed only after their
hash was checked.
"""

import hashlib
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from registry import durable
from registry.staging import is_abandoned, write_owner

# A download that nobody has gone on with for so long is removed.
KEPT_S = 7 * 86_400.0
TOUCH_EVERY_S = 5.0


def key_of(endpoint: str, repo: str, sha: str) -> str:
    """The name under which one commit of one model is gathered."""
    return hashlib.sha256("\n".join((endpoint, repo, sha)).encode()).hexdigest()[:32]


@dataclass(slots=True)
class Partials:
    """One claimed folder."""

    root: Path
    _touched_s: float = 0.0

    @classmethod
    def claim(cls, parent: Path, key: str) -> Self:
        """Take over what is left of `key`, or begin anew."""
        durable.make_folder(parent)
        mine = parent / f"{key}.{uuid4().hex}"
        if not any(_take(left, mine) for left in sorted(parent.glob(f"{key}.*"))):
            made = parent / f".{uuid4().hex}"
            made.mkdir()
            write_owner(made)
            made.rename(mine)
        return cls(mine)

    def file(self, path: str) -> Path:
        """Where the bytes of `path` are gathered."""
        return self.root / hashlib.sha256(path.encode()).hexdigest()

    def touch(self) -> None:
        """Say that the owner is at work; cheap enough for every piece."""
        now_s = time.monotonic()
        if now_s - self._touched_s >= TOUCH_EVERY_S:
            self._touched_s = now_s
            os.utime(self.root / "owner")

    def release(self) -> None:
        """Leave the folder to whoever goes on."""
        (self.root / "owner").unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder: its files are registered."""
        shutil.rmtree(self.root, ignore_errors=True)


def prune(parent: Path, *, now: float) -> int:
    """Remove folders that nobody works on and that are old (`now`: epoch seconds); counts them."""
    n_removed = 0
    for folder in list(parent.iterdir()) if parent.is_dir() else []:
        with suppress(OSError):
            if _is_free(folder, now) and now - _touched_at(folder) > KEPT_S:
                shutil.rmtree(folder, ignore_errors=True)
                n_removed += 1
    return n_removed


def _take(left: Path, mine: Path) -> bool:
    if not _is_free(left, time.time()):
        return False
    try:
        # Before the rename, so that nobody ever finds the new name free.
        write_owner(left)
        left.rename(mine)
    except OSError:
        return False
    write_owner(mine)
    return True


def _is_free(folder: Path, now: float) -> bool:
    if folder.name.startswith("."):
        return is_abandoned(folder, now=now)
    return not (folder / "owner").exists() or is_abandoned(folder, now=now)


def _touched_at(folder: Path) -> float:
    times = [path.stat().st_mtime for path in (folder, *folder.iterdir())]
    return max(times)
