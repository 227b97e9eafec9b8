"""What an endpoint of the inference plane is, and how a request runs through one.

    admit (key, scope, rate) → read (bounded) → decode → handler → encode

A dialect lists its endpoints; this module runs them and `openapi` documents them.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from access.errors import BellwetherError
from access.keyring import KeyFacts
from access.scopes import Scope
from inference import decoding
from inference.errors import InternalError, MethodNotAllowed, RequestCancelled
from inference.http import codec
from inference.http.errors import Dialect, body_of, headers_of, status_of
from inference.http.sse import EventResponse, EventStream

log = logging.getLogger(__name__)
B = TypeVar("B")
Admit = Callable[[list[tuple[bytes, bytes]], Scope], Awaitable[KeyFacts]]
NOBODY = KeyFacts(id="", name="", scopes=frozenset())


@dataclass(frozen=True, slots=True)
class Received(Generic[B]):
    """A request that was let in and understood."""

    body: B
    path: Mapping[str, str]
    headers: Headers
    key: KeyFacts
    request_id: str

    @property
    def model(self) -> str:
        """The model that the path names."""
        return f"{self.path['namespace']}/{self.path['name']}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: `body` is bytes already encoded, an EventStream, or anything that msgspec
    encodes as JSON.
    """

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint(Generic[B]):
    """One path and method.

    `body` is the msgspec type of the request (None: no body is read); `read` makes it of the bytes
    where these are not just its JSON. `reply` and `status` are a good answer's, for the
    documentation; `scope` None lets everybody in; `is_steered` says that it reads the headers of
    `inference.http.steering`.
    """

    method: str
    path: str
    handler: Callable[[Received[B]], Awaitable[Reply]]
    scope: Scope | None
    reply: Any
    summary: str
    tag: str
    body: type[B] | None = None
    read: Callable[[bytes, Headers], B] | None = None
    status: int = 200
    dialect: Dialect = "native"
    is_steered: bool = False


def reading(
    path: str,
    handler: Callable[[Received[Any]], Awaitable[Reply]],
    reply: Any,
    summary: str,
    scope: Scope | None,
    *,
    tag: str,
    dialect: Dialect = "native",
) -> Endpoint[Any]:
    """Return an endpoint that is asked with GET and takes no body."""
    return Endpoint(
        method="GET",
        path=path,
        handler=handler,
        scope=scope,
        reply=reply,
        summary=summary,
        tag=tag,
        dialect=dialect,
    )


def routes(endpoints: list[Endpoint[Any]], admit: Admit, *, max_body_bytes: int) -> list[Route]:
    """Return Starlette routes that run `endpoints`."""
    by_path: dict[str, dict[str, Endpoint[Any]]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [
        Route(path, _Runner(path, by_method, admit, max_body_bytes))
        for path, by_method in by_path.items()
    ]


class _Runner:
    """Runs the endpoints of one path: no framework code between bytes and handler."""

    def __init__(
        self, path: str, by_method: Mapping[str, Endpoint[Any]], admit: Admit, max_body_bytes: int
    ) -> None:
        self._path, self._by_method = path, by_method
        self._admit, self._limit = admit, max_body_bytes
        self._dialect: Dialect = next(iter(by_method.values())).dialect

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["route"] = self._path
        response = await self._respond(Request(scope, receive))
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response | EventResponse:
        request_id: str = request.scope["state"]["request_id"]
        try:
            reply = await self._reply(request, request_id)
            if isinstance(reply.body, EventStream):
                return EventResponse(reply.body, reply.headers, self._dialect, request_id)
            content = reply.body if isinstance(reply.body, bytes) else codec.encode(reply.body)
            return Response(content, reply.status, reply.headers, reply.media_type)
        except BellwetherError as error:
            return self._refusal(error)
        except Exception as error:
            log.exception("bug in %s", self._path)
            internal = InternalError.during(request_id)
            internal.chosen = getattr(error, "chosen", None)
            return self._refusal(internal)

    async def _reply(self, request: Request, request_id: str) -> Reply:
        endpoint, key = self._endpoint(request.method), NOBODY
        if endpoint.scope is not None:
            key = await self._admit(request.scope["headers"], endpoint.scope)
        if endpoint.body is None:
            received = Received(None, request.path_params, request.headers, key, request_id)
            return await endpoint.handler(received)
        body = await codec.read_body(request.receive, request.scope["headers"], self._limit)
        if endpoint.read is not None:
            message = endpoint.read(body, request.headers)
        else:
            message = decoding.decode(body, endpoint.body)
        async with _cancelled_on_hang_up(request):
            return await endpoint.handler(
                Received(message, request.path_params, request.headers, key, request_id)
            )

    def _endpoint(self, method: str) -> Endpoint[Any]:
        # Servers drop the body of an answer to HEAD, so GET's answer is the right one.
        endpoint = self._by_method.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            allowed = ", ".join(self._by_method)
            raise MethodNotAllowed(
                f"{method} does not work on {self._path}. Use {allowed}.",
                details={"allow": allowed},
            )
        return endpoint

    def _refusal(self, error: BellwetherError) -> Response:
        content = codec.encode(body_of(error, self._dialect))
        status = status_of(error, self._dialect)
        return Response(content, status, headers_of(error), "application/json")


@asynccontextmanager
async def _cancelled_on_hang_up(request: Request) -> AsyncIterator[None]:
    """Cancel the block when the client closes its connection, and raise RequestCancelled then."""
    current = asyncio.current_task()
    assert current is not None  # noqa: S101 - a handler always runs in a task
    has_gone = False

    async def watch() -> None:
        nonlocal has_gone
        while (await request.receive())["type"] != "http.disconnect":
            pass
        has_gone = True
        current.cancel()

    watcher = asyncio.ensure_future(watch())
    try:
        yield
    except asyncio.CancelledError:
        if not has_gone:
            raise
        current.uncancel()
        raise RequestCancelled("The client hung up before its answer was ready.") from None
    finally:
        watcher.cancel()
