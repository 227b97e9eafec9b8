"""Large files by Git LFS: what to send where, the bytes in one request or in parts, and a check.

The URLs that take bytes carry no key: their signature says which upload they are for, and until
when. What was stored before is called present only to a model that holds it already.
"""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse, Response

from access.database import in_thread
from access.scopes import Scope
from registry import inspection
from registry.errors import NotSupported, UploadMismatch, UploadRefused
from registry.hub import uploads
from registry.hub.bodies import on_disk
from registry.hub.calls import Call
from registry.hub.errors import BodyRefused
from registry.hub.routing import HubRoute
from registry.hub.signing import sign, unsign
from registry.location import open_store
from registry.models import Blob, Upload
from registry.queries import find_model
from registry.services.intake import lease_blobs, readable_blobs
from registry.services.uploads import clear_uploads, find_upload, open_uploads

MEDIA_TYPE = "application/vnd.git-lfs+json"
MAX_OBJECTS = 1_000
PART_ABOVE_BYTES = 64 * 1024**2
PART_BYTES = 32 * 1024**2
# Very large files come in larger parts: an answer must not hold a million URLs.
MAX_PARTS = 100
# A URL works this long, plus the time that all of its request's bytes take on a slow line.
BASE_LIFE_S = 15 * 60
SLOW_BYTES_PER_S = 256 * 1024
MAX_LIFE_S = 20 * 3600

