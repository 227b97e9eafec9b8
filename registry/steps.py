"""The points of long work where a crash is told apart; tests die at each (pure).

Work says `reach(…)` where something has just become durable, or is about to. In production
nobody listens, and it costs one comparison.
"""

from collections.abc import Callable
from enum import StrEnum


class Step(StrEnum):
    """Publishing a version."""

    FILE_STAGED = "file staged"
    BLOB_LINKED = "blob linked"
    BLOBS_DURABLE = "blobs durable"
    VIEW_BUILT = "view built"
    VIEW_RENAMED = "view renamed"


class BackupStep(StrEnum):
    """Writing and pruning a backup."""

    LOCKED = "backup: target locked"
    ROWS_READ = "backup: rows read"
    FILE_WRITTEN = "backup: temporary file written"
    FILE_RENAMED = "backup: file renamed"
    BLOBS_COPIED = "backup: blobs copied"
    ROWS_COPIED = "backup: rows copied"
    SNAPSHOT_WRITTEN = "backup: snapshot written"
    UNLOCKED = "backup: target unlocked"

    SNAPSHOT_FORGOTTEN = "prune: snapshot forgotten"
    PRUNE_LOCKED = "prune: target locked"
    PRUNE_FILE_DELETED = "prune: file deleted"


class RestoreStep(StrEnum):
    """Restoring from a backup."""

    ROWS_FETCHED = "restore: rows fetched"
    BLOB_FETCHED = "restore: blob fetched"
    BLOB_KEPT = "restore: blob kept"
    VIEW_MADE = "restore: view made"
    ROWS_WRITTEN = "restore: rows written"


class SweepStep(StrEnum):
    """Removing what nothing needs."""

    MARKED = "gc: marked"
    CONDEMNED = "gc: condemned"
    ROWS_DROPPED = "gc: rows of old commits dropped"
    VIEW_ASIDE = "gc: view moved aside"
    VIEW_REMOVED = "gc: view removed"
    ROW_DELETED = "gc: blob row deleted"
    FILE_UNLINKED = "gc: blob file unlinked"
    FILE_SWEPT = "gc: blob swept"


class HealStep(StrEnum):
    """Replacing damaged files."""

    FLAGGED = "heal: damage flagged"
    BLOB_ASIDE = "heal: blob moved aside"
    VIEW_ASIDE = "heal: view moved aside"
    FETCHED = "heal: blob fetched"
    KEPT = "heal: blob kept"
    VIEW_MADE = "heal: view made"
    RECORDED = "heal: recorded"


listener: Callable[[StrEnum], None] | None = None
"""Who wants to know; for tests that stop the work at a point."""


def reach(step: StrEnum) -> None:
    """Say that the work has come to this point."""
    if listener is not None:
        listener(step)
