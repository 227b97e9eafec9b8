"""Fetching from a target what a snapshot names; nothing is believed before it is hashed."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from registry import durable
from registry.backups.checking import read_piece
from registry.backups.snapshots import Snapshot, blob_path, damaged, parse_rows, row_path
from registry.backups.targets import Target, read_in_pieces
from registry.staging import Staging
from registry.steps import RestoreStep, reach
from registry.store import Progress, Store


def fetch_rows(target: Target, snapshot: Snapshot) -> dict[str, list[dict[str, Any]]]:
    """Every row of a snapshot by table; raises BackupDamaged or TargetUnreachable."""
    rows = {table: list(_rows(target, snapshot, table)) for table in snapshot.tables}
    reach(RestoreStep.ROWS_FETCHED)
    return rows


def fetch_blobs(
    target: Target, store: Store, staging: Staging, sizes: Mapping[str, int], progress: Progress
) -> int:
    """Put the blobs (bytes by sha256) that the store lacks into it; returns how many were fetched.

    Raises BackupDamaged, TargetUnreachable, StoreFull or BlobDamaged.
    """
    missing = {sha: size for sha, size in sizes.items() if not _is_here(store, sha, size)}
    total, done = sum(missing.values()), 0
    for sha256, size in missing.items():
        staged = fetch_blob(target, staging, sha256, size)
        if durable.regular_size(store.blob(sha256)) is not None:
            store.quarantine(store.blob(sha256))
        done += size
        reach(RestoreStep.BLOB_FETCHED)
        store.keep(staged, sha256, size)
        staged.unlink()
        reach(RestoreStep.BLOB_KEPT)
        staging.touch()
        progress(done, total)
    return len(missing)


def fetch_blob(target: Target, staging: Staging, sha256: str, size: int) -> Path:
    """Fetch one blob into `staging`, durably; raises BackupDamaged unless it is the one named."""
    path, staged = blob_path(sha256), staging.files / sha256
    digest, n_bytes = hashlib.sha256(), 0
    staged.unlink(missing_ok=True)
    with staged.open("xb") as sink:
        for chunk in read_in_pieces(target, path):
            n_bytes += len(chunk)
            if n_bytes > size:
                break
            sink.write(chunk)
            digest.update(chunk)
        os.fchmod(sink.fileno(), durable.FILE_MODE)
        sink.flush()
        os.fsync(sink.fileno())
    if n_bytes != size or digest.hexdigest() != sha256:
        staged.unlink()
        raise damaged(path, "its content is not the one that its name promises")
    return staged


def _rows(target: Target, snapshot: Snapshot, table: str) -> Iterator[dict[str, Any]]:
    for piece in snapshot.tables[table]:
        content = read_piece(target, piece.sha256, piece.size)
        yield from parse_rows(row_path(piece.sha256), content.splitlines())


def _is_here(store: Store, sha256: str, size: int) -> bool:
    """Whether the store has these very bytes: what a crash left there was never checked."""
    blob = store.blob(sha256)
    return durable.regular_size(blob) == size and durable.hash_file(blob, lambda _: None) == sha256
