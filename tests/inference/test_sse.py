"""Streams of events: what comes before the first one, and what ends them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from inference.errors import DeadlineExceeded, QueueFull
from inference.http.sse import DONE, EventResponse, EventStream


class Maker:
    """Events 0, 1 … `n` - 1, then `then` happens; says whether it was ended."""

    def __init__(self, n: int, then: BaseException | None = None, *, sleeps: bool = False) -> None:
        self._n, self._then, self._sleeps = n, then, sleeps
        self.is_ended = False

    async def events(self) -> AsyncGenerator[Any, None]:
        try:
            for number in range(self._n):
                yield {"n": number}
            if self._then is not None:
                raise self._then
            if self._sleeps:
                await asyncio.Event().wait()
        finally:
            self.is_ended = True


async def respond(
    maker: Maker, send: Any, *, idle_s: float = 5, gone: Any = None, **options: Any
) -> None:
    stream = await EventStream.begin(maker.events(), idle_s=idle_s)

    async def receive() -> Any:
        await (gone or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    response = EventResponse(stream, {"X-A": "b"}, "openai", "id", **options)
    await asyncio.wait_for(response({}, receive, send), 5)


def run(maker: Maker, **options: Any) -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(respond(maker, send, **options))
    return sent


def test_events_then_done_then_the_end() -> None:
    maker = Maker(2)
    start, *bodies = run(maker)
    assert (b"x-a", b"b") in start["headers"]
    assert [each["body"] for each in bodies] == [
        b'data: {"n":0}\n\n',
        b'data: {"n":1}\n\n',
        DONE,
        b"",
    ]
    assert [each["more_body"] for each in bodies] == [True, True, True, False]
    assert maker.is_ended


def test_no_events_are_a_stream_too() -> None:
    _, *bodies = run(Maker(0))
    assert [each["body"] for each in bodies] == [DONE, b""]


def test_an_error_before_the_first_event_is_raised() -> None:
    maker = Maker(0, QueueFull("full"))
    with pytest.raises(QueueFull):
        run(maker)
    assert maker.is_ended


def test_an_error_after_it_is_an_event() -> None:
    _, *bodies = run(Maker(1, QueueFull("full")))
    assert b'"message":"full"' in bodies[1]["body"]
    assert bodies[2]["body"] == DONE


def test_a_maker_that_is_silent_for_too_long_is_ended() -> None:
    first = Maker(0, sleeps=True)
    with pytest.raises(DeadlineExceeded):
        run(first, idle_s=0.01)
    later = Maker(1, sleeps=True)
    _, *bodies = run(later, idle_s=0.01)
    assert b"deadline_exceeded" in bodies[1]["body"]
    assert first.is_ended
    assert later.is_ended


def test_a_client_that_takes_nothing_is_given_up() -> None:
    maker = Maker(3)

    async def send(message: Any) -> None:
        if message.get("body"):
            await asyncio.Event().wait()

    asyncio.run(respond(maker, send, write_timeout_s=0.01))
    assert maker.is_ended


def test_a_client_that_hangs_up_ends_the_maker() -> None:
    maker = Maker(1, sleeps=True)

    async def main() -> None:
        gone = asyncio.Event()

        async def send(message: Any) -> None:
            if message.get("body"):
                gone.set()

        await respond(maker, send, gone=gone)

    asyncio.run(main())
    assert maker.is_ended


def test_a_server_that_stops_ends_the_maker() -> None:
    maker = Maker(1, sleeps=True)

    async def main() -> None:
        started = asyncio.Event()

        async def send(message: Any) -> None:
            started.set()

        task = asyncio.create_task(respond(maker, send))
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert maker.is_ended
