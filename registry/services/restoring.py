"""Bringing a registry, or what is missing of it, back from a backup.

Files first, by the same steps as publishing; rows last, in one transaction. A crash before that
leaves the registry as it was, and running again fetches only what is not there yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from registry.backups.checking import load_snapshot
from registry.backups.picking import (
    Here,
    Row,
    Rows,
    has_files,
    manifest_of,
    pick_missing,
    pick_version,
)
from registry.backups.restoring import fetch_blobs, fetch_rows
from registry.backups.rows import make_row
from registry.backups.snapshots import Snapshot, damaged
from registry.backups.targets import Target
from registry.errors import RegistryNotEmpty
from registry.location import open_store
from registry.models import (
    Blob,
    Commit,
    CommitBlob,
    Event,
    RegisteredModel,
    RegistryState,
    Version,
    VersionBlob,
)
from registry.queries import STATE_ID
from registry.services import operations
from registry.services.common import add_event, lock_model, raise_generation
from registry.services.intake import lease_blobs, release_blobs
from registry.services.operations import Watch
from registry.specs import EventKind, OperationKind, VersionState
from registry.staging import Staging
from registry.steps import RestoreStep, reach
from registry.store import Progress, Store

BLOBS_AT_ONCE = 500


def restore(
    target: Target,
    snapshot: str | None = None,
    *,
    actor: str,
    only_missing: bool = False,
    version: tuple[str, int] | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Restore a snapshot (the newest, unless named); returns what was restored.

    Into an empty registry everything comes back as it was, with its events and routes. With
    `only_missing`, models and versions that are not here are added, without routes: promote what
    shall answer. With `version` (model, number) only that one is, also when its row is here and its
    files were swept. Running again changes nothing more. Raises RegistryNotEmpty, SnapshotNotFound,
    BackupDamaged, TargetUnreachable, ModelNotFound, VersionNotFound, VersionConflict or StoreError.
    """
    chosen = load_snapshot(target, snapshot)
    parameters = {
        "target": target.label,
        "snapshot": chosen.name,
        "missing": only_missing,
        "version": version,
    }
    operation = operations.start(
        OperationKind.RESTORE, f"Restore from {target.label}", actor=actor, parameters=parameters
    )
    with operations.running(operation, progress=progress) as watch:
        watch.result = run_restore(target, chosen, watch)
    return watch.result


def run_restore(target: Target, chosen: Snapshot, watch: Watch) -> dict[str, Any]:
    """The work of a running restore: what `watch.parameters` ask for; raises what `restore` does.

    They are `missing` (bool) and `version` ([model, number] or None).
    """
    rows = fetch_rows(target, chosen)
    version = watch.parameters.get("version")
    if version is not None:
        model, number = version
        wanted = pick_version(rows, model, number, _load_here())
    elif watch.parameters["missing"]:
        wanted = pick_missing(rows, _load_here())
    else:
        _check_empty()
        wanted = rows
    return _Restore(target, chosen, wanted, watch, is_whole=wanted is rows).run()


def _check_empty() -> None:
    if RegisteredModel.objects.exists() or Event.objects.exists():
        raise RegistryNotEmpty(
            "this registry is not empty: restore into an empty home, or what is missing (--missing)"
        )


