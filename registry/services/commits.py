"""States of a model's files: commits on branches, made of blobs that are stored already.

A commit changes nothing that is served: only sealing (`registry.services.sealing`) makes a version.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.db import transaction
from django.utils import timezone

from registry import inspection
from registry.errors import BlobNotHere, EntryNotFound, RevisionNotFound, StaleParent
from registry.gitobjects import commit_oid, tree_oid
from registry.manifests import Manifest, ManifestFile, build_manifest
from registry.models import Commit, CommitBlob, Ref, RegisteredModel
from registry.refs import EMPTY_MANIFEST, MAIN, CommitSpec, commit_files, commit_spec, load_manifest
from registry.services.common import add_event, check_actor, check_text, lock_model
from registry.services.intake import readable_blobs
from registry.specs import EventKind, RefKind

MAX_TITLE_CHARS = 500
MAX_MESSAGE_CHARS = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a commit does: `add` (also over what is there) by path, and paths to delete."""

    add: Mapping[str, ManifestFile] = field(default_factory=dict)
    delete_files: tuple[str, ...] = ()
    delete_folders: tuple[str, ...] = ()


@transaction.atomic
def commit_changes(
    name: str,
    branch: str,
    changes: Changes,
    *,
    actor: str,
    title: str,
    message: str = "",
    parent: str | None = None,
) -> CommitSpec:
    """Put `changes` on top of `branch`; returns its new head.

    An unchanged tree makes no commit, so a request that is sent twice does its work once. Raises
    ModelNotFound, RevisionNotFound (no such branch), StaleParent (`parent` is not the head),
    EntryNotFound (nothing there to delete), BlobNotHere, InvalidPath, ContentRefused, InvalidField.
    """
    title = check_text("title", title, limit=MAX_TITLE_CHARS) or "Update files"
    message = check_text("message", message, limit=MAX_MESSAGE_CHARS)
    model = lock_model(name)
    head = lock_branch(model, branch)
    before = {file.path: file for file in load_manifest(head.manifest).files}
    after = _apply(before, changes)
    if after == before:
        return commit_spec(model, head)
    _check_parent(model, branch, head, parent)
    inspection.check_files({path: file.size for path, file in after.items()})
    _check_blobs(model, changes.add)
    manifest = build_manifest(after.values()) if after else Manifest(())
    row = append_commit(model, branch, head, manifest, actor=actor, title=title, message=message)
    details = {"branch": branch, "commit": row.oid, "n_files": len(manifest.files)}
    add_event(EventKind.COMMITTED, model, actor=actor, reason=title, details=details)
    return commit_spec(model, row)


def append_commit(
    model: RegisteredModel,
    branch: str,
    head: Commit | None,
    manifest: Manifest,
    *,
    actor: str,
    title: str,
    message: str = "",
) -> Commit:
    """Make a commit of `manifest` on top of `head` and move `branch` to it.

    The model is locked by the caller, and every blob of the manifest is stored.
    """
    actor, now = check_actor(actor), timezone.now()
    tree = tree_oid({file.path: file.git_oid for file in commit_files(manifest.files)})
    parent = head.oid if head else ""
    oid = commit_oid(tree, parent=parent, author=actor, at=now, title=title, message=message)
    row, is_new = Commit.objects.get_or_create(
        model=model,
        oid=oid,
        defaults={
            "parent_oid": parent,
            "tree_oid": tree,
            "manifest": manifest.text if manifest.files else EMPTY_MANIFEST,
            "title": title,
            "message": message,
            "author": actor,
            "created_at": now,
        },
    )
    row.model = model
    if is_new:
        names = sorted({file.sha256 for file in manifest.files})
        CommitBlob.objects.bulk_create([CommitBlob(commit=row, blob_id=sha) for sha in names])
    Ref.objects.update_or_create(
        model=model,
        name=branch,
        defaults={"kind": RefKind.BRANCH, "commit": row, "updated_at": now},
    )
    return row


def ensure_main(model: RegisteredModel, *, actor: str) -> Commit:
    """The head of `main`, which is made, empty, where there is none."""
    ref = Ref.objects.filter(model=model, name=MAIN).select_related("commit").first()
    if ref:
        return ref.commit
    return append_commit(model, MAIN, None, Manifest(()), actor=actor, title="Initial commit")


def lock_branch(model: RegisteredModel, branch: str) -> Commit:
    """The head of a branch of a locked model; raises RevisionNotFound."""
    name = branch.removeprefix("refs/heads/")
    ref = Ref.objects.filter(model=model, name=name).select_related("commit").first()
    if ref is None or ref.kind != RefKind.BRANCH:
        raise RevisionNotFound(
            f"{model} has no branch {name!r:.120}; commits go to branches only",
            details={"model": str(model), "revision": name[:120]},
        )
    return ref.commit


def _apply(before: Mapping[str, ManifestFile], changes: Changes) -> dict[str, ManifestFile]:
    after = dict(before)
    for folder in changes.delete_folders:
        inside = [path for path in after if path.startswith(folder.rstrip("/") + "/")]
        if not inside:
            raise EntryNotFound(f"there is no folder {folder!r:.120} to delete")
        for path in inside:
            del after[path]
    for path in changes.delete_files:
        if after.pop(path, None) is None:
            raise EntryNotFound(f"there is no file {path!r:.120} to delete")
    for path, file in changes.add.items():
        after[path] = ManifestFile(path, file.size, file.sha256)
    return after


def _check_parent(model: RegisteredModel, branch: str, head: Commit, parent: str | None) -> None:
    if parent and parent != head.oid:
        raise StaleParent(
            f"{branch} of {model} has moved on to {head.oid[:12]}: build on that, commit again",
            details={"model": str(model), "head": head.oid},
        )


def _check_blobs(model: RegisteredModel, files: Mapping[str, ManifestFile]) -> None:
    there = readable_blobs(model, {file.sha256 for file in files.values()})
    for path, file in files.items():
        if there.get(file.sha256) != file.size:
            raise BlobNotHere(
                f"{path}: its {file.size} bytes were not uploaded for this model, or are damaged: "
                "upload the file again",
                details={"path": path, "sha256": file.sha256},
            )
