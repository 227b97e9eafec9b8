"""Removing what nothing needs: mark, condemn, wait, look again, sweep.

What may go is marked first (`registry.gc`). A blob that may go is condemned, and swept by a later
run once it was condemned for the whole grace: who needs it meanwhile takes a lease, which lifts the
sentence. Every manifest is read before anything goes, and one that cannot be read stops the sweep.

A blob's row is locked, looked at again, deleted, and its file unlinked before the transaction ends:
nobody can have a lease on a row without finding its file, or being the one who puts it there. A
crash in between leaves the row, condemned and held by nothing; the next run deletes it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from registry import gc
from registry.errors import SweepRefused
from registry.hub.xet.ingest import remove_stale
from registry.location import open_store
from registry.models import (
    Blob,
    Commit,
    Lease,
    Operation,
    Ref,
    RegisteredModel,
    RegistryState,
    Route,
    Version,
    VersionBlob,
    Xorb,
)
from registry.queries import STATE_ID
from registry.services import operations, sweeping_views
from registry.services.common import add_event, check_actor, lock_model
from registry.services.marking import load_facts, note_retirements
from registry.services.operations import LOST_AFTER, Watch, worker
from registry.services.upkeep import recover
from registry.services.uploads import clear_uploads
from registry.specs import EventKind, OperationKind, OperationState, VersionState
from registry.steps import SweepStep, reach
from registry.store import Progress

GRACE = timedelta(hours=24)
ROWS_AT_ONCE = 500


@dataclass(slots=True)
class Swept:
    """What a run found and did. Bytes are those of blobs; `kept` and `spare` are
    (blobs, bytes) by reason.

    Spare blobs wait (`waiting`) until they were condemned for the grace; `due` ones are swept now,
    and were, unless the run was dry.
    """

    is_dry: bool
    kept: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    spare: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    waiting: tuple[int, int] = (0, 0)
    due: tuple[int, int] = (0, 0)
    n_swept: int = 0
    n_swept_bytes: int = 0
    n_commits: int = 0
    n_versions: int = 0
    n_views: int = 0

    def as_json(self) -> dict[str, Any]:
        """The run as plain JSON values."""

        def pair(both: tuple[int, int]) -> dict[str, int]:
            return {"n_blobs": both[0], "n_bytes": both[1]}

        return {
            "dry_run": self.is_dry,
            "kept": {reason: pair(both) for reason, both in self.kept.items()},
            "spare": {reason: pair(both) for reason, both in self.spare.items()},
            "waiting": pair(self.waiting),
            "due": pair(self.due),
            "swept": pair((self.n_swept, self.n_swept_bytes)),
            "n_commits": self.n_commits,
            "n_versions": self.n_versions,
            "n_views": self.n_views,
        }


def look(*, grace: timedelta = GRACE) -> Swept:
    """What `sweep` would do now; changes nothing. Raises SweepRefused."""
    _, swept, _ = _mark(grace, is_dry=True)
    return swept


def sweep(
    *, actor: str, grace: timedelta = GRACE, progress: Progress = lambda done, total: None
) -> Swept:
    """Condemn what nothing needs, and remove what was condemned for `grace`.

    Raises SweepRefused while a backup runs, or when a manifest cannot be read: then nothing more
    is removed.
    """
    actor = check_actor(actor)
    refuse_during_backup()
    now = timezone.now()
    note_retirements(now)
    Lease.objects.filter(expires_at__lt=now).delete()
    clear_uploads()
    recover()
    _adopt_strangers(now)
    marks, swept, due = _mark(grace, is_dry=False)
    reach(SweepStep.MARKED)
    _condemn(marks, now)
    reach(SweepStep.CONDEMNED)
    _forget_chunks(due)
    _drop_holders(marks, due, swept)
    swept.n_views = sweeping_views.remove_views(grace=grace, before_each=refuse_during_backup)
    for n_done, sha256 in enumerate(sorted(due)):
        _sweep_blob(sha256, now - grace, swept)
        progress(n_done + 1, len(due))
    remove_stale(now=now)
    if swept.n_swept or swept.n_commits or swept.n_versions or swept.n_views:
        add_event(EventKind.SWEPT, None, actor=actor, details=_details(swept))
    return swept


def request_sweep(*, actor: str, grace: timedelta = GRACE) -> UUID:
    """Have it done in the background; returns the operation's id."""
    from registry.tasks import enqueue  # the tasks import the services

    parameters = {"grace_hours": grace / timedelta(hours=1)}
    return enqueue(OperationKind.GC, "Sweep", actor=actor, parameters=parameters)


@worker(OperationKind.GC)
def _work(watch: Watch) -> dict[str, Any]:
    grace = timedelta(hours=float(watch.parameters.get("grace_hours", GRACE.days * 24)))
    return sweep(actor=watch.actor, grace=grace, progress=watch).as_json()


def sweep_inline(*, actor: str, grace: timedelta, progress: Progress | None) -> dict[str, Any]:
    """Do it now, as an operation that can be watched."""
    parameters = {"grace_hours": grace / timedelta(hours=1)}
    return operations.work_inline(
        OperationKind.GC, "Sweep", actor=actor, parameters=parameters, progress=progress
    )


@transaction.atomic
def refuse_during_backup() -> None:
    """Raise SweepRefused while a backup runs; until the end of the caller's transaction none that
    begins reads rows (`registry.services.backups`)."""
    RegistryState.objects.get_or_create(pk=STATE_ID)
    RegistryState.objects.select_for_update().get(pk=STATE_ID)
    running = Operation.objects.filter(
        kind=OperationKind.BACKUP,
        state=OperationState.RUNNING,
        heartbeat_at__gt=timezone.now() - LOST_AFTER,
    )
    if running.exists():
        raise SweepRefused("a backup runs: sweep again when it has ended")


