"""The content-addressed service that Hub clients upload to, under `/_cas`, and the way into it.

Only what an upload needs is here. Whatever else a client asks (chunks known elsewhere, grants,
newer versions of a route) is answered 404, on which it goes on without.
"""

import asyncio
import re
import time
from contextlib import AbstractContextManager
from typing import BinaryIO, Generic, TypeVar, cast

from django.utils import timezone
from starlette.responses import JSONResponse, Response

from access.database import guarded, in_thread
from access.scopes import Scope
from registry import queries
from registry.errors import LengthRequired, ModelNotFound
from registry.hub import bodies, uploads
from registry.hub.calls import Call
from registry.hub.errors import BodyTooLarge, PathNotFound
from registry.hub.routing import HubRoute
from registry.hub.signing import sign, unsign
from registry.hub.xet.ingest import Session, has_stale, open_intake, remove_stale, take_shard
from registry.hub.xet.shards import MAX_SHARD_BYTES
from registry.hub.xet.xorbs import MAX_BODY_BYTES
from registry.refs import MAIN, find_commit

TOKEN_S = 3_600
PURPOSE = "xet"
# What clients really send, and what the protocol's description says.
PREFIXES = frozenset({"default", "default-merkledb"})

_EPOCH = re.compile(r"([0-9]{1,18})-([0-9]{1,9})", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}")
_BASE = "/_cas/{namespace}/{name}/{epoch}"

T = TypeVar("T")


def routes() -> list[HubRoute]:
    """The routes of Xet uploads; those under `/_cas` take a token of their own, not a key."""
    path = "/api/models/{namespace}/{name}/xet-write-token/{revision}"
    return [
        HubRoute("GET", path, write_token, Scope.PUSH),
        HubRoute("POST", f"{_BASE}/v1/xorbs/{{prefix}}/{{hash}}", take_in_xorb, None),
        HubRoute("POST", f"{_BASE}/v1/shards", take_in_shard, None),
        *(HubRoute(method, "/_cas/{rest*}", unknown, None) for method in ("GET", "POST", "PUT")),
    ]


async def write_token(call: Call) -> Response:
    """Where to upload, and a token for it.

    The address stays the same for a model until chunks that clients may count on are gone: they
    remember by address what they have sent.
    """
    model, epoch = await in_thread(lambda: _begin(call.model, call.params["revision"]))
    expires_at = int(time.time()) + TOKEN_S
    token = sign(PURPOSE, {"model": model, "actor": call.actor}, expires_at)
    address = f"{call.base_url}/_cas/{call.model}/{model}-{epoch}"
    return JSONResponse(
        {"accessToken": token, "exp": expires_at, "casUrl": address},
        headers={
            "X-Xet-Cas-Url": address,
            "X-Xet-Access-Token": token,
            "X-Xet-Token-Expiration": str(expires_at),
        },
    )


async def take_in_xorb(call: Call) -> Response:
    """Chunks that a later shard will name."""
    session, _ = await _enter(call)
    name = call.params["hash"]
    if call.params["prefix"] not in PREFIXES or not _HASH.fullmatch(name):
        raise PathNotFound("a xorb is sent to /v1/xorbs/default/<64 hex digits>")
    limit = _length(call, MAX_BODY_BYTES)
    with uploads.place():
        async with _InThread(open_intake(session, name)) as intake:
            sink = cast(BinaryIO, intake)
            await bodies.write_body(call.receive, sink, limit=limit, exact=True)
            is_new = await bodies.on_disk(lambda: guarded(intake.finish))
    return JSONResponse({"was_inserted": is_new})


async def take_in_shard(call: Call) -> Response:
    """Files, put together from chunks; they are blobs when this answers."""
    session, actor = await _enter(call)
    limit = _length(call, MAX_SHARD_BYTES)
    with uploads.place():
        async with uploads.staging() as staging:
            path = staging.files / "shard"
            async with _InThread(path.open("xb")) as sink:
                await bodies.write_body(call.receive, sink, limit=limit, exact=True)

            def take() -> int:
                with path.open("rb") as shard:
                    return take_shard(session, shard, actor=actor)

            await bodies.at_length(lambda: guarded(take))
    return JSONResponse({"result": 1})


async def unknown(call: Call) -> Response:
    """Any other part of the protocol."""
    raise PathNotFound("Xet uploads need nothing of this kind here; clients go on without")


def _begin(name: str, revision: str) -> tuple[int, int]:
    model = queries.find_model(name)
    if revision != MAIN:
        find_commit(model, revision)
    now = timezone.now()
    if has_stale(model, now=now):
        remove_stale(now=now)
        model.refresh_from_db()
    return model.pk, model.cas_epoch


async def _enter(call: Call) -> tuple[Session, str]:
    """Whose chunks, and who sends them; the token must be for the model in the path."""
    scheme, _, token = call.headers.get("authorization", "").partition(" ")
    claims = unsign(PURPOSE, token if scheme.lower() == "bearer" else "", now=time.time())
    session = await in_thread(lambda: _session(call.model, call.params["epoch"]))
    if claims["model"] != session.model.pk:
        raise ModelNotFound(f"this token is not for {call.model}: ask for another")
    return session, claims["actor"]


def _session(name: str, epoch: str) -> Session:
    model = queries.find_model(name)
    found = _EPOCH.fullmatch(epoch)
    # An epoch that has ended still serves the uploads that began in it.
    if not found or int(found[1]) != model.pk or not 1 <= int(found[2]) <= model.cas_epoch:
        raise PathNotFound("this address is not one of ours: ask for a new write token")
    return Session(model, int(found[2]))


def _length(call: Call, limit: int) -> int:
    length = bodies.announced_length(call.headers)
    if length is None or "transfer-encoding" in call.headers:
        raise LengthRequired("send Content-Length: uploads in chunks of unknown length are refused")
    if length > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes", details={"limit_bytes": limit})
    return length


class _InThread(Generic[T]):
    """A context manager that opens and closes in a thread, used from the event loop."""

    def __init__(self, manager: AbstractContextManager[T]) -> None:
        self._manager = manager

    async def __aenter__(self) -> T:
        return await bodies.on_disk(self._manager.__enter__)

    async def __aexit__(self, *failure: object) -> None:
        # What arrived is only removed here: what happened is nothing to the manager.
        await asyncio.shield(bodies.on_disk(lambda: self._manager.__exit__(None, None, None)))
