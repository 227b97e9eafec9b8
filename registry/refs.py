"""Names for states of a model's files: branches, tags, versions, aliases, commit ids.

`vN` is version N. `prod` is the version that answers, `previous` the one a roll-back would return
to: both follow the routes and are stored nowhere. Everything here reads; the writers are
`registry.services.commits`, `refs` and `sealing`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from registry.errors import RevisionNotFound
from registry.gitobjects import blob_oid as git_blob_oid
from registry.gitobjects import is_lfs, pointer
from registry.history import Change, choose_rollback
from registry.location import open_store
from registry.manifests import Manifest, ManifestFile, parse_manifest
from registry.models import Blob, Commit, Event, Ref, RegisteredModel, Route, Version
from registry.names import version_number
from registry.specs import EventKind, RefKind, RouteMode, VersionState

MAIN = "main"
PROD, PREVIOUS = "prod", "previous"
FOLLOWING = (PROD, PREVIOUS)
EMPTY_MANIFEST = "[]"
# How many changes of the live version a rollback looks back over.
MAX_HISTORY = 1_000


@dataclass(frozen=True, slots=True)
class CommitFile:
    """One file of a commit. `git_oid` is what the tree holds: the pointer's id if `is_lfs`."""

    path: str
    size: int
    sha256: str
    git_oid: str
    is_lfs: bool


@dataclass(frozen=True, kw_only=True)
class CommitSpec:
    """A state of a model's files; `files` are sorted by path."""

    model: str
    oid: str
    parent: str
    tree_oid: str
    files: tuple[CommitFile, ...]
    title: str
    message: str
    author: str
    created_at: datetime

    @cached_property
    def by_path(self) -> dict[str, CommitFile]:
        return {file.path: file for file in self.files}


@dataclass(frozen=True, slots=True)
class RefSpec:
    """A name and the commit that it means."""

    kind: RefKind
    name: str
    commit: str


def resolve_revision(model: RegisteredModel, revision: str) -> CommitSpec:
    """The commit that `revision` means; raises RevisionNotFound."""
    return commit_spec(model, find_commit(model, revision))


def find_commit(model: RegisteredModel, revision: str) -> Commit:
    """The row that `revision` means: a commit id, `vN`, `prod`, `previous` or a stored name."""
    name = revision.removeprefix("refs/heads/").removeprefix("refs/tags/")
    row = Commit.objects.filter(model=model, oid=name).first() if len(name) == 40 else None
    row = row or _named(model, name)
    if row is None:
        raise RevisionNotFound(
            f"{model} has no branch, tag, version, alias or commit {revision!r:.120}",
            details={"model": str(model), "revision": revision[:120]},
        )
    row.model = model
    return row


def find_version_of(model: RegisteredModel, revision: str) -> Version:
    """The version sealed from what `revision` (also a bare number) means; RevisionNotFound else."""
    commit = find_commit(
        model, f"v{revision}" if revision.isascii() and revision.isdigit() else revision
    )
    row = Version.objects.filter(model=model, commit=commit).order_by("-number").first()
    if row is None:
        raise RevisionNotFound(
            f"{revision!r:.120} of {model} is not sealed as a version: tag it vN first",
            details={"model": str(model), "revision": revision[:120]},
        )
    row.model = model
    return row


def load_refs(model: RegisteredModel) -> tuple[RefSpec, ...]:
    """Every name that means a commit, by kind and name; versions are tags."""
    stored = Ref.objects.filter(model=model).select_related("commit")
    refs = [RefSpec(RefKind(row.kind), row.name, row.commit.oid) for row in stored]
    versions = Version.objects.filter(model=model, commit__isnull=False)
    for number, oid in versions.values_list("number", "commit__oid"):
        refs.append(RefSpec(RefKind.TAG, f"v{number}", oid))
    for name in FOLLOWING:
        commit = _following(model, name)
        if commit:
            refs.append(RefSpec(RefKind.ALIAS, name, commit.oid))
    return tuple(sorted(refs, key=lambda ref: (ref.kind, ref.name)))