def _mark(grace: timedelta, *, is_dry: bool) -> tuple[gc.Marks, Swept, dict[str, int]]:
    now = timezone.now()
    facts = load_facts(now)
    keep = timedelta(days=settings.BELLWETHER_HISTORY_DAYS)
    marks = gc.mark(facts, now=now, keep=keep)
    totals = marks.totals(facts.blobs)
    condemned = set(Blob.objects.filter(condemned_at__lte=now - grace).values_list("pk", flat=True))
    if not grace:
        condemned |= marks.spare_blobs.keys()
    due = {sha256: facts.blobs[sha256] for sha256 in marks.spare_blobs if sha256 in condemned}
    spare_bytes = sum(facts.blobs[sha256] for sha256 in marks.spare_blobs)
    due_bytes = sum(due.values())
    swept = Swept(
        is_dry=is_dry,
        kept=totals["kept"],
        spare=totals["spare"],
        waiting=(len(marks.spare_blobs) - len(due), spare_bytes - due_bytes),
        due=(len(due), due_bytes),
    )
    return marks, swept, due


def _adopt_strangers(now: datetime) -> None:
    """Give files without a row one, condemned: work makes a file's row before the file."""
    store = open_store()
    for folder in sorted(store.blobs.glob("*/*")):
        sizes = {path.name: path.stat().st_size for path in folder.iterdir() if path.is_file()}
        known = set(Blob.objects.filter(pk__in=list(sizes)).values_list("pk", flat=True))
        Blob.objects.bulk_create(
            [
                Blob(sha256=name, size=size, condemned_at=now)
                for name, size in sorted(sizes.items())
                if name not in known and len(name) == 64
            ],
            ignore_conflicts=True,
        )


def _condemn(marks: gc.Marks, now: datetime) -> None:
    for names in _in_parts(sorted(marks.spare_blobs)):
        Blob.objects.filter(pk__in=names, condemned_at=None).update(condemned_at=now)
    for names in _in_parts(sorted(marks.blobs)):
        Blob.objects.filter(pk__in=names).exclude(condemned_at=None).update(condemned_at=None)


def _forget_chunks(due: Iterable[str]) -> None:
    """Delete what is known of chunks in these blobs, and let clients know by another epoch.

    Before any blob goes, so that no client is told of chunks that are not there.
    """
    going, by_model = set(due), dict[int, list[int]]()
    for pk, model, pieces in Xorb.objects.values_list("pk", "model_id", "pieces").iterator():
        if going & {piece[2] for piece in pieces}:
            by_model.setdefault(model, []).append(pk)
    for model, pks in by_model.items():
        with transaction.atomic():
            RegisteredModel.objects.filter(pk=model).update(cas_epoch=F("cas_epoch") + 1)
            for part in _in_parts(pks):
                Xorb.objects.filter(pk__in=part).delete()


def _drop_holders(marks: gc.Marks, due: Mapping[str, int], swept: Swept) -> None:
    """Let spare versions and commits that hold due blobs go of them."""
    for version in Version.objects.filter(pk__in=list(marks.spare_versions)).order_by("pk"):
        held = set(version.blobs.values_list("pk", flat=True))
        if held & due.keys():
            swept.n_versions += _drop_version(version)
    for commit in Commit.objects.filter(pk__in=list(marks.spare_commits)).order_by("pk"):
        held = set(commit.blobs.values_list("pk", flat=True))
        if held & due.keys():
            swept.n_commits += _drop_commit(commit)


@transaction.atomic
def _drop_version(version: Version) -> bool:
    """Take a retired version's files from it; its row stays, for what is said of the past."""
    lock_model(str(version.model))
    refuse_during_backup()
    row = Version.objects.filter(pk=version.pk, state=VersionState.RETIRED).first()
    if row is None or Route.objects.filter(version=row).exists():
        return False
    VersionBlob.objects.filter(version=row).delete()
    Version.objects.filter(pk=row.pk).update(commit=None)
    reach(SweepStep.ROWS_DROPPED)
    return True


@transaction.atomic
def _drop_commit(commit: Commit) -> bool:
    lock_model(str(commit.model))
    refuse_during_backup()
    is_named = Ref.objects.filter(commit=commit).exists()
    if is_named or Version.objects.filter(commit=commit).exists():
        return False
    commit.delete()
    reach(SweepStep.ROWS_DROPPED)
    return True


@transaction.atomic
def _sweep_blob(sha256: str, condemned_by: datetime, swept: Swept) -> None:
    refuse_during_backup()
    row = Blob.objects.select_for_update().filter(pk=sha256, condemned_at__lte=condemned_by).first()
    if row is None or _is_needed(row):
        return
    row.delete()
    reach(SweepStep.ROW_DELETED)
    # Before the transaction ends: afterwards somebody may have put the same file there again.
    open_store().blob(sha256).unlink(missing_ok=True)
    reach(SweepStep.FILE_UNLINKED)
    swept.n_swept += 1
    swept.n_swept_bytes += row.size
    transaction.on_commit(lambda: reach(SweepStep.FILE_SWEPT))


def _is_needed(row: Blob) -> bool:
    is_held = row.commits.exists() or row.versions.exists()
    return is_held or row.leases.filter(expires_at__gt=timezone.now()).exists()


def _details(swept: Swept) -> dict[str, Any]:
    keys = ("spare", "swept", "n_commits", "n_versions", "n_views")
    return {key: value for key, value in swept.as_json().items() if key in keys}


def _in_parts(names: list[Any]) -> list[list[Any]]:
    return [names[at : at + ROWS_AT_ONCE] for at in range(0, len(names), ROWS_AT_ONCE)]
