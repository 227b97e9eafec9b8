"""Run by tests in a fresh process: the real client library against the Hub, nothing patched.

    python -m tests.hub.script WHAT MODEL_DIR WORK_DIR      (HF_ENDPOINT, HF_TOKEN, HF_HOME are set)

Prints one JSON object of what it saw.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

MODEL = "team/pushed"


def digests(folder: str | Path) -> dict[str, str]:
    """The sha256 of every file below `folder` by its path, without the client's own notes."""
    root = Path(folder)
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".cache" not in path.relative_to(root).parts
    }


def raised(work: Any) -> str:
    try:
        work()
    except HfHubHTTPError as error:
        return f"{type(error).__name__} {error.response.status_code}: {error.server_message}"
    except (EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError) as error:
        return type(error).__name__
    return "nothing"


def round_trip(folder: Path, work: Path) -> dict[str, Any]:
    """Create, push, seal, read back in every way."""
    api = HfApi()
    url = api.create_repo(MODEL)
    first = api.upload_folder(repo_id=MODEL, folder_path=folder, commit_message="First model")
    again = api.upload_folder(repo_id=MODEL, folder_path=folder, commit_message="Same files")
    api.create_tag(MODEL, tag="v1")
    info = api.model_info(MODEL, files_metadata=True)
    sizes = {each.rfilename: each.size for each in info.siblings or []}
    tree = list(api.list_repo_tree(MODEL, recursive=True, expand=True))
    snapshot = huggingface_hub.snapshot_download(MODEL, revision="v1")
    local = huggingface_hub.snapshot_download(MODEL, revision="v1", local_dir=work / "local")
    refs = api.list_repo_refs(MODEL)
    metadata = api.get_safetensors_metadata(MODEL)
    return {
        "whoami": api.whoami()["name"],
        "url": str(url),
        "repo_id": url.repo_id,
        "create_again": str(api.create_repo(MODEL, exist_ok=True)),
        "first": first.oid,
        "again": again.oid,
        "sha": info.sha,
        "sizes": sizes,
        "pipeline_tag": info.pipeline_tag,
        "tree": {each.path: each.last_commit.oid for each in tree if each.last_commit},
        "files": api.list_repo_files(MODEL),
        "tags": {ref.name: ref.target_commit for ref in refs.tags},
        "branches": [ref.name for ref in refs.branches],
        "commits": [commit.title for commit in api.list_repo_commits(MODEL)],
        "parameters": metadata.parameter_count,
        "sent": digests(folder),
        "got": digests(snapshot),
        "got_local": digests(local),
        "exists": api.file_exists(MODEL, "config.json"),
        "missing": api.file_exists(MODEL, "nothing.json"),
        "found": [model.id for model in api.list_models(search="pushed")],
        "paths": [each.path for each in api.get_paths_info(MODEL, ["config.json", "no"])],
    }


def changes(folder: Path, work: Path) -> dict[str, Any]:
    """Branches with slashes, copies, deletions, and everything that must be the right exception."""
    api = HfApi()
    api.create_repo(MODEL)
    api.upload_folder(repo_id=MODEL, folder_path=folder)
    parent = api.model_info(MODEL).sha
    api.create_branch(MODEL, branch="feature/x")
    api.upload_file(
        path_or_fileobj=b"# Card\n", path_in_repo="README.md", repo_id=MODEL, revision="feature/x"
    )
    api.create_commit(
        MODEL,
        [
            CommitOperationAdd("notes/a.txt", b"a"),
            CommitOperationCopy("model.safetensors", "copy.safetensors"),
            CommitOperationCopy("config.json", "other/config.json"),
            CommitOperationDelete("tokenizer_config.json"),
        ],
        commit_message="Several things",
        revision="feature/x",
        parent_commit=None,
    )
    on_branch = api.list_repo_files(MODEL, revision="feature/x")
    api.delete_folder("notes", MODEL, revision="feature/x")
    after = api.list_repo_files(MODEL, revision="feature/x")
    api.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=MODEL)
    stale = raised(
        lambda: api.create_commit(
            MODEL,
            [CommitOperationAdd("y.txt", b"y")],
            commit_message="late",
            parent_commit=parent,
        )
    )
    card = huggingface_hub.hf_hub_download(MODEL, "README.md", revision="feature/x")
    seen = {
        "on_branch": on_branch,
        "after": after,
        "card": Path(card).read_text(),
        "stale": stale,
        "pickle": raised(
            lambda: api.upload_file(
                path_or_fileobj=b"\x80\x04}.", path_in_repo="pytorch_model.bin", repo_id=MODEL
            )
        ),
        "branch_again": raised(lambda: api.create_branch(MODEL, branch="feature/x")),
        "no_repo": raised(lambda: api.model_info("team/none")),
        "no_revision": raised(lambda: api.model_info(MODEL, revision="none")),
        "no_file": raised(lambda: huggingface_hub.hf_hub_download(MODEL, "none.json")),
        "pull_request": raised(
            lambda: api.upload_file(
                path_or_fileobj=b"x", path_in_repo="z.txt", repo_id=MODEL, create_pr=True
            )
        ),
        "no_token": raised(lambda: HfApi(token=False).model_info(MODEL)),
        "bad_token": raised(lambda: HfApi(token="hf_wrong").model_info(MODEL)),
        "move": raised(lambda: api.move_repo(MODEL, "team/other")),
        "delete": raised(lambda: api.delete_repo(MODEL)),
    }
    api.delete_branch(MODEL, branch="feature/x")
    api.create_tag(MODEL, tag="checked/once", tag_message="by hand")
    api.delete_tag(MODEL, tag="checked/once")
    api.update_repo_settings(MODEL, private=True)
    seen["branches"] = [ref.name for ref in api.list_repo_refs(MODEL).branches]
    return seen


if __name__ == "__main__":
    what = {"round_trip": round_trip, "changes": changes}[sys.argv[1]]
    print(json.dumps(what(Path(sys.argv[2]), Path(sys.argv[3]))))
