"""How files become a version: source → staging → inspection → store → rows."""

from dataclasses import dataclass, replace
from pathlib import Path

from django.db import IntegrityError, transaction
from django.db.models import Max

from registry import inspection
from registry.errors import InvalidField, ModelExists, RefExists, VersionConflict
from registry.location import open_store
from registry.manifests import Manifest
from registry.models import Blob, Commit, RegisteredModel, Version, VersionBlob
from registry.names import parse_model_name
from registry.queries import version_spec
from registry.refs import MAIN
from registry.services.commits import append_commit, ensure_main
from registry.services.common import (
    add_event,
    check_actor,
    check_text,
    lock_model,
    raise_generation,
)
from registry.services.intake import lease_blobs, release_blobs
from registry.sources import Source
from registry.sources.directory import DirectorySource
from registry.specs import EventKind, Pooling, VersionKind, VersionSpec, VersionState
from registry.staging import Staging
from registry.store import Progress
from registry.stored import card_findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What registering did. `is_new` is False when the model already had these very files."""

    version: VersionSpec
    state: VersionState
    is_new: bool
    skipped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything a version's row will say, before it has a number.

    `commit` is the one it is sealed from; None makes one on `main`.
    """

    manifest: Manifest
    facts: inspection.Inspected
    source: str
    note: str
    actor: str
    is_pooling_given: bool
    kind: VersionKind = VersionKind.FILES
    commit: Commit | None = None


def create_model(name: str, *, actor: str, description: str = "") -> RegisteredModel:
    """Make an empty model; raises InvalidName, InvalidField or ModelExists."""
    model, is_new = _get_or_create(name, actor=actor, description=description)
    if not is_new:
        raise ModelExists(f"the model {model} exists already", details={"model": str(model)})
    return model


def ensure_model(name: str, *, actor: str, description: str = "") -> None:
    """Make an empty model unless it is there; raises InvalidName, InvalidField or ModelExists.

    ModelExists means that the name is taken in other letter case.
    """
    _get_or_create(name, actor=actor, description=description)


def register_directory(
    path: Path,
    name: str,
    *,
    actor: str,
    pooling: str | None = None,
    note: str = "",
    progress: Progress | None = None,
) -> VersionSpec:
    """Make the files of a local directory a version of `name`; see `register_source`.

    For commands: no path ever comes from a request.
    """
    with DirectorySource(path) as source:
        return register_source(
            source, name, actor=actor, pooling=pooling, note=note, progress=progress
        ).version


def register_source(
    source: Source,
    name: str,
    *,
    actor: str,
    pooling: str | None = None,
    note: str = "",
    progress: Progress | None = None,
) -> Registration:
    """Copy, inspect and publish the files of `source` as the next version of `name`.

    The model is made when it is new. The version is sealed, and answers nothing until promoted.
    Files that the model already has as a version change nothing. `pooling` overrides what the files
    say. Raises InvalidName, InvalidField, ContentRefused, SourceUnreadable, ModelExists,
    VersionConflict (the same files with another pooling) or StoreError; then nothing has changed.
    """
    parse_model_name(name)
    actor, note = check_actor(actor), check_text("note", note)
    chosen = check_pooling(pooling)
    inspection.check_listing(source.sizes)
    store = open_store()
    with store.open_staging() as staging:
        manifest = store.take(source, staging, progress or _ignore)
        facts = inspection.inspect(staging.files, [file.path for file in manifest.files])
        draft = Draft(
            manifest=manifest,
            facts=replace(facts, pooling=chosen) if chosen else facts,
            source=source.description,
            note=note,
            actor=actor,
            is_pooling_given=chosen is not None,
        )
        row, is_new = publish(name, staging, draft)
    return Registration(
        version=version_spec(row),
        state=VersionState(row.state),
        is_new=is_new,
        skipped=source.skipped,
    )


def publish(
    name: str, staging: Staging, draft: Draft, *, number: int | None = None
) -> tuple[Version, bool]:
    """Publish staged, inspected files and record their version; returns it and whether it is new.

    `number` is the one it must get. Raises ModelExists, VersionConflict, RefExists or StoreError.
    """
    # Leased meanwhile: no sweep may take a blob between its file's turn and its row's.
    owner = f"publish {staging.uuid}"
    lease_blobs({file.sha256: file.size for file in draft.manifest.files}, actor=owner)
    open_store().publish(staging, draft.manifest)
    row = _record(name, draft, number)
    release_blobs([file.sha256 for file in draft.manifest.files], actor=owner, model=None)
    return row


