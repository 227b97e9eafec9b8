"""What lies at a target, read again: snapshots, their rows, their files."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from registry.backups.snapshots import (
    BLOBS,
    MAX_PIECE_BYTES,
    MAX_SNAPSHOT_BYTES,
    ROWS,
    SNAPSHOTS,
    Snapshot,
    blob_path,
    damaged,
    name_of,
    parse_rows,
    parse_snapshot,
    row_path,
    sha256_of,
    snapshot_path,
)
from registry.backups.targets import Target, read_all, read_in_pieces
from registry.errors import BackupDamaged, SnapshotNotFound
from registry.store import Progress


@dataclass(frozen=True, slots=True)
class Fault:
    """Something at a target that is not as it was written."""

    path: str
    problem: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a target has read, and what was wrong there."""

    n_snapshots: int
    n_files: int
    n_bytes: int
    faults: tuple[Fault, ...]

    @property
    def is_sound(self) -> bool:
        return not self.faults


def list_snapshots(target: Target) -> tuple[str, ...]:
    """The names of all snapshots, oldest first; none is read."""
    return tuple(sorted(filter(None, map(name_of, target.list(SNAPSHOTS)))))


def load_snapshot(target: Target, name: str | None = None) -> Snapshot:
    """A snapshot by its name or the beginning of one, or the newest.

    Raises SnapshotNotFound, BackupDamaged or TargetUnreachable.
    """
    names = list_snapshots(target)
    found = [one for one in names if one.startswith(name)] if name else list(names[-1:])
    if len(found) != 1:
        problem = "has no snapshot" if not found else f"has {len(found)} snapshots that begin with"
        raise SnapshotNotFound(
            f"{target.label} {problem} {name or ''}".rstrip() + ": list them (manage.py backups)",
            details={"target": target.label, "snapshot": (name or "")[:120]},
        )
    content = read_all(target, snapshot_path(found[0]), limit=MAX_SNAPSHOT_BYTES)
    return parse_snapshot(found[0], content)


def read_piece(target: Target, sha256: str, size: int) -> bytes:
    """The bytes of a piece, checked; raises BackupDamaged or TargetUnreachable."""
    path = row_path(sha256)
    content = read_all(target, path, limit=min(size, MAX_PIECE_BYTES))
    if hashlib.sha256(content).hexdigest() != sha256:
        raise damaged(path, "its content is not the one that its name promises")
    return content


def load_blob_sizes(target: Target, snapshot: Snapshot) -> dict[str, int]:
    """Bytes by sha256 of every file that a snapshot needs; raises BackupDamaged."""
    sizes = {}
    for piece in snapshot.tables.get("blobs", ()):
        content = read_piece(target, piece.sha256, piece.size)
        for row in parse_rows(row_path(piece.sha256), content.splitlines()):
            sizes[str(row["sha256"])] = int(row["size"])
    return sizes


def check_target(
    target: Target,
    *,
    snapshot: str | None = None,
    reads_blobs: bool = True,
    progress: Progress = lambda done, total: None,
) -> Checked:
    """Read a snapshot (or every one) with its rows and files again.

    Without `reads_blobs` files are only looked for, with their size. With no `snapshot` named,
    files that no snapshot needs are read too: the next backup would build on them.
    """
    there = target.list(BLOBS) | target.list(ROWS)
    names = [load_snapshot(target, snapshot).name] if snapshot else list_snapshots(target)
    needed: dict[str, int] = {}
    faults = []
    for name in names:
        try:
            needed |= _needed(target, name)
        except BackupDamaged as error:
            faults.append(Fault(str(error.details.get("path", name)), error.message))
    if snapshot is None:
        faults += _strangers(target.list(SNAPSHOTS), there)
    faults += [Fault(path, problem) for path, problem in _misfits(needed, there)]
    wrong = {fault.path for fault in faults}
    chosen = needed if snapshot else there
    read = {path: there[path] for path in chosen if path in there and path not in wrong}
    if not reads_blobs:
        read = {path: size for path, size in read.items() if path.startswith(ROWS)}
    faults += list(_unlike_names(target, read, progress))
    return Checked(len(names), len(needed), sum(needed.values()), tuple(faults))


def _needed(target: Target, name: str) -> dict[str, int]:
    snapshot = load_snapshot(target, name)
    blobs = load_blob_sizes(target, snapshot)
    return snapshot.pieces | {blob_path(sha256): size for sha256, size in blobs.items()}


def _misfits(needed: Mapping[str, int], there: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for path, size in needed.items():
        if path not in there:
            yield path, "it is missing"
        elif there[path] != size:
            yield path, f"it has {there[path]} bytes, not {size}"


def _strangers(snapshots: Iterable[str], there: Iterable[str]) -> Iterator[Fault]:
    for path in snapshots:
        if name_of(path) is None and ".tmp-" not in path:
            yield Fault(path, "its name is not that of a snapshot")
    for path in there:
        if sha256_of(path) is None and ".tmp-" not in path:
            yield Fault(path, "its name is not that of a stored file")


def _unlike_names(target: Target, sizes: Mapping[str, int], progress: Progress) -> Iterator[Fault]:
    total, done = sum(sizes.values()), 0
    for path in sizes:
        sha256 = sha256_of(path)
        if sha256 is None:
            continue
        digest = hashlib.sha256()
        try:
            for chunk in read_in_pieces(target, path):
                digest.update(chunk)
                done += len(chunk)
                progress(min(done, total), total)
        except BackupDamaged as error:
            yield Fault(path, error.message)
            continue
        if digest.hexdigest() != sha256:
            yield Fault(path, "its content is not the one that its name promises")