PUT, COMPLETE = "lfs-put", "lfs-complete"

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a batch asks for: bytes by sha256, and what is wrong with the others."""

    sizes: dict[str, int]
    present: frozenset[str]
    errors: dict[str, str]


async def batch(call: Call) -> Response:
    """Say for each object whether it is here, and where to send it if not."""
    body = await call.body()
    objects = _read_objects(body)
    transfers = body.get("transfers") or ["basic"]
    wanted = await in_thread(lambda: _sort_out(call, objects))
    missing = {sha: n for sha, n in wanted.sizes.items() if sha not in wanted.present}
    await on_disk(lambda: _check_room(sum(missing.values())))
    may_split = isinstance(transfers, list) and "multipart" in transfers
    parts = {
        sha: max(PART_BYTES, -(-n // MAX_PARTS))
        for sha, n in missing.items()
        if may_split and n > PART_ABOVE_BYTES
    }
    life_s = min(BASE_LIFE_S + sum(missing.values()) / SLOW_BYTES_PER_S, MAX_LIFE_S)
    expires_at = time.time() + life_s
    opened = await in_thread(lambda: _open(call, missing, parts, expires_at))
    rows = await on_disk(lambda: [_row(call, each, wanted, opened, expires_at) for each in objects])
    answer = {"transfer": "multipart" if parts else "basic", "objects": rows, "hash_algo": "sha256"}
    return JSONResponse(answer, media_type=MEDIA_TYPE)


async def put(call: Call) -> Response:
    """Take the bytes of a whole file or of one part."""
    upload, claims = await _signed(call, PUT)
    number = int(claims["part"])
    uploads.check_length(call, uploads.part_length(upload, number) if number else upload.size)
    with uploads.place():
        if number:
            etag = await uploads.receive_part(call, upload, number)
        else:
            await uploads.receive_whole(call, upload)
            etag = upload.sha256
    return Response(status_code=200, headers={"ETag": f'"{etag}"'})


async def complete(call: Call) -> Response:
    """Put the parts of a file together."""
    upload, _ = await _signed(call, COMPLETE)
    body = await call.body()
    if body.get("oid") != upload.sha256:
        raise UploadMismatch("oid is not that of this upload", details={"field": "oid"})
    parts = body.get("parts")
    if not isinstance(parts, list) or len(parts) != uploads.n_parts(upload):
        raise UploadMismatch(
            f"parts must list all {uploads.n_parts(upload)} parts", details={"field": "parts"}
        )
    with uploads.place():
        await uploads.complete(upload)
    return JSONResponse({"oid": upload.sha256, "size": upload.size}, media_type=MEDIA_TYPE)


async def verify(call: Call) -> Response:
    """Say whether an uploaded object has arrived."""
    body = await call.body()
    ((sha256, size),) = _read_objects({"operation": "upload", "objects": [body]})
    found = await in_thread(lambda: readable_blobs(find_model(call.model), [sha256]))
    if found.get(sha256) != size:
        raise UploadMismatch("this object has not arrived: upload it again")
    return JSONResponse({"oid": sha256, "size": size}, media_type=MEDIA_TYPE)


def routes() -> list[HubRoute]:
    lfs = "/{namespace}/{name}.git/info/lfs/objects"
    return [
        HubRoute("POST", f"{lfs}/batch", batch, Scope.PUSH),
        HubRoute("POST", f"{lfs}/verify", verify, Scope.PUSH),
        HubRoute("PUT", "/_lfs/{upload}/{part}", put, None),
        HubRoute("POST", "/_lfs/{upload}", complete, None),
    ]


def _read_objects(body: dict[str, Any]) -> list[tuple[str, int]]:
    if body.get("operation") != "upload":
        raise NotSupported("operation: only upload is here; files are read at /resolve/")
    if body.get("hash_algo", "sha256") != "sha256":
        raise BodyRefused("hash_algo must be sha256", details={"field": "hash_algo"})
    objects = body.get("objects")
    if not isinstance(objects, list) or not 1 <= len(objects) <= MAX_OBJECTS:
        raise BodyRefused(
            f"objects must be a list of 1 to {MAX_OBJECTS}", details={"field": "objects"}
        )
    return [_read_object(n, each) for n, each in enumerate(objects)]


def _read_object(n: int, each: Any) -> tuple[str, int]:
    oid, size = (each.get("oid"), each.get("size")) if isinstance(each, dict) else (None, None)
    if not isinstance(oid, str) or not _SHA256.fullmatch(oid):
        raise BodyRefused(
            f"objects[{n}].oid must be 64 lower-case hex digits", details={"field": "objects"}
        )
    if type(size) is not int or not 0 < size <= inspection.MAX_FILE_BYTES:
        raise BodyRefused(
            f"objects[{n}].size must be from 1 to {inspection.MAX_FILE_BYTES} bytes",
            details={"field": "objects"},
        )
    return oid, size


def _sort_out(call: Call, objects: list[tuple[str, int]]) -> _Wanted:
    model = find_model(call.model)
    sizes = dict(objects)
    if len(sizes) != len(set(objects)):
        raise BodyRefused("objects name one oid with two sizes", details={"field": "objects"})
    stored = readable_blobs(model, sizes)
    damaged = set(
        Blob.objects.filter(pk__in=list(stored), is_damaged=True).values_list("pk", flat=True)
    )
    errors = {
        sha: f"these bytes have {stored[sha]} bytes, not {sizes[sha]}"
        for sha in stored
        if stored[sha] != sizes[sha]
    }
    errors |= dict.fromkeys(damaged, "the stored bytes are damaged: restore them first")
    present = {sha: sizes[sha] for sha in stored if sha not in errors}
    if present:
        # Leased in the same breath: nothing may sweep them between this answer and the commit.
        lease_blobs(present, actor=call.actor, model=model)
    wanted = {sha: size for sha, size in sizes.items() if sha not in errors}
    return _Wanted(wanted, frozenset(present), errors)


def _check_room(n_bytes: int) -> None:
    store = open_store()
    store.stagings.mkdir(parents=True, exist_ok=True)
    if n_bytes:
        store.check_room(n_bytes)


def _open(
    call: Call, sizes: dict[str, int], part_sizes: dict[str, int], expires_at: float
) -> dict[str, Upload]:
    clear_uploads()
    until = datetime.fromtimestamp(expires_at, UTC)
    return open_uploads(call.model, sizes, part_sizes, actor=call.actor, expires_at=until)


def _row(
    call: Call,
    each: tuple[str, int],
    wanted: _Wanted,
    opened: dict[str, Upload],
    expires_at: float,
) -> dict[str, Any]:
    sha256, size = each
    row: dict[str, Any] = {"oid": sha256, "size": size}
    if sha256 in wanted.errors:
        row["error"] = {"code": 422, "message": wanted.errors[sha256]}
    elif sha256 in opened:
        row["actions"] = _actions(call, opened[sha256], expires_at)
    return row


def _actions(call: Call, upload: Upload, expires_at: float) -> dict[str, Any]:
    verify_at = f"{call.base_url}/{call.model}.git/info/lfs/objects/verify"
    if not upload.part_size:
        href = _url(call, PUT, upload, expires_at, part=0)
        return {"upload": {"href": href}, "verify": {"href": verify_at}}
    header = {"chunk_size": str(upload.part_size)}
    for number in range(1, uploads.n_parts(upload) + 1):
        header[f"{number:05}"] = _url(call, PUT, upload, expires_at, part=number)
    href = _url(call, COMPLETE, upload, expires_at)
    return {"upload": {"href": href, "header": header}, "verify": {"href": verify_at}}


def _url(
    call: Call, purpose: str, upload: Upload, expires_at: float, *, part: int | None = None
) -> str:
    claims = {"upload": upload.pk.hex} | ({} if part is None else {"part": part})
    path = f"/_lfs/{upload.pk.hex}" + ("" if part is None else f"/{part}")
    return f"{call.base_url}{path}?sig={sign(purpose, claims, expires_at)}"


async def _signed(call: Call, purpose: str) -> tuple[Upload, dict[str, Any]]:
    """The upload that this URL was made for; raises UploadRefused before a byte is read."""
    claims = unsign(purpose, call.query.get("sig", ""), now=time.time())
    is_same = claims["upload"] == call.params["upload"]
    if not is_same or str(claims.get("part", "")) != call.params.get("part", ""):
        raise UploadRefused("this signature is for another upload or part")
    upload = await in_thread(lambda: find_upload(UUID(claims["upload"])))
    return upload, claims
