"""Archives over HTTP: streamed to a file, beside the management plane, which buffers whole bodies.

key or ticket → what is wanted → bytes to a file → small: worked at once · large: queued

A ticket is what the admin's upload page holds instead of a key: signed, for one account, one hour.
"""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.core import signing
from django.db import close_old_connections
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from access.database import in_thread
from access.errors import BellwetherError, InvalidKey, ScopeMissing
from access.keyring import KeyFacts
from access.persons import scopes_of
from access.scopes import Scope, has_scope
from registry import tasks
from registry.api.archive_schema import PATH
from registry.api.operation_shapes import OperationSerializer
from registry.errors import InvalidField, StoreFull
from registry.hub.bodies import announced_length, at_length, write_body
from registry.multipart import Part, boundary_of, find_parts
from registry.services import archives, operations
from registry.specs import OperationKind
from registry.store import SPARE_BYTES

log = logging.getLogger(__name__)

MAX_ARCHIVE_BYTES = 64 * 1024**3
# What is unpacked, checked and sealed within a few seconds is answered with the version itself.
INLINE_BYTES = 32 * 1024**2
MAX_FIELD_BYTES = 4_096
TICKET_HEADER, TICKET_SALT, TICKET_S = "x-upload-ticket", "registry.upload", 3_600
FIELDS = ("pooling", "note", "promote")

_SORRY = "Something went wrong on our side. Quote the request id {} when you report it"

Admit = Callable[[list[tuple[bytes, bytes]], Scope], Awaitable[KeyFacts]]
Refuse = Callable[[BellwetherError], Response]
"""The native answer of an expected failure."""


class UploadFailed(BellwetherError):
    """A bug, told as the other planes tell one."""

    code = "internal_error"


def routes(admit: Admit, refuse: Refuse) -> list[Route]:
    """The route that takes archives; `refuse` gives errors the shape of the other planes."""

    async def endpoint(request: Request) -> Response:
        state = request.scope.setdefault("state", {})
        state["route"] = PATH
        try:
            return await _take(request, admit)
        except BellwetherError as error:
            answer = refuse(error)
        except Exception:
            log.exception("bug in the upload of an archive")
            answer = refuse(UploadFailed(_SORRY.format(state.get("request_id", "in the headers"))))
        # The rest of the body was not read, so nothing else can follow on this connection.
        answer.headers["Connection"] = "close"
        return answer

    return [Route(PATH, endpoint, methods=["POST", "PUT"])]


def make_ticket(user_id: int) -> str:
    """Let an account upload archives for an hour."""
    return signing.dumps({"user": user_id}, salt=TICKET_SALT)


async def _take(request: Request, admit: Admit) -> Response:
    facts, actor = await _identify(request, admit)
    name = f"{request.path_params['namespace']}/{request.path_params['name']}"
    # Judged before a byte of the body is read, as far as it can be.
    _wanted(name, request.query_params)
    boundary = boundary_of(request.headers.get("content-type", ""))
    upload, path = await at_length(archives.make_upload)
    try:
        size = await _receive(request, path)
        fields: Mapping[str, str] = request.query_params
        if boundary is not None:
            fields = {**fields, **await at_length(lambda: _unwrap(path, boundary))}
        wanted = _wanted(name, fields)
        if wanted["promote"] and not has_scope(facts.scopes, Scope.PROMOTE):
            raise ScopeMissing("promote needs the scope promote", details={"needed": "promote"})
        parameters = {**wanted, "upload": upload}
        return await _work(parameters, actor, is_small=size <= INLINE_BYTES)
    except BaseException:
        await at_length(lambda: path.unlink(missing_ok=True))
        raise


async def _work(parameters: dict[str, Any], actor: str, *, is_small: bool) -> Response:
    title, kind = archives.upload_title(parameters), OperationKind.ARCHIVE
    if is_small:
        operation = await in_thread(
            lambda: operations.start(kind, title, actor=actor, parameters=parameters)
        )
        result = await asyncio.to_thread(_connected, lambda: operations.work(operation))
        return JSONResponse({**result, "operation": str(operation)}, 201, _location(operation))
    operation = await in_thread(
        lambda: tasks.enqueue(kind, title, actor=actor, parameters=parameters)
    )
    shown = await in_thread(lambda: _show(operation))
    return JSONResponse(shown, 202, _location(operation))


