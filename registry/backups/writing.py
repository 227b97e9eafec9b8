"""Writing a snapshot: files first, then rows, and the snapshot that names them last.

A crash at any point leaves the target with the snapshots it had, and perhaps with files that the
next backup finds there. While it goes on a lock at the target keeps pruning away.
"""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from registry import durable
from registry.backups.snapshots import (
    LOCKS,
    Piece,
    Snapshot,
    blob_path,
    row_path,
    snapshot_path,
)
from registry.backups.targets import Target, read_all
from registry.errors import BackupDamaged, BlobDamaged, TargetBusy
from registry.staging import is_running
from registry.steps import BackupStep, reach
from registry.store import Progress, Store

BACKUP, PRUNE = "backup", "prune"
STALE_AFTER_S = 86_400.0
MAX_LOCK_BYTES = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A snapshot that is complete at its target, and what had to be sent for it."""

    snapshot: Snapshot
    n_new_blobs: int
    n_new_bytes: int


def write_blobs(
    target: Target, store: Store, blobs: Mapping[str, int], progress: Progress
) -> tuple[int, int]:
    """Send the blobs (bytes by sha256) that the target lacks; returns how many, and their bytes.

    Each is hashed before it is sent: damage is reported (BlobDamaged), never copied.
    """
    there = target.list("blobs")
    missing = sorted(sha for sha, size in blobs.items() if there.get(blob_path(sha)) != size)
    total, n_new = sum(blobs.values()), 0
    n_bytes = sum(blobs[sha256] for sha256 in missing)
    done = total - n_bytes
    for sha256 in missing:
        _check_blob(store, sha256, blobs[sha256])
        n_new += target.put(blob_path(sha256), store.blob(sha256))
        done += blobs[sha256]
        progress(done, total)
    reach(BackupStep.BLOBS_COPIED)
    return n_new, n_bytes


def write_rows(target: Target, folder: Path, tables: Mapping[str, tuple[Piece, ...]]) -> None:
    """Send the pieces, each from `<sha256>.jsonl` in `folder`, that the target lacks."""
    for pieces in tables.values():
        for piece in pieces:
            target.put(row_path(piece.sha256), folder / f"{piece.sha256}.jsonl")
    reach(BackupStep.ROWS_COPIED)


def write_snapshot(target: Target, folder: Path, snapshot: Snapshot) -> None:
    """Send the snapshot itself: from here on it counts."""
    file = folder / f"{snapshot.name}.json"
    file.write_bytes(snapshot.content)
    target.put(snapshot_path(snapshot.name), file)
    reach(BackupStep.SNAPSHOT_WRITTEN)


@contextmanager
def locked(target: Target, work: str, folder: Path, *, now: datetime) -> Iterator[None]:
    """Say at the target that `work` goes on there; `folder` is for temporary files.

    Backups may run side by side; pruning runs alone. Each writes its lock, then looks for others,
    so of two that exclude each other at least one sees the other. Raises TargetBusy.
    """
    name = f"{work}-{uuid4().hex}.json"
    file = folder / name
    facts = {"host": socket.gethostname(), "pid": os.getpid(), "at": now.timestamp()}
    file.write_text(json.dumps(facts), encoding="utf-8")
    path = f"{LOCKS}/{name}"
    target.put(path, file)
    try:
        _refuse_others(target, work, path, now_s=now.timestamp())
        reach(BackupStep.LOCKED)
        yield
    finally:
        target.delete(path)
        reach(BackupStep.UNLOCKED)


def _refuse_others(target: Target, work: str, own: str, *, now_s: float) -> None:
    for path in target.list(LOCKS):
        other = path.rpartition("/")[2].partition("-")[0]
        if path == own or (work == BACKUP and other == BACKUP):
            continue
        if _is_stale(target, path, now_s):
            target.delete(path)
            continue
        raise TargetBusy(
            f"a {other} works at {target.label}: wait for its end",
            details={"target": target.label, "work": other},
        )


def _is_stale(target: Target, path: str, now_s: float) -> bool:
    """Whether the lock's owner died here, or was not seen for a day."""
    try:
        facts = json.loads(read_all(target, path, limit=MAX_LOCK_BYTES))
        is_here = facts["host"] == socket.gethostname()
        is_dead = is_here and not is_running(int(facts["pid"]))
        return bool(is_dead or now_s - float(facts["at"]) > STALE_AFTER_S)
    except BackupDamaged:
        return False  # It was deleted meanwhile, or is being written.
    except (ValueError, KeyError, TypeError):
        return True


def _check_blob(store: Store, sha256: str, size: int) -> None:
    blob = store.blob(sha256)
    is_whole = durable.regular_size(blob) == size
    if not is_whole or durable.hash_file(blob, lambda _: None) != sha256:
        raise BlobDamaged(
            f"the stored blob {sha256} is damaged or missing and not in this backup yet: heal it "
            "from another (manage.py verify --heal), then back up again",
            details={"sha256": sha256},
        )
