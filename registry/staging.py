"""A private folder where files are taken in, and how to tell that its owner is gone.

The folder's `owner` file names host and process and is touched while work goes on. No file locks:
several network file systems grant them to everyone.
"""

import json
import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from registry import durable

# A live owner touches its folder with every piece it copies; the checks after that take minutes.
ABANDONED_AFTER_S = 3_600.0


@dataclass(frozen=True, slots=True)
class Staging:
    """One folder of `staging/`; `files` is where the copies lie."""

    root: Path

    @classmethod
    def make(cls, parent: Path) -> Self:
        """A new folder under `parent`, owned by this process."""
        staging = cls(parent / uuid4().hex)
        staging.root.mkdir()
        write_owner(staging.root)
        staging.files.mkdir()
        return staging

    @property
    def uuid(self) -> str:
        return self.root.name

    @property
    def files(self) -> Path:
        return self.root / "files"

    def touch(self) -> None:
        """Say that the owner is at work."""
        os.utime(self.root / "owner")

    def remove(self) -> None:
        """Remove the folder and what is still in it."""
        durable.remove_tree(self.root)


def write_owner(root: Path) -> None:
    """Say that this process works in the folder."""
    (root / "owner").write_text(
        json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8"
    )


def is_abandoned(root: Path, *, now: float) -> bool:
    """Whether the folder's owner is dead, or was silent for long (`now`: epoch seconds)."""
    owner = root / "owner"
    try:
        silent_s = now - owner.stat().st_mtime
        facts = json.loads(owner.read_text(encoding="utf-8"))
        is_dead = facts["host"] == socket.gethostname() and not is_running(int(facts["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        # No readable owner yet: it is being made right now, or its maker died half-way.
        return _age_s(root, now) > ABANDONED_AFTER_S
    return is_dead or silent_s > ABANDONED_AFTER_S


def _age_s(path: Path, now: float) -> float:
    try:
        return now - path.stat().st_mtime
    except OSError:
        return 0.0


def is_running(pid: int) -> bool:
    """Whether a process of this machine has this id."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