@dataclass(slots=True)
class _Restore:
    target: Target
    snapshot: Snapshot
    rows: Rows
    watch: Watch
    is_whole: bool
    models: dict[str, RegisteredModel] = field(default_factory=dict)
    commits: dict[tuple[str, str], Commit] = field(default_factory=dict)
    versions: dict[tuple[str, int], Version] = field(default_factory=dict)

    def run(self) -> dict[str, Any]:
        store, sizes = open_store(), self._blob_sizes()
        owner = f"restore {self.watch.id}"
        with store.open_staging() as staging:
            _lease(sizes, owner)
            n_blobs = fetch_blobs(
                self.target, store, staging, sizes, lambda *at: self._tell(staging, *at)
            )
            self._make_views(store)
            self._write(n_blobs)
        reach(RestoreStep.ROWS_WRITTEN)
        for names in _in_parts(sorted(sizes)):
            release_blobs(names, actor=owner, model=None)
        return self._result(n_blobs)

    def _tell(self, staging: Staging, done: int, total: int) -> None:
        staging.touch()
        self.watch(done, total)

    def _blob_sizes(self) -> dict[str, int]:
        if self.is_whole:
            return {row["sha256"]: row["size"] for row in self.rows["blobs"]}
        held = [*self.rows["commits"], *filter(has_files, self.rows["versions"])]
        return {file.sha256: file.size for row in held for file in manifest_of(row).files}

    def _make_views(self, store: Store) -> None:
        for row in filter(has_files, self.rows["versions"]):
            manifest = manifest_of(row)
            if not store.has_view(manifest) and store.view(manifest.digest).exists():
                store.quarantine(store.view(manifest.digest))
            if not store.rebuild(manifest):
                raise damaged("rows", "a version needs files that the snapshot does not have")
            reach(RestoreStep.VIEW_MADE)

    @transaction.atomic
    def _write(self, n_blobs: int) -> None:
        if self.is_whole:
            RegistryState.objects.get_or_create(pk=STATE_ID)
            RegistryState.objects.select_for_update().get(pk=STATE_ID)
            _check_empty()
        now = timezone.now()
        self._write_blobs(now)
        self._write_models()
        self._write_commits()
        self._write_versions()
        for table in ("refs", "routes", "golden", "signatures", "trusted_keys", "events"):
            self._write_others(table)
        self._finish(n_blobs)

    def _write_blobs(self, now: datetime) -> None:
        """Say of every blob, leased until here, that its bytes were just read."""
        checked = {"verified_at": now, "is_damaged": False, "condemned_at": None}
        for names in _in_parts(sorted(self._blob_sizes())):
            Blob.objects.filter(pk__in=names).update(**checked)
        for values in self.rows["blobs"] if self.is_whole else ():
            Blob.objects.filter(pk=values["sha256"]).update(
                git_oid=values["git_oid"], created_at=datetime.fromisoformat(values["created_at"])
            )

    def _write_models(self) -> None:
        for values in self.rows["models"]:
            name = f"{values['namespace']}/{values['name']}"
            here = RegisteredModel.objects.filter(
                namespace__iexact=values["namespace"], name__iexact=values["name"]
            ).first()
            if here is None:
                here = make_row("models", values, {})
                # What clients know of chunks kept here is no longer true.
                here.cas_epoch += 1
                here.save()
            self.models[name] = here

    def _write_commits(self) -> None:
        for values in self.rows["commits"]:
            model = self.models[values["model"]]
            row = Commit.objects.filter(model=model, oid=values["oid"]).first()
            if row is None:
                row = make_row("commits", values, {"model": model.pk})
                row.save()
                names = sorted({file.sha256 for file in manifest_of(values).files})
                CommitBlob.objects.bulk_create(
                    [CommitBlob(commit=row, blob_id=sha256) for sha256 in names]
                )
            self.commits[values["model"], values["oid"]] = row

    def _write_versions(self) -> None:
        for values in self.rows["versions"]:
            model = self.models[values["model"]]
            key = values["model"], values["number"]
            row = Version.objects.filter(model=model, number=values["number"]).first()
            if row is None:
                row = make_row("versions", values, self._related(values))
                if row.state == VersionState.DAMAGED:
                    row.state = VersionState.SEALED
                row.save()
            elif row.state != VersionState.RETIRED or not row.blobs.exists():
                Version.objects.filter(pk=row.pk).update(
                    state=VersionState.SEALED,
                    retired_at=None,
                    commit=row.commit_id or self._related(values)["commit"],
                )
            if has_files(values):
                names = sorted({file.sha256 for file in manifest_of(values).files})
                VersionBlob.objects.bulk_create(
                    [VersionBlob(version=row, blob_id=sha256) for sha256 in names],
                    ignore_conflicts=True,
                )
            self.versions[key] = row

    def _write_others(self, table: str) -> None:
        rows = [make_row(table, row, self._related(row)) for row in self.rows.get(table, ())]
        if rows:
            type(rows[0])._default_manager.bulk_create(
                rows, batch_size=BLOBS_AT_ONCE, ignore_conflicts=not self.is_whole
            )

    def _related(self, values: Row) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if "model" in values:
            model = self.models.get(values["model"])
            found["model"] = model.pk if model else None
        for name, rows in (("commit", self.commits), ("version", self.versions)):
            if name in values:
                row = rows.get(tuple(values[name])) if values[name] else None
                found[name] = row.pk if row else None
        return found

    def _finish(self, n_blobs: int) -> None:
        if self.is_whole:
            generation = max((row["generation"] for row in self.rows.get("state", ())), default=0)
            RegistryState.objects.filter(pk=STATE_ID).update(generation=generation)
        details = self._result(n_blobs)
        if self.is_whole:
            add_event(EventKind.RESTORED, None, actor=self.watch.actor, details=details)
        for (name, _), version in self.versions.items() if not self.is_whole else ():
            model = lock_model(name)
            add_event(
                EventKind.RESTORED,
                model,
                version=version,
                actor=self.watch.actor,
                details={"target": self.target.label, "snapshot": self.snapshot.name},
            )
        raise_generation()

    def _result(self, n_blobs: int) -> dict[str, Any]:
        return {
            "target": self.target.label,
            "snapshot": self.snapshot.name,
            "n_models": len(self.rows["models"]),
            "n_versions": len(self.rows["versions"]),
            "n_fetched": n_blobs,
        }


def _load_here() -> Here:
    models = RegisteredModel.objects.values_list("namespace", "name")
    keys = Version.objects.values_list("model__namespace", "model__name", "number", "digest")
    return Here(
        models=frozenset(f"{namespace}/{name}" for namespace, name in models),
        versions=frozenset((f"{ns}/{name}", number, digest) for ns, name, number, digest in keys),
    )


def _lease(sizes: Mapping[str, int], owner: str) -> None:
    for names in _in_parts(sorted(sizes)):
        lease_blobs({sha256: sizes[sha256] for sha256 in names}, actor=owner)


def _in_parts(names: list[str]) -> list[list[str]]:
    """`names` in parts that one statement may hold."""
    return [names[at : at + BLOBS_AT_ONCE] for at in range(0, len(names), BLOBS_AT_ONCE)]
