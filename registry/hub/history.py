"""Which commit gave a file the bytes that it has."""

import hashlib

from registry.hub import shapes
from registry.models import Commit, RegisteredModel
from registry.refs import CommitSpec, load_manifest

# Manifests read while looking back; what is older counts as of the last one read.
MAX_BACK = 50


def last_commits(
    model: RegisteredModel, commit: CommitSpec, paths: list[str]
) -> dict[str, shapes.Json]:
    """For each path of files or folders in `commit`, the commit that changed it last."""
    row = Commit.objects.get(model=model, oid=commit.oid)
    waiting, found = set(paths), {}
    now = _contents(row)
    for _ in range(MAX_BACK):
        parent = Commit.objects.filter(model=model, oid=row.parent_oid).first()
        before = _contents(parent) if parent else {}
        for path in [path for path in waiting if before.get(path) != now.get(path)]:
            waiting.discard(path)
            found[path] = _shape(row)
        if parent is None or not waiting:
            break
        row, now = parent, before
    return found | {path: _shape(row) for path in waiting}


def _contents(row: Commit) -> dict[str, str]:
    """What identifies the state of every path: a file's sha256, or a hash of all in a folder."""
    contents: dict[str, str] = {}
    folders: dict[str, hashlib._Hash] = {}
    for file in load_manifest(row.manifest).files:
        contents[file.path] = file.sha256
        parts = file.path.split("/")
        for depth in range(1, len(parts)):
            folder = folders.setdefault("/".join(parts[:depth]), hashlib.sha256())
            folder.update(f"{file.path}\n{file.sha256}\n".encode())
    return contents | {path: digest.hexdigest() for path, digest in folders.items()}


def _shape(row: Commit) -> shapes.Json:
    return {"id": row.oid, "title": row.title, "date": shapes.time_text(row.created_at)}
