"""Backups as operations: writing one, listing, checking and forgetting what lies at a target."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from registry.backups import checking, pruning, writing
from registry.backups.retention import Policy, parse_policy
from registry.backups.rows import dump_rows
from registry.backups.snapshots import MAX_TAGS, Snapshot, is_tag
from registry.backups.targets import Target, open_target
from registry.errors import InvalidField, TargetNotFound, TargetUnreachable
from registry.location import open_store
from registry.models import Backup, RegistryState
from registry.queries import STATE_ID
from registry.services import operations
from registry.services.common import add_event
from registry.services.operations import Watch, worker
from registry.specs import EventKind, OperationKind
from registry.steps import BackupStep, reach
from registry.store import Progress

MAX_FAULTS_TOLD = 20


def target_names() -> tuple[str, ...]:
    """The names of the configured targets, in their order; the first is the one for schedules."""
    return tuple(settings.BELLWETHER_BACKUPS)


def find_target(name: str) -> Target:
    """A configured target; raises TargetNotFound or TargetUnreachable."""
    location = settings.BELLWETHER_BACKUPS.get(name)
    if location is None:
        known = ", ".join(target_names()) or "none is configured"
        raise TargetNotFound(
            f"there is no backup target {name!r:.60} in BELLWETHER_BACKUPS ({known})",
            details={"target": name[:60]},
        )
    return open_target(location, label=name)


def open_targets() -> tuple[Target, ...]:
    """Every configured target that can be opened, in their order."""
    opened = []
    for name in target_names():
        with suppress(TargetUnreachable):
            opened.append(find_target(name))
    return tuple(opened)


def find_location(text: str) -> Target:
    """For commands only: a configured target by name, or any folder or URL."""
    if text in settings.BELLWETHER_BACKUPS or not _is_location(text):
        return find_target(text)
    return open_target(text)


def back_up(
    target: Target, *, actor: str, tags: Iterable[str] = (), progress: Progress | None = None
) -> dict[str, Any]:
    """Write a snapshot of the whole registry to `target` now; returns its name and what was sent.

    Raises InvalidField (tags), TargetBusy, TargetUnreachable, or BlobDamaged for a file that is
    damaged here and not at the target yet.
    """
    checked = check_tags(tags)
    parameters = {"target": target.label, "tags": list(checked)}
    operation = operations.start(
        OperationKind.BACKUP, f"Backup to {target.label}", actor=actor, parameters=parameters
    )
    with operations.running(operation, progress=progress) as watch:
        watch.result = _back_up(target, watch, checked)
    return watch.result


@worker(OperationKind.BACKUP)
def _work(watch: Watch) -> dict[str, Any]:
    target = find_target(watch.parameters["target"])
    result = _back_up(target, watch, tuple(watch.parameters.get("tags", ())))
    if watch.parameters.get("keep"):
        pruned = forget(target, parse_policy(watch.parameters["keep"]), actor=watch.actor)
        result["forgotten"] = list(pruned.forgotten)
    return result


def check(
    target: Target,
    *,
    snapshot: str | None = None,
    reads_blobs: bool = True,
    progress: Progress | None = None,
) -> checking.Checked:
    """Read what lies at a target again and keep the outcome with its snapshots; see `checking`."""
    found = checking.check_target(
        target,
        snapshot=snapshot,
        reads_blobs=reads_blobs,
        progress=progress or (lambda done, total: None),
    )
    if reads_blobs:
        rows = Backup.objects.filter(target=target.label)
        if snapshot:
            rows = rows.filter(snapshot__startswith=snapshot)
        rows.update(verified_at=timezone.now(), is_sound=found.is_sound)
    return found


def report(found: checking.Checked) -> dict[str, Any]:
    """What a check found, as plain JSON values, cut to the first few faults."""
    return {
        "is_sound": found.is_sound,
        "n_snapshots": found.n_snapshots,
        "n_files": found.n_files,
        "n_bytes": found.n_bytes,
        "n_faults": len(found.faults),
        "faults": [asdict(fault) for fault in found.faults[:MAX_FAULTS_TOLD]],
    }


def forget(
    target: Target, policy: Policy | None, *, actor: str, is_dry: bool = False
) -> pruning.Pruned:
    """Forget the snapshots that `policy` does not keep and delete what none needs any more.

    Raises RetentionRefused, TargetBusy, TargetUnreachable or BackupDamaged; see `pruning.prune`.
    """
    with open_store().open_staging() as staging:
        pruned = pruning.prune(target, staging.root, policy, now=timezone.now(), is_dry=is_dry)
    if not is_dry and (pruned.forgotten or pruned.n_files):
        _record_forgotten(target, pruned, actor)
    return pruned


def request_backup(name: str, *, actor: str, tags: Iterable[str] = (), keep: str = "") -> UUID:
    """Have a configured target backed up to in the background; returns the operation's id."""
    from registry.tasks import enqueue  # the tasks import the services

    find_target(name)
    parameters = {"target": name, "tags": list(check_tags(tags)), "keep": keep}
    return enqueue(OperationKind.BACKUP, f"Backup to {name}", actor=actor, parameters=parameters)