def _connected(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


def _show(operation: UUID) -> dict[str, Any]:
    shown = dict(OperationSerializer(operations.find_operation(operation)).data)
    return {key: str(value) if isinstance(value, UUID) else value for key, value in shown.items()}


def _location(operation: UUID) -> dict[str, str]:
    return {"Location": f"/api/v1/operations/{operation}"}


async def _identify(request: Request, admit: Admit) -> tuple[KeyFacts, str]:
    ticket = request.headers.get(TICKET_HEADER)
    if ticket is None:
        facts = await admit(request.scope["headers"], Scope.PUSH)
        return facts, facts.actor
    return await in_thread(lambda: _holder(ticket))


def _holder(ticket: str) -> tuple[KeyFacts, str]:
    refused = InvalidKey("the upload ticket is forged or expired: open the upload page again")
    try:
        user_id = signing.loads(ticket, salt=TICKET_SALT, max_age=TICKET_S)["user"]
    except (signing.BadSignature, KeyError, TypeError) as error:
        raise refused from error
    user = get_user_model()._default_manager.filter(pk=user_id, is_active=True).first()
    if user is None or not has_scope(scopes_of(user), Scope.PUSH):
        raise refused
    name = user.get_username()
    facts = KeyFacts(id=f"user:{user.pk}", name=name, scopes=scopes_of(user))
    return facts, f"{name} (admin)"


def _wanted(name: str, fields: Mapping[str, str]) -> dict[str, Any]:
    promote = fields.get("promote", "").lower()
    if promote not in ("", "true", "false", "1", "0", "on"):
        raise InvalidField("promote must be true or false", details={"field": "promote"})
    return archives.check_upload(
        name,
        pooling=fields.get("pooling"),
        note=fields.get("note", ""),
        promote=promote in ("true", "1", "on"),
    )


async def _receive(request: Request, path: Path) -> int:
    announced = announced_length(request.headers)
    free = await at_length(lambda: shutil.disk_usage(path.parent).free)
    # The archive, what it unpacks to, and the stored copy lie on the disk together.
    needed = 3 * (announced or 0) + SPARE_BYTES
    if needed > free:
        raise StoreFull(
            f"about {needed} bytes are needed and {free} are free: make room",
            details={"needed": needed, "free": free},
        )
    limit = min(MAX_ARCHIVE_BYTES, free - SPARE_BYTES)
    with path.open("xb") as sink:
        size, _ = await write_body(request.receive, sink, limit=limit, exact=False)
    return size


def _unwrap(path: Path, boundary: bytes) -> dict[str, str]:
    """Leave only the form's one file at `path`; returns the form's other fields."""
    parts = find_parts(path, boundary)
    files = [part for part in parts if part.is_file]
    if len(files) != 1:
        raise InvalidField("send one file in the form", details={"field": "file"})
    fields = {part.name: _read_field(path, part) for part in parts if not part.is_file}
    inner = path.with_suffix(".file")
    try:
        with path.open("rb") as stream, inner.open("xb") as sink:
            stream.seek(files[0].start)
            _copy(stream, sink, files[0].end - files[0].start)
        inner.replace(path)
    finally:
        inner.unlink(missing_ok=True)
    return {name: value for name, value in fields.items() if name in FIELDS}


def _copy(stream: Any, sink: Any, n_bytes: int) -> None:
    while n_bytes:
        piece = stream.read(min(n_bytes, 1024**2))
        sink.write(piece)
        n_bytes -= len(piece)


def _read_field(path: Path, part: Part) -> str:
    if part.end - part.start > MAX_FIELD_BYTES:
        raise InvalidField(f"{part.name[:40]} is too long", details={"field": part.name[:40]})
    with path.open("rb") as stream:
        stream.seek(part.start)
        return stream.read(part.end - part.start).decode("utf-8", "replace")