def load_log(commit: Commit, *, limit: int) -> list[Commit]:
    """`commit` and what it grew from, newest first, at most `limit`."""
    rows = Commit.objects.filter(model_id=commit.model_id, id__lte=commit.pk).defer("manifest")
    by_oid = {row.oid: row for row in rows.order_by("-id")[: 10 * limit]}
    log: list[Commit] = []
    row = by_oid.get(commit.oid)
    while row is not None and len(log) < limit:
        log.append(row)
        row = by_oid.get(row.parent_oid)
    return log


def commit_spec(model: RegisteredModel, row: Commit) -> CommitSpec:
    """The facts of a commit's row."""
    return CommitSpec(
        model=str(model),
        oid=row.oid,
        parent=row.parent_oid,
        tree_oid=row.tree_oid,
        files=commit_files(load_manifest(row.manifest).files),
        title=row.title,
        message=row.message,
        author=row.author,
        created_at=row.created_at,
    )


def load_manifest(text: str) -> Manifest:
    """The manifest of a commit, which may be empty."""
    return Manifest(()) if text == EMPTY_MANIFEST else parse_manifest(text)


def commit_files(files: Iterable[ManifestFile]) -> tuple[CommitFile, ...]:
    """`files` with their git ids; small files' ids are computed at the first asking, then kept."""
    listed = tuple(files)
    small = {file.sha256 for file in listed if not is_lfs(file.path, file.size)}
    oids = dict(Blob.objects.filter(pk__in=small).values_list("sha256", "git_oid"))
    for sha256 in small:
        if not oids.get(sha256):
            oids[sha256] = _compute_git_oid(sha256)
    return tuple(_commit_file(file, oids) for file in listed)


def load_changes(model: RegisteredModel) -> list[Change]:
    """Changes of the live version, oldest first."""
    kinds = (EventKind.PROMOTED, EventKind.ROLLED_BACK)
    rows = Event.objects.filter(model=model, kind__in=kinds, to_number__isnull=False)
    newest_first = list(rows.order_by("-id").values_list("kind", "to_number")[:MAX_HISTORY])
    return [Change(EventKind(kind), int(to or 0)) for kind, to in reversed(newest_first)]


def _commit_file(file: ManifestFile, oids: dict[str, str]) -> CommitFile:
    if is_lfs(file.path, file.size):
        oid = git_blob_oid(pointer(file.sha256, file.size))
        return CommitFile(file.path, file.size, file.sha256, oid, True)
    return CommitFile(file.path, file.size, file.sha256, oids[file.sha256], False)


def _compute_git_oid(sha256: str) -> str:
    oid = git_blob_oid(open_store().blob(sha256).read_bytes())
    Blob.objects.filter(pk=sha256).update(git_oid=oid)
    return oid


def _named(model: RegisteredModel, name: str) -> Commit | None:
    number = version_number(name)
    if number is not None:
        return Commit.objects.filter(versions__model=model, versions__number=number).first()
    if name in FOLLOWING:
        return _following(model, name)
    ref = Ref.objects.filter(model=model, name=name).select_related("commit").first()
    return ref.commit if ref else None


def _following(model: RegisteredModel, name: str) -> Commit | None:
    live = _serving_number(model)
    number = live if name == PROD else _previous_number(model, live)
    return None if number is None else _named(model, f"v{number}")


def _serving_number(model: RegisteredModel) -> int | None:
    """The stable version that answers: the committed one, or before any commit the one routed."""
    for route in model.committed_routes:
        if route["mode"] == RouteMode.LIVE:
            return int(route["version"])
    routes = Route.objects.filter(model=model, mode=RouteMode.LIVE, position=0)
    return routes.values_list("version__number", flat=True).first()


def _previous_number(model: RegisteredModel, live: int | None) -> int | None:
    if live is None:
        return None
    sealed = set(
        Version.objects.filter(model=model, state=VersionState.SEALED).values_list(
            "number", flat=True
        )
    )
    return choose_rollback(load_changes(model), live=live, is_routable=sealed.__contains__)
