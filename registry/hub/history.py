"""Which commit gave a file the bytes that it has."""

from registry.hub import shapes
from registry.models import Commit, RegisteredModel
from registry.refs import CommitSpec, load_manifest

# Manifests read while looking back; what is older counts as of the last one read.
MAX_BACK = 200


def last_commits(
    model: RegisteredModel, commit: CommitSpec, paths: list[str]
) -> dict[str, shapes.Json]:
    """For each path of files or folders in `commit`, the commit that changed it last."""
    row = Commit.objects.get(model=model, oid=commit.oid)
    waiting, found = set(paths), {}
    now = _contents(row, paths)
    for _ in range(MAX_BACK):
        parent = Commit.objects.filter(model=model, oid=row.parent_oid).first()
        before = _contents(parent, paths) if parent else {}
        for path in [path for path in waiting if before.get(path) != now.get(path) or not parent]:
            waiting.discard(path)
            found[path] = _shape(row)
        if parent is None or not waiting:
            break
        row, now = parent, before
    return found | {path: _shape(row) for path in waiting}


def _contents(row: Commit, paths: list[str]) -> dict[str, object]:
    """What identifies the state of each path: a file's sha256, or all that lies in a folder."""
    files = {file.path: file.sha256 for file in load_manifest(row.manifest).files}
    contents: dict[str, object] = {path: files[path] for path in paths if path in files}
    for folder in (path for path in paths if path not in files):
        inside = tuple(item for item in files.items() if item[0].startswith(f"{folder}/"))
        if inside:
            contents[folder] = inside
    return contents


def _shape(row: Commit) -> shapes.Json:
    return {"id": row.oid, "title": row.title, "date": shapes.time_text(row.created_at)}
