"""A call whose answer is told while it is written: every event as it comes, the answer at the end.

The answer is recorded before it is told, like any other; who leaves early ends the writing.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from inference.calls import Answer, Call, Started
from inference.errors import InvalidRequest
from inference.generation.events import FinishEvent, TokenEvent
from inference.service import Service

Told = Started | TokenEvent | FinishEvent | Answer
WRITES = "text-generation"
# Events that a reader may leave unread; then the writing of this text pauses.
MAX_UNREAD = 64


async def stream(service: Service, call: Call) -> AsyncGenerator[Told, None]:
    """Tell Started, then tokens and the end of each sequence, then the Answer.

    Raises what `Service.predict` raises, when it does. Closing the generator ends the writing.
    """
    unread: asyncio.Queue[Told] = asyncio.Queue(MAX_UNREAD)
    answering = asyncio.ensure_future(service.predict(replace(call, tell=unread.put)))
    try:
        while not (answering.done() and unread.empty()):
            reading = asyncio.ensure_future(unread.get())
            try:
                await asyncio.wait({reading, answering}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                # A task that has what it waited for is not undone by this.
                reading.cancel()
            if not reading.cancelled() and reading.done():
                yield reading.result()
        yield answering.result()
    finally:
        answering.cancel()
        await asyncio.gather(answering, return_exceptions=True)


def check_writes(service: Service, model: str) -> None:
    """Raise InvalidRequest unless `model` goes on texts; also what `Service.kind_of` raises."""
    kind = service.kind_of(model)
    if kind.name != WRITES:
        raise InvalidRequest(
            f"{model} does {kind.name}; only a {WRITES} model goes on texts. Name one of those, or "
            "use the path of the task.",
            details={"field": "model", "task": kind.name},
        )
