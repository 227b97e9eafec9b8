"""Server-sent events: an answer that leaves while it is still being made.

Nothing is sent before the first event is there, so what goes wrong until then is an error like any
other, with its own status. Later it can only be said in band: as an event that holds the error in
the dialect's shape. `data: [DONE]` ends every stream that reaches its end, but the Open Inference
Protocol's, which ends by closing.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from access.errors import BellwetherError
from inference.errors import DeadlineExceeded, InternalError
from inference.http import codec
from inference.http.errors import Dialect, body_of

log = logging.getLogger(__name__)
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DONE = b"data: [DONE]\n\n"
# A client that takes nothing for so long has gone, whatever its connection says.
WRITE_TIMEOUT_S = 30.0


class EventStream:
    """Events of which the first is there. `close` ends what makes them, wherever it is."""

    def __init__(self, first: Any, rest: AsyncGenerator[Any, None], idle_s: float) -> None:
        self._first, self._rest, self._idle_s = first, rest, idle_s

    @classmethod
    async def begin(cls, events: AsyncGenerator[Any, None], *, idle_s: float) -> "EventStream":
        """Await the first of `events`, each anything that msgspec encodes.

        Raises what the making of it raises, and DeadlineExceeded when an event takes longer than
        `idle_s`; so does the iteration.
        """
        try:
            return cls(await _next(events, idle_s), events, idle_s)
        except BaseException:
            await events.aclose()
            raise

    async def __aiter__(self) -> AsyncIterator[Any]:
        event = self._first
        while event is not _END:
            yield event
            event = await _next(self._rest, self._idle_s)

    async def close(self) -> None:
        await self._rest.aclose()


_END = object()


async def _next(events: AsyncGenerator[Any, None], idle_s: float) -> Any:
    try:
        async with asyncio.timeout(idle_s):
            return await anext(events, _END)
    except TimeoutError:
        raise DeadlineExceeded(
            f"No more of the answer was ready within {idle_s:g} s. Try again, or ask for less."
        ) from None


class EventResponse:
    """An ASGI response that writes a stream, and ends it as soon as nobody reads any more."""

    def __init__(
        self,
        stream: EventStream,
        headers: dict[str, str],
        dialect: Dialect,
        request_id: str,
        *,
        write_timeout_s: float = WRITE_TIMEOUT_S,
    ) -> None:
        self._stream, self._headers = stream, headers
        self._dialect, self._request_id = dialect, request_id
        self._write_timeout_s = write_timeout_s

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        writing = asyncio.ensure_future(self._write(send))
        watching = asyncio.ensure_future(_hung_up(receive))
        try:
            await asyncio.wait({writing, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            writing.cancel()
            watching.cancel()
            outcome, _ = await asyncio.gather(writing, watching, return_exceptions=True)
            await self._stream.close()
        if isinstance(outcome, Exception):
            log.info("the client of a stream is gone: %s", outcome or type(outcome).__name__)

    async def _write(self, send: Send) -> None:
        headers = {
            "Content-Type": "text/event-stream; charset=utf-8",
            "Cache-Control": "no-cache",
            # Else nginx keeps events until it has a buffer full of them.
            "X-Accel-Buffering": "no",
            **self._headers,
        }
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await self._send(send, {"type": "http.response.start", "status": 200, "headers": pairs})
        async for frame in self._frames():
            await self._send(send, {"type": "http.response.body", "body": frame, "more_body": True})
        await self._send(send, {"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send, message: Message) -> None:
        async with asyncio.timeout(self._write_timeout_s):
            await send(message)

    async def _frames(self) -> AsyncIterator[bytes]:
        try:
            async for event in self._stream:
                yield _frame(event)
        except BellwetherError as error:
            yield _frame(body_of(error, self._dialect))
        except Exception:
            log.exception("bug in a stream")
            yield _frame(body_of(InternalError.during(self._request_id), self._dialect))
        if self._dialect != "oip":
            yield DONE


def _frame(event: Any) -> bytes:
    return b"data: " + codec.encode(event) + b"\n\n"


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