def request_check(name: str, snapshot: str | None, *, actor: str) -> UUID:
    """Have a configured target read again in the background; returns the operation's id."""
    from registry.tasks import enqueue  # the tasks import the services

    find_target(name)
    parameters = {"backup": name, "snapshot": snapshot}
    return enqueue(
        OperationKind.VERIFY, f"Verify backup {name}", actor=actor, parameters=parameters
    )


def check_tags(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags, sorted and each once, if they are legal; raises InvalidField."""
    checked = tuple(sorted(set(tags)))
    if len(checked) > MAX_TAGS or not all(map(is_tag, checked)):
        raise InvalidField(
            f"tags must be at most {MAX_TAGS}, each of 1 to 60 letters, digits, '.', '_', '-'",
            details={"field": "tags"},
        )
    return checked


def _back_up(target: Target, watch: Watch, tags: tuple[str, ...]) -> dict[str, Any]:
    now, store = timezone.now(), open_store()
    with (
        store.open_staging() as staging,
        writing.locked(target, writing.BACKUP, staging.root, now=now),
    ):

        def progress(done: int, total: int) -> None:
            staging.touch()
            watch(done, total)

        _let_sweep_finish()
        dump = dump_rows(staging.files)
        reach(BackupStep.ROWS_READ)
        n_new, n_new_bytes = writing.write_blobs(target, store, dump.blobs, progress)
        writing.write_rows(target, dump.folder, dump.tables)
        snapshot = Snapshot(
            created_at=now,
            tags=tags,
            n_blobs=len(dump.blobs),
            n_bytes=sum(dump.blobs.values()),
            tables=dump.tables,
        )
        writing.write_snapshot(target, staging.root, snapshot)
    written = writing.Written(snapshot=snapshot, n_new_blobs=n_new, n_new_bytes=n_new_bytes)
    return _record(target, written, watch.actor)


def _let_sweep_finish() -> None:
    """Wait for a step of a sweep that began before this backup was seen to run.

    Each step looks for running backups under this lock (`registry.services.sweeping`).
    """
    with transaction.atomic():
        RegistryState.objects.select_for_update().filter(pk=STATE_ID).first()


@transaction.atomic
def _record(target: Target, written: writing.Written, actor: str) -> dict[str, Any]:
    snapshot = written.snapshot
    facts = {
        "n_blobs": snapshot.n_blobs,
        "n_bytes": snapshot.n_bytes,
        "n_new_blobs": written.n_new_blobs,
        "n_new_bytes": written.n_new_bytes,
    }
    Backup.objects.get_or_create(
        target=target.label, snapshot=snapshot.name, defaults={**facts, "created_by": actor}
    )
    details = {"target": target.label, "snapshot": snapshot.name, **facts}
    add_event(EventKind.BACKED_UP, None, actor=actor, details=details)
    return details


@transaction.atomic
def _record_forgotten(target: Target, pruned: pruning.Pruned, actor: str) -> None:
    Backup.objects.filter(target=target.label, snapshot__in=pruned.forgotten).delete()
    details = {
        "target": target.label,
        "snapshots": list(pruned.forgotten[:MAX_FAULTS_TOLD]),
        "n_snapshots": len(pruned.forgotten),
        "n_files": pruned.n_files,
        "n_bytes": pruned.n_bytes,
    }
    add_event(EventKind.FORGOTTEN, None, actor=actor, details=details)


def _is_location(text: str) -> bool:
    return "/" in text or text.startswith(("storage:", ".", "~"))
