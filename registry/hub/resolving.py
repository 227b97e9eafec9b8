"""Files of a revision: their facts for HEAD, their bytes for GET, whole or one range."""

from typing import NamedTuple

from starlette.responses import Response

from access.database import in_thread
from access.scopes import Scope
from registry.errors import EntryNotFound
from registry.hub.calls import Call
from registry.hub.downloads import BlobResponse, damaged, open_blob
from registry.hub.ranges import parse_range
from registry.hub.revisions import load_commit
from registry.hub.routing import HubRoute
from registry.location import open_store
from registry.models import Blob
from registry.refs import CommitFile


class _Resolved(NamedTuple):
    commit: str
    file: CommitFile


async def resolve(call: Call) -> Response:
    """One file. HEAD reads only the database; the commit is named in every answer."""
    commit, file = await in_thread(lambda: _find(call))
    etag = f'"{file.sha256 if file.is_lfs else file.git_oid}"'
    headers = _headers(commit, file, etag)
    if _has(call, "if-none-match", etag):
        return Response(status_code=304, headers=headers)
    span = _span(call, file, etag)
    start, end = span or (0, file.size)
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
    status = 206 if span else 200
    if call.method == "HEAD":
        headers["Content-Length"] = str(end - start)
        return Response(status_code=status, headers=headers)
    fd = await open_blob(open_store().blob(file.sha256), file.size)
    return BlobResponse(fd, start, end, status=status, headers=headers)


def routes() -> list[HubRoute]:
    return [
        HubRoute("GET", "/{namespace}/{name}/resolve/{rev}/{path*}", resolve, Scope.READ),
        HubRoute("GET", "/{namespace}/{name}/raw/{rev}/{path*}", resolve, Scope.READ),
    ]


def _find(call: Call) -> _Resolved:
    commit = load_commit(call.model, call.params["rev"])
    path = call.params["path"]
    file = commit.by_path.get(path)
    if file is None:
        raise EntryNotFound(
            f"{call.model} has no file {path!r:.120} at this revision",
            details={"commit": commit.oid},
        )
    if Blob.objects.filter(pk=file.sha256, is_damaged=True).exists():
        raise damaged(file.sha256)
    return _Resolved(commit.oid, file)


def _headers(commit: str, file: CommitFile, etag: str) -> dict[str, str]:
    headers = {
        "X-Repo-Commit": commit,
        "ETag": etag,
        "Accept-Ranges": "bytes",
        "Content-Type": "application/octet-stream" if file.is_lfs else "text/plain; charset=utf-8",
        # Should a browser open a file: it is shown, never run.
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
    }
    if file.is_lfs:
        headers |= {"X-Linked-Etag": etag, "X-Linked-Size": str(file.size)}
    return headers


def _span(call: Call, file: CommitFile, etag: str) -> tuple[int, int] | None:
    if "if-range" in call.headers and call.headers["if-range"].strip() != etag:
        return None
    return parse_range(call.headers.get("range"), file.size)


def _has(call: Call, header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in call.headers.get(header, "").split(",")]
    return etag in tags or tags == ["*"]