@transaction.atomic
def _get_or_create(name: str, *, actor: str, description: str) -> tuple[RegisteredModel, bool]:
    namespace, own_name = parse_model_name(name)
    actor, description = check_actor(actor), check_text("description", description)
    try:
        model, is_new = RegisteredModel.objects.get_or_create(
            namespace=namespace, name=own_name, defaults={"description": description}
        )
    except IntegrityError as error:
        raise ModelExists(
            f"a model is called {name} in other letter case: use that spelling or another name",
            details={"model": name},
        ) from error
    if is_new:
        add_event(EventKind.CREATED, model, actor=actor)
        ensure_main(model, actor=actor)
        raise_generation()
    return model, is_new


@transaction.atomic
def _record(name: str, draft: Draft, number: int | None) -> tuple[Version, bool]:
    _get_or_create(name, actor=draft.actor, description="")
    model = lock_model(name)
    existing = Version.objects.filter(model=model, digest=draft.manifest.digest).first()
    if existing and number in (None, existing.number):
        _check_same_pooling(existing, draft)
        return existing, False
    if existing:
        raise VersionConflict(
            f"these files are version {existing.number} of {model} already",
            details={"version": existing.number},
        )
    number = _next_number(model, number)
    commit = draft.commit or append_commit(
        model,
        MAIN,
        ensure_main(model, actor=draft.actor),
        draft.manifest,
        actor=draft.actor,
        title=draft.note or f"Version {number} from {draft.source}",
    )
    row = _create_version(model, draft, number, commit)
    _hold_blobs(row, draft.manifest)
    details = {"digest": row.digest, "commit": commit.oid}
    details |= card_findings(draft.manifest, row.task)
    add_event(EventKind.REGISTERED, model, version=row, actor=draft.actor, details=details)
    return row, True


def _next_number(model: RegisteredModel, wanted: int | None) -> int:
    """One above the last; `wanted` may leave a gap, and never takes a number again."""
    last = Version.objects.filter(model=model).aggregate(last=Max("number"))["last"] or 0
    if wanted is None:
        return last + 1
    if wanted <= last:
        raise RefExists(
            f"{model} has had version {last}: the next must be above it, such as v{last + 1}",
            details={"model": str(model), "last": last},
        )
    return wanted


def _create_version(model: RegisteredModel, draft: Draft, number: int, commit: Commit) -> Version:
    return Version.objects.create(
        model=model,
        number=number,
        kind=draft.kind,
        commit=commit,
        digest=draft.manifest.digest,
        manifest=draft.manifest.text,
        task=draft.facts.task,
        labels=list(draft.facts.labels),
        pooling=draft.facts.pooling,
        n_bytes=draft.manifest.n_bytes,
        n_files=len(draft.manifest.files),
        created_by=draft.actor,
        source=draft.source,
        note=draft.note,
    )


def _hold_blobs(row: Version, manifest: Manifest) -> None:
    sizes = {file.sha256: file.size for file in manifest.files}
    # In the order of their keys: two registrations that share blobs cannot block each other.
    blobs = [Blob(sha256=sha256, size=size) for sha256, size in sorted(sizes.items())]
    Blob.objects.bulk_create(blobs, ignore_conflicts=True)
    VersionBlob.objects.bulk_create(
        [VersionBlob(version=row, blob_id=blob.sha256) for blob in blobs]
    )


def _check_same_pooling(existing: Version, draft: Draft) -> None:
    if draft.is_pooling_given and existing.pooling != draft.facts.pooling:
        raise VersionConflict(
            f"these files are version {existing.number} with pooling {existing.pooling}, which "
            'never changes: to have both, state the other in bellwether.json ({"pooling": …})',
            details={"version": existing.number, "pooling": existing.pooling},
        )


def check_pooling(pooling: str | None) -> Pooling | None:
    """The pooling of this name, None for None; raises InvalidField."""
    try:
        return None if pooling is None else Pooling(pooling)
    except ValueError as error:
        raise InvalidField(
            f"pooling must be one of {', '.join(Pooling)}", details={"field": "pooling"}
        ) from error


def _ignore(done: int, total: int) -> None:
    """Progress that nobody watches."""
