"""Forgetting snapshots by a policy, and deleting what no snapshot needs any more."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from registry.backups.checking import list_snapshots, load_blob_sizes, load_snapshot
from registry.backups.retention import Dated, Decision, Policy, decide
from registry.backups.snapshots import BLOBS, LOCKS, ROWS, SNAPSHOTS, blob_path, snapshot_path
from registry.backups.targets import TEMPORARY, Target
from registry.backups.writing import PRUNE, locked
from registry.steps import BackupStep, reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted at a target, or would be: `decisions` are newest first."""

    decisions: tuple[Decision, ...]
    n_files: int
    n_bytes: int

    @property
    def forgotten(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.decisions if not one.is_kept)


def prune(
    target: Target, folder: Path, policy: Policy | None, *, now: datetime, is_dry: bool
) -> Pruned:
    """Forget the snapshots that `policy` does not keep (None: forget none), then delete every file
    that no remaining snapshot needs. `folder` is for temporary files.

    Every snapshot is read first, the ones to be forgotten too: one that cannot be read stops it
    all (BackupDamaged), since nobody knows what it needs. Raises RetentionRefused, TargetBusy.
    """
    with locked(target, PRUNE, folder, now=now):
        reach(BackupStep.PRUNE_LOCKED)
        snapshots = {name: load_snapshot(target, name) for name in list_snapshots(target)}
        needs = {
            name: snapshot.pieces.keys()
            | {blob_path(sha256) for sha256 in load_blob_sizes(target, snapshot)}
            for name, snapshot in snapshots.items()
        }
        dated = [Dated(n, s.created_at, frozenset(s.tags)) for n, s in snapshots.items()]
        decisions = decide(dated, policy) if policy else _keep_all(dated)
        kept = {one.name for one in decisions if one.is_kept}
        needed = set().union(*(needs[name] for name in kept)) if kept else set()
        stored = target.list(BLOBS) | target.list(ROWS)
        spare = {path: size for path, size in stored.items() if path not in needed}
        # Halves that a crash left beside snapshots; nothing else is deleted there by name alone.
        halves = [path for path in target.list(SNAPSHOTS) | target.list(LOCKS) if TEMPORARY in path]
        if not is_dry:
            _delete(target, [one.name for one in decisions if not one.is_kept], [*spare, *halves])
    return Pruned(decisions=decisions, n_files=len(spare), n_bytes=sum(spare.values()))


def _keep_all(dated: Iterable[Dated]) -> tuple[Decision, ...]:
    newest_first = sorted(dated, key=lambda one: one.name, reverse=True)
    return tuple(Decision(one.name, ("all",)) for one in newest_first)


def _delete(target: Target, forgotten: Iterable[str], paths: Iterable[str]) -> None:
    # Snapshots first: after a crash none is left that names a deleted file.
    for name in forgotten:
        target.delete(snapshot_path(name))
        reach(BackupStep.SNAPSHOT_FORGOTTEN)
    for path in paths:
        target.delete(path)
        reach(BackupStep.PRUNE_FILE_DELETED)
