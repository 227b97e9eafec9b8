"""What both planes share around a request: its id, its metrics, one log line, and the bounds of
its body.
"""

import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import structlog
import uuid_utils.compat as uuids

from access.errors import BellwetherError
from inference import metrics
from inference.http import codec
from inference.http.errors import body_of, headers_of, status_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

log = structlog.stdlib.get_logger("bellwether.request")
_ACCEPTED_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_LENGTH_HEADERS = frozenset({b"content-length", b"transfer-encoding"})
# Probes and scrapes come every few seconds and say nothing when all is well.
_QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/health", "/metrics"})


class Observed:
    """Gives each request an id (the client's `X-Request-Id` if it is usable), times, counts and
    logs it.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope["headers"])
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status, started = 500, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._observe(scope, status, time.perf_counter() - started)
            structlog.contextvars.unbind_contextvars("request_id")

    def _observe(self, scope: Message, status: int, seconds: float) -> None:
        route = scope["state"].get("route", "management")
        metrics.REQUESTS.labels(route, scope["method"], status).inc()
        metrics.REQUEST_SECONDS.labels(route).observe(seconds)
        if route in _QUIET_ROUTES and status < 400:
            return
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 2),
        )


def _request_id(headers: list[tuple[bytes, bytes]]) -> str:
    for name, value in headers:
        if name == b"x-request-id" and _ACCEPTED_ID.fullmatch(value):
            return value.decode()
    return uuids.uuid7().hex


class BufferedBody:
    """Hands the management plane whole bodies, read here with bounds on size and time.

    A thread of the WSGI pool never waits for a slow client then, and a chunked body, which WSGI
    would read as empty, arrives with its length.
    """

    def __init__(self, app: App, limit: int) -> None:
        self._app, self._limit = app, limit

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            body = await codec.read_body(receive, scope["headers"], self._limit)
        except BellwetherError as error:
            await _refuse(error, send)
            return
        kept = [pair for pair in scope["headers"] if pair[0] not in _LENGTH_HEADERS]
        headers = [*kept, (b"content-length", str(len(body)).encode())]

        async def receive_whole() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await self._app({**scope, "headers": headers}, receive_whole, send)


async def _refuse(error: BellwetherError, send: Send) -> None:
    body = codec.encode(body_of(error))
    headers = {
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
        **headers_of(error),
    }
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status_of(error), "headers": pairs})
    await send({"type": "http.response.body", "body": body})
