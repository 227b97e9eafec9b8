"""The audit log checked: the chain against itself, and against a checkpoint kept as a file."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from registry import durable
from registry.audit import (
    ChainReport,
    Checkpoint,
    check_chain,
    checkpoint_text,
    parse_checkpoint,
)
from registry.errors import AuditBroken
from registry.timeline import load_links

CHECKPOINT = "audit-checkpoint.json"


def verify_chain(checkpoint: Checkpoint | None = None) -> ChainReport:
    """Read every event and say what was changed, removed, added or moved; see `registry.audit`.

    Against `checkpoint`, or else the last one written here. Takes tens of microseconds an event.
    """
    return check_chain(load_links(), checkpoint or load_checkpoint())


def load_checkpoint() -> Checkpoint | None:
    """The last checkpoint written here; None before the first. Raises AuditBroken."""
    path = _path()
    try:
        return parse_checkpoint(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise AuditBroken(
            f"{CHECKPOINT} in BELLWETHER_HOME cannot be read: put back a copy, or, if you know why "
            "it is so, remove it",
        ) from error


def write_checkpoint() -> Checkpoint:
    """Check the chain, then remember its head; returns the new checkpoint.

    Raises AuditBroken, and leaves the old checkpoint, when the chain is not sound.
    """
    report = verify_chain()
    if not report.is_sound:
        raise AuditBroken(
            f"the audit log is not as it was written: {report.faults[0].message} (event "
            f"{report.faults[0].id}). No checkpoint was written",
            details={"event": report.faults[0].id, "n_faults": report.n_faults},
        )
    checkpoint = Checkpoint(
        id=report.head_id, hash=report.head_hash, n_events=report.n_events, at=timezone.now()
    )
    if report.n_events:
        _write(_path(), checkpoint_text(checkpoint) + "\n")
    return checkpoint


def _path() -> Path:
    return Path(settings.BELLWETHER_HOME) / CHECKPOINT


def _write(path: Path, text: str) -> None:
    durable.make_folder(path.parent)
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(fresh)
    durable.sync_folder(path.parent)
