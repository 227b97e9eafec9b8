"""The JSON that Hub clients read (pure)."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from registry.gitobjects import folder_oids, pointer
from registry.hub.revisions import RevisionFacts
from registry.refs import CommitFile, CommitSpec, RefSpec
from registry.specs import RefKind

Json = dict[str, Any]


def time_text(at: datetime) -> str:
    """A time as the clients parse it: UTC, milliseconds, `Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03}Z"


def model_info(
    name: str, created_at: datetime, commit: CommitSpec, facts: RevisionFacts, *, blobs: bool
) -> Json:
    """A model at one commit; `blobs` adds sizes and ids to its files."""
    info = model_row(name, created_at, commit, facts)
    info["siblings"] = [sibling(file, blobs=blobs) for file in commit.files]
    info["usedStorage"] = sum({file.sha256: file.size for file in commit.files}.values())
    return info


def model_row(name: str, created_at: datetime, commit: CommitSpec, facts: RevisionFacts) -> Json:
    """A model in a list."""
    info: Json = {
        "id": name,
        "modelId": name,
        "author": name.partition("/")[0],
        "sha": commit.oid,
        "private": True,
        "gated": False,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": list(facts.tags),
        "createdAt": time_text(created_at),
        "lastModified": time_text(commit.created_at),
    }
    if facts.card:
        info["cardData"] = dict(facts.card)
    if facts.config:
        info["config"] = dict(facts.config)
    if facts.library:
        info["library_name"] = facts.library
    if facts.task:
        info["pipeline_tag"] = facts.task
    if facts.parameters:
        total = sum(facts.parameters.values())
        info["safetensors"] = {"parameters": dict(facts.parameters), "total": total}
    return info


def sibling(file: CommitFile, *, blobs: bool) -> Json:
    shape: Json = {"rfilename": file.path}
    if blobs:
        shape |= {"size": file.size, "blobId": file.git_oid}
        if file.is_lfs:
            shape["lfs"] = {
                "sha256": file.sha256,
                "size": file.size,
                "pointerSize": len(pointer(file.sha256, file.size)),
            }
    return shape


def tree_file(file: CommitFile) -> Json:
    """A file in a tree."""
    shape: Json = {"type": "file", "path": file.path, "size": file.size, "oid": file.git_oid}
    if file.is_lfs:
        shape["lfs"] = {
            "oid": file.sha256,
            "size": file.size,
            "pointerSize": len(pointer(file.sha256, file.size)),
        }
    return shape


def tree_folder(path: str, oid: str) -> Json:
    """A folder in a tree."""
    return {"type": "directory", "path": path, "oid": oid, "size": 0}


def tree_rows(commit: CommitSpec, folder: str, *, recursive: bool) -> list[Json] | None:
    """What lies in `folder` (empty: the root), by path; None when there is no such folder."""
    oids = folder_ids(commit)
    if folder not in oids:
        return None
    prefix = f"{folder}/" if folder else ""

    def is_inside(path: str) -> bool:
        return path.startswith(prefix) and (recursive or "/" not in path[len(prefix) :])

    rows = [tree_file(file) for file in commit.files if is_inside(file.path)]
    rows += [tree_folder(path, oid) for path, oid in oids.items() if path and is_inside(path)]
    return sorted(rows, key=lambda row: str(row["path"]))


def path_rows(commit: CommitSpec, paths: Iterable[str]) -> list[Json]:
    """Files and folders of these paths; unknown ones are left out."""
    oids, rows = folder_ids(commit), []
    for path in dict.fromkeys(text.strip("/") for text in paths):
        if path in commit.by_path:
            rows.append(tree_file(commit.by_path[path]))
        elif path and path in oids:
            rows.append(tree_folder(path, oids[path]))
    return rows


def folder_ids(commit: CommitSpec) -> dict[str, str]:
    """The git id of every folder by path; the root is the empty path."""
    return folder_oids({file.path: file.git_oid for file in commit.files})


def refs(found: Iterable[RefSpec], *, with_pull_requests: bool) -> Json:
    """Branches and tags. Aliases move, and clients know no such thing: they stand in `converts`."""
    shape: Json = {"branches": [], "tags": [], "converts": []}
    places = {
        RefKind.BRANCH: ("branches", "refs/heads/"),
        RefKind.TAG: ("tags", "refs/tags/"),
        RefKind.ALIAS: ("converts", "refs/aliases/"),
    }
    for ref in found:
        place, prefix = places[ref.kind]
        row = {"name": ref.name, "ref": prefix + ref.name, "targetCommit": ref.commit}
        shape[place].append(row)
    return shape | ({"pullRequests": []} if with_pull_requests else {})


def log_row(oid: str, title: str, message: str, author: str, at: datetime) -> Json:
    """A commit in a history."""
    return {
        "id": oid,
        "title": title,
        "message": message,
        "authors": [{"user": author}],
        "date": time_text(at),
    }


def whoami(name: str, key: Mapping[str, Any]) -> Json:
    """Who a key is: `key` has `name` and `can_push`."""
    return {
        "type": "user",
        "id": name,
        "name": name,
        "fullname": key["name"],
        "email": None,
        "emailVerified": False,
        "canPay": False,
        "isPro": False,
        "periodEnd": None,
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": key["name"],
                "role": "write" if key["can_push"] else "read",
            },
        },
    }
