"""Files of jobs over HTTP: streamed to the disk, beside the management plane, which buffers bodies.

key → model → what is wanted → bytes to a file → a look at it → a job
"""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from access.database import guarded, in_thread
from access.errors import BellwetherError, ScopeMissing
from access.keyring import KeyFacts
from access.scopes import Scope, has_scope
from inference.errors import InternalError, InvalidJson, InvalidRequest, UnknownParameter
from inference.jobs import files, listing, services, storage
from inference.jobs.files import Order
from inference.jobs.job_schema import PATH
from inference.jobs.looking import MAX_NAME_CHARS, Wanted
from inference.jobs.rows import Format
from registry.hub.bodies import announced_length, check_announced, read_whole, write_body
from registry.multipart import Part, boundary_of, find_parts

log = logging.getLogger(__name__)

Admit = Callable[[list[tuple[bytes, bytes]], Scope], Awaitable[KeyFacts]]
Refuse = Callable[[BellwetherError], Response]
"""The native answer of an expected failure."""

FIELDS = ("format", "text_column", "label_column", "keep_columns")
MAX_FIELD_BYTES = 1000
# Around the file in a form.
FORM_BYTES = 64 * 1024
_TYPES = {
    "text/csv": Format.CSV,
    "application/x-ndjson": Format.JSONL,
    "application/jsonl": Format.JSONL,
    "application/vnd.apache.parquet": Format.PARQUET,
    "text/plain": Format.TEXT,
}
_FLAGS = {"": True, "true": True, "1": True, "on": True, "false": False, "0": False, "off": False}


def routes(admit: Admit, refuse: Refuse) -> list[Route]:
    """The route that takes files; `refuse` gives errors the shape of the other planes."""

    async def endpoint(request: Request) -> Response:
        state = request.scope.setdefault("state", {})
        state["route"] = PATH
        try:
            return await _take(request, admit)
        except BellwetherError as error:
            answer = refuse(error)
        except Exception:
            log.exception("bug in the upload of a job's file")
            answer = refuse(InternalError.during(state.get("request_id", "")))
        # The rest of the body was not read, so nothing else can follow on this connection.
        answer.headers["Connection"] = "close"
        return answer

    return [Route(PATH, endpoint, methods=["POST"])]


async def _take(request: Request, admit: Admit) -> Response:
    key = await admit(request.scope["headers"], Scope.PREDICT)
    model = f"{request.path_params['namespace']}/{request.path_params['name']}"
    # Judged before a byte of the body is read, as far as it can be.
    check_fields(request.query_params)
    await in_thread(lambda: files.require_task(model))
    incoming = await asyncio.to_thread(storage.make_incoming, files.get_root())
    try:
        fields = await _receive(request, incoming)
        given = {**fields, **request.query_params}
        order = order_of(model, given, key, _media_type(request), _request_id(request))
        return await _start(order, incoming)
    finally:
        await asyncio.to_thread(incoming.unlink, missing_ok=True)


async def _start(order: Order, incoming: Path) -> Response:
    def create() -> dict[str, Any]:
        now = datetime.now(UTC)
        job_id = guarded(lambda: files.create(order, incoming, now=now))
        job = guarded(lambda: services.find_job(job_id, key_id=None))
        return listing.as_json(listing.view_of(job, now=now))

    shown = await asyncio.to_thread(create)
    return JSONResponse(shown, 202, {"Location": f"/api/v1/jobs/{shown['id']}"})


def check_fields(fields: Mapping[str, str]) -> None:
    """Raise UnknownParameter or InvalidRequest for fields that no job has."""
    for name, value in fields.items():
        if name not in FIELDS:
            known = ", ".join(FIELDS)
            raise UnknownParameter(
                f"{name[:40]!r} is unknown here; the fields are {known}.",
                details={"field": name[:40]},
            )
        if len(value) > MAX_NAME_CHARS or "\0" in value:
            raise _invalid(name, f"must have at most {MAX_NAME_CHARS} characters")
    if fields.get("format", "csv") not in set(Format):
        raise _invalid("format", f"must be one of {', '.join(Format)}")
    if fields.get("keep_columns", "").lower() not in _FLAGS:
        raise _invalid("keep_columns", "must be true or false")


