"""Commits: the request goes to disk first, is read line by line, checked, stored, then recorded."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from starlette.responses import JSONResponse, Response

from access.database import guarded, in_thread
from access.scopes import Scope
from registry.content import check_content, check_name
from registry.errors import BlobNotHere, EntryNotFound
from registry.hub import bodies, uploads
from registry.hub.calls import Call
from registry.hub.ndjson import MAX_TOTAL_BYTES, AddRegular, AddStored, Header, Line, read_lines
from registry.hub.preupload import is_ignored, no_pull_requests
from registry.hub.revisions import load_commit
from registry.hub.routing import HubRoute
from registry.location import open_store
from registry.manifests import ManifestFile
from registry.models import Blob
from registry.names import check_path
from registry.queries import find_model
from registry.refs import CommitSpec
from registry.services.commits import (
    MAX_MESSAGE_CHARS,
    MAX_TITLE_CHARS,
    Changes,
    commit_changes,
    lock_branch,
)
from registry.services.common import check_text
from registry.services.intake import keep_file, readable_blobs


@dataclass(slots=True)
class _Draft:
    """What a request says, in memory; the bytes of its files are staged."""

    title: str = ""
    message: str = ""
    parent: str | None = None
    staged: dict[str, tuple[Path, ManifestFile]] = field(default_factory=dict)
    stored: dict[str, AddStored] = field(default_factory=dict)
    deleted: dict[str, None] = field(default_factory=dict)
    emptied: dict[str, None] = field(default_factory=dict)


async def commit(call: Call) -> Response:
    """Make a commit on a branch; a request that was made before changes nothing."""
    if call.flag("create_pr"):
        raise no_pull_requests()
    bodies.check_announced(call.headers, MAX_TOTAL_BYTES)
    await in_thread(lambda: _check_branch(call))
    with uploads.place():
        async with uploads.staging() as staging:
            await bodies.on_disk(lambda: _check_room(call))
            request = staging.root / "request"
            with request.open("xb", buffering=0) as sink:
                await bodies.write_body(
                    call.receive,
                    sink,
                    limit=MAX_TOTAL_BYTES,
                    exact=False,
                    on_bytes=lambda n: staging.touch(),
                )
            draft = await bodies.at_length(lambda: _read(request, staging.files))
            found = await in_thread(lambda: _find_stored(call, draft))
            await bodies.at_length(lambda: _check_stored(found))
            spec = await bodies.at_length(lambda: guarded(lambda: _record(call, draft, found)))
    return JSONResponse(
        {
            "success": True,
            "commitOid": spec.oid,
            "commitUrl": f"{call.base_url}/{call.model}/commit/{spec.oid}",
            "hookOutput": "",
        }
    )


def routes() -> list[HubRoute]:
    path = "/api/models/{namespace}/{name}/commit/{rev}"
    return [HubRoute("POST", path, commit, Scope.PUSH)]


def _check_room(call: Call) -> None:
    # Its lines and the files in them lie on the disk together.
    open_store().check_room(2 * (bodies.announced_length(call.headers) or 0))


def _check_branch(call: Call) -> None:
    lock_branch(find_model(call.model), call.params["rev"])


def _read(request: Path, folder: Path) -> _Draft:
    draft = _Draft()
    with request.open("rb") as stream:
        for number, line in enumerate(read_lines(stream)):
            _take(draft, line, folder / f"{number}")
    return draft


def _take(draft: _Draft, line: Line, target: Path) -> None:
    """Put a line into the draft: what comes later replaces what came before."""
    if isinstance(line, Header):
        draft.title = check_text("summary", " ".join(line.title.split()), limit=MAX_TITLE_CHARS)
        text = line.message.replace("\r\n", "\n")
        draft.message = check_text("description", text, limit=MAX_MESSAGE_CHARS)
        draft.parent = line.parent
        return
    path = line.path
    if is_ignored(path):
        return
    if isinstance(line, AddRegular | AddStored):
        check_name(check_path(path))
        draft.staged.pop(path, None)
        draft.stored.pop(path, None)
        draft.deleted.pop(path, None)
        if isinstance(line, AddStored):
            draft.stored[path] = line
        else:
            draft.staged[path] = (target, _stage(line, target))
        return
    _delete(draft, path.rstrip("/"), is_folder=line.is_folder)


def _delete(draft: _Draft, path: str, *, is_folder: bool) -> None:
    check_path(path)
    gone = f"{path}/" if is_folder else path
    for added in (draft.staged, draft.stored):
        for other in [each for each in added if each == path or each.startswith(gone)]:
            if is_folder or other == path:
                del added[other]
    (draft.emptied if is_folder else draft.deleted)[path] = None


def _stage(line: AddRegular, target: Path) -> ManifestFile:
    target.write_bytes(line.content)
    check_content(line.path, target)
    sha256 = hashlib.sha256(line.content).hexdigest()
    return ManifestFile(line.path, len(line.content), sha256)


def _find_stored(call: Call, draft: _Draft) -> dict[str, ManifestFile]:
    """The files whose bytes are here already; raises BlobNotHere for what this model cannot see."""
    wanted = {line.sha256 for line in draft.stored.values()}
    sizes = readable_blobs(find_model(call.model), wanted)
    damaged = set(Blob.objects.filter(pk__in=wanted, is_damaged=True).values_list("pk", flat=True))
    files = {}
    for path, line in draft.stored.items():
        size = sizes.get(line.sha256)
        if size is None or line.sha256 in damaged or line.size not in (None, size):
            raise BlobNotHere(
                f"{path}: these bytes were not uploaded for this model, have another size, or are "
                "damaged: upload the file again",
                details={"path": path, "sha256": line.sha256},
            )
        files[path] = ManifestFile(path, size, line.sha256)
    return files


def _check_stored(files: dict[str, ManifestFile]) -> None:
    store = open_store()
    for path, file in files.items():
        check_content(path, store.blob(file.sha256))


def _record(call: Call, draft: _Draft, found: dict[str, ManifestFile]) -> CommitSpec:
    model = find_model(call.model)
    files = dict(found)
    for path, (staged, file) in draft.staged.items():
        keep_file(model, staged, sha256=file.sha256, size=file.size, actor=call.actor)
        files[path] = file
    changes = Changes(
        add=files, delete_files=tuple(draft.deleted), delete_folders=tuple(draft.emptied)
    )
    branch = call.params["rev"]
    try:
        return commit_changes(
            call.model,
            branch,
            changes,
            actor=call.actor,
            title=draft.title,
            message=draft.message,
            parent=draft.parent,
        )
    except EntryNotFound:
        head = load_commit(call.model, branch)
        if (head.title, head.author) != (draft.title, call.actor) or not _is_done(head, changes):
            raise
        # This very commit was made, its answer was lost, and the client asks again.
        return head


def _is_done(head: CommitSpec, changes: Changes) -> bool:
    """Whether all that is to be added is there, and nothing of what is to be deleted."""
    added, others = changes.add, head.by_path.keys() - changes.add.keys()
    folders = tuple(f"{folder}/" for folder in changes.delete_folders)
    is_gone = others.isdisjoint(changes.delete_files) and not any(
        path.startswith(folders) for path in others
    )
    return is_gone and all(
        path in head.by_path and head.by_path[path].sha256 == file.sha256
        for path, file in added.items()
    )
