"""Before bytes move: what may come at all, how each file is to be sent, what is here already."""

import base64
import binascii
from typing import Any

from starlette.responses import JSONResponse, Response

from access.database import in_thread
from access.scopes import Scope
from registry import inspection
from registry.content import HEAD_BYTES, check_head, check_name
from registry.errors import ContentRefused, NotSupported
from registry.gitobjects import is_lfs
from registry.hub.bodies import on_disk
from registry.hub.calls import Call
from registry.hub.errors import BodyRefused
from registry.hub.revisions import load_commit
from registry.hub.routing import HubRoute
from registry.names import check_paths
from registry.refs import CommitFile

MAX_FILES = 1_000
MAX_BODY_BYTES = 4 * 1024**2
MAX_NAMED = 10
# Git's own files mean nothing here: clients that send them along are told to leave them out.
IGNORED = frozenset({".gitattributes", ".gitignore", ".gitkeep"})
# A pickle that the Trainer puts beside every model, and that no model needs.
LEFT_OUT = frozenset({"training_args.bin"})
WARNING = "files; training_args.bin is left out: it is a pickle, and the model does not need it"


async def preupload(call: Call) -> Response:
    """Say of each file how to send it; refuses what may never enter before its bytes are sent."""
    if call.flag("create_pr"):
        raise no_pull_requests()
    body = await call.body(limit=MAX_BODY_BYTES)
    files = _read(body)
    await on_disk(lambda: _check(files))
    here = await in_thread(lambda: _current(call))
    has_leftovers = any(_is_left_out(path) for path, _, _ in files)
    return JSONResponse(
        {"files": [_answer(path, size, here) for path, size, _ in files]},
        headers={"X-HF-Warning": WARNING} if has_leftovers else {},
    )


def no_pull_requests() -> NotSupported:
    return NotSupported("there are no pull requests here: push to a branch, tag it when it is good")


def is_ignored(path: str) -> bool:
    """Whether this file means nothing here, and a commit that names it goes on without."""
    return path.rpartition("/")[2] in IGNORED


def routes() -> list[HubRoute]:
    path = "/api/models/{namespace}/{name}/preupload/{rev}"
    return [HubRoute("POST", path, preupload, Scope.PUSH)]


def _current(call: Call) -> dict[str, CommitFile]:
    return load_commit(call.model, call.params["rev"]).by_path


def _answer(path: str, size: int, here: dict[str, CommitFile]) -> dict[str, Any]:
    mode = "lfs" if is_lfs(path, size) else "regular"
    answer = {
        "path": path,
        "uploadMode": mode,
        "shouldIgnore": is_ignored(path) or _is_left_out(path),
    }
    if path in here:
        file = here[path]
        answer["oid"] = file.sha256 if file.is_lfs else file.git_oid
    return answer


def _read(body: dict[str, Any]) -> list[tuple[str, int, bytes]]:
    files = body.get("files")
    if not isinstance(files, list) or len(files) > MAX_FILES:
        raise BodyRefused(
            f"files must be a list of at most {MAX_FILES}", details={"field": "files"}
        )
    return [_read_file(n, each) for n, each in enumerate(files)]


def _read_file(n: int, each: Any) -> tuple[str, int, bytes]:
    row = each if isinstance(each, dict) else {}
    path, size, sample = row.get("path"), row.get("size"), row.get("sample", "")
    if not isinstance(path, str) or type(size) is not int or size < 0:
        raise BodyRefused(f"files[{n}] must have path and size", details={"field": "files"})
    try:
        head = base64.b64decode(sample, validate=True)[:HEAD_BYTES]
    except (binascii.Error, ValueError, TypeError) as error:
        raise BodyRefused(
            f"files[{n}].sample must be base64", details={"field": "files"}
        ) from error
    return path, size, head


def _check(files: list[tuple[str, int, bytes]]) -> None:
    wanted = [row for row in files if not (is_ignored(row[0]) or _is_left_out(row[0]))]
    check_paths(path for path, _, _ in wanted)
    refused = [(path, why) for path, size, head in wanted if (why := _problem(path, size, head))]
    if refused:
        named = ", ".join(path for path, _ in refused[:MAX_NAMED])
        more = f" and {len(refused) - MAX_NAMED} more" if len(refused) > MAX_NAMED else ""
        hint = f" Refused are {named}{more}: leave them out (ignore_patterns)."
        raise ContentRefused(
            refused[0][1] + ("." + hint if len(refused) > 1 else ""),
            details={"paths": [path for path, _ in refused[:MAX_NAMED]]},
        )


def _problem(path: str, size: int, head: bytes) -> str:
    try:
        check_name(path)
        check_head(path, head)
    except ContentRefused as error:
        return error.message
    if size > inspection.MAX_FILE_BYTES:
        return f"{path}: a file may have {inspection.MAX_FILE_BYTES} bytes"
    return ""


def _is_left_out(path: str) -> bool:
    return path.rpartition("/")[2] in LEFT_OUT