def order_of(
    model: str, fields: Mapping[str, str], key: KeyFacts, media_type: str, request_id: str
) -> Order:
    """What is asked for; the format may be said by the media type. Raises as `check_fields`, and
    ScopeMissing where labels come without the scope to give them.
    """
    check_fields(fields)
    format = fields.get("format") or _TYPES.get(media_type)
    if format is None:
        raise _invalid("format", f"must say what the file is: one of {', '.join(Format)}")
    label = fields.get("label_column", "")
    if label and not has_scope(key.scopes, Scope.FEEDBACK):
        raise ScopeMissing(
            "label_column needs the scope feedback", details={"needed": str(Scope.FEEDBACK)}
        )
    wanted = Wanted(Format(format), fields.get("text_column", ""), label)
    keeps = _FLAGS[fields.get("keep_columns", "").lower()]
    return Order(model, wanted, keeps, key.id, request_id)


async def _receive(request: Request, incoming: Path) -> dict[str, str]:
    """Leave the file at `incoming`; returns the fields that came with it."""
    if _media_type(request) == "application/json":
        return await _receive_list(request, incoming)
    limit = settings.BELLWETHER_MAX_JOB_BYTES
    boundary = boundary_of(request.headers.get("content-type", ""))
    most = limit if boundary is None else limit + FORM_BYTES
    check_announced(request.headers, most)
    announced = announced_length(request.headers) or 0
    await asyncio.to_thread(storage.check_room, incoming.parent, announced)
    with incoming.open("xb") as sink:
        await write_body(request.receive, sink, limit=most, exact=False)
    if boundary is None:
        return {}
    return await asyncio.to_thread(unwrap, incoming, boundary)


async def _receive_list(request: Request, incoming: Path) -> dict[str, str]:
    """A JSON list of texts or objects becomes JSON Lines."""
    limit = settings.BELLWETHER_MAX_BODY_BYTES
    body = await read_whole(request.receive, request.headers, limit)
    return await asyncio.to_thread(write_list, body, incoming)


def write_list(body: bytes, incoming: Path) -> dict[str, str]:
    """Write the `inputs` of a JSON body as lines; returns its other fields."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJson("The body is not JSON.") from error
    inputs = found.pop("inputs", None) if isinstance(found, dict) else None
    if not isinstance(inputs, list) or not inputs:
        raise _invalid("inputs", "must be a list of texts, or of objects, with one at least")
    most = settings.BELLWETHER_MAX_JOB_INPUTS
    if len(inputs) > most:
        raise _invalid("inputs", f"holds {len(inputs)} texts; {most} are allowed: send a file")
    if any(not isinstance(each, str | dict) for each in inputs):
        raise _invalid("inputs", "must hold texts, or objects, and nothing else")
    incoming.write_bytes(b"".join(json.dumps(each).encode() + b"\n" for each in inputs))
    return {"format": Format.JSONL.value, **{name: _text(value) for name, value in found.items()}}


def unwrap(path: Path, boundary: bytes) -> dict[str, str]:
    """Leave only the form's one file at `path`; returns the form's other fields."""
    parts = find_parts(path, boundary)
    inner = [part for part in parts if part.is_file]
    if len(inner) != 1:
        raise _invalid("file", "must be there once in the form")
    fields = {part.name: _read_field(path, part) for part in parts if not part.is_file}
    with path.open("rb+") as stream:
        _move_to_start(stream, inner[0])
    return fields


def _move_to_start(stream: Any, part: Part) -> None:
    at = 0
    while at < part.end - part.start:
        stream.seek(part.start + at)
        piece = stream.read(min(storage.PIECE_BYTES, part.end - part.start - at))
        stream.seek(at)
        stream.write(piece)
        at += len(piece)
    stream.truncate(at)


def _read_field(path: Path, part: Part) -> str:
    if part.end - part.start > MAX_FIELD_BYTES:
        raise _invalid(part.name[:40], "is too long")
    with path.open("rb") as stream:
        stream.seek(part.start)
        return stream.read(part.end - part.start).decode("utf-8", "replace")


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _request_id(request: Request) -> str:
    return str(request.scope["state"].get("request_id", ""))


def _invalid(field: str, problem: str) -> InvalidRequest:
    return InvalidRequest(f"{field!r} {problem}.", details={"field": field})
