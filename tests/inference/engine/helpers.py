"""What the engine's tests share: tokens to send, a clock to turn, an observer to ask."""

import asyncio
import contextlib
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from inference.engine.engine import Engine
from inference.engine.entries import Entry, Submission
from inference.engine.limits import EngineLimits
from inference.runtimes.fake import FakeEncoded, FakeRunner

PATIENCE_S = 10.0
"""Longer than anything here takes; a test that waits this long has failed."""


def encode(*lengths: int, first_id: int = 0) -> list[FakeEncoded]:
    """One input for each length; ids differ between positions and between `first_id`s."""
    return [
        FakeEncoded((first_id + position, *[7] * (length - 1)))
        for position, length in enumerate(lengths)
    ]


def make_entries(
    loop: asyncio.AbstractEventLoop,
    encoded: Sequence[FakeEncoded],
    *,
    queued_at: float = 0.0,
    deadline: float = 1e9,
) -> list[Entry]:
    """Entries of one submission, as `Engine.submit` makes them."""
    submission: Submission[Any] = Submission(
        loop, len(encoded), queued_at=queued_at, deadline=deadline
    )
    return [Entry(submission, position, each) for position, each in enumerate(encoded)]


class FakeClock:
    """A clock that stands still until told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Tally:
    """An observer that counts."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int, int]] = []
        self.refusals: Counter[str] = Counter()
        self.n_abandoned = 0

    def batch_done(self, n: int, padded_tokens: int, real_tokens: int, inference_s: float) -> None:
        self.batches.append((n, padded_tokens, real_tokens))

    def refused(self, code: str) -> None:
        self.refusals[code] += 1

    def abandoned(self, n: int) -> None:
        self.n_abandoned += n


@contextlib.asynccontextmanager
async def running(
    limits: EngineLimits | None = None, observer: Tally | None = None
) -> AsyncIterator[Engine]:
    """A started engine; whatever a future complains of on the event loop fails the test."""
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    engine = Engine(limits or EngineLimits(), observer=observer)
    engine.start()
    try:
        yield engine
    finally:
        await asyncio.to_thread(engine.close, PATIENCE_S)
        await asyncio.sleep(0)
        assert not complaints


@contextlib.asynccontextmanager
async def held(engine: Engine, runner: FakeRunner, gate: threading.Event) -> AsyncIterator[None]:
    """Keep the only lane busy with an input of id 0 until the body sets `gate`."""
    blocker = asyncio.create_task(engine.submit(runner, encode(2), deadline=soon()))
    await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
    try:
        yield
    finally:
        gate.set()
        await blocker


async def eventually(is_true: Callable[[], bool]) -> None:
    """Let the loop and the lanes go on until `is_true()`."""
    end = time.monotonic() + PATIENCE_S
    while not is_true():
        assert time.monotonic() < end, "waited too long"
        await asyncio.sleep(0.001)


def soon() -> float:
    """A deadline that no test reaches."""
    return time.monotonic() + PATIENCE_S
