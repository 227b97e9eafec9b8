"""How events and results reach their callers.

Exactly once: a subscription is settled only on the thread of its own event loop, and only while it
is open. The model's thread sends parcels there, one wake-up for each event loop and step, so no
lock guards an answer. What a reader has left unread is counted by two numbers with one writer each.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from inference.errors import DeadlineExceeded, InferenceError
from inference.generation.events import Event, FailedEvent, Generated, Outcome


class Subscription:
    """What one caller waits for: `outcomes` of all prompts, and `events` where it streams.

    All but what `is_awaited`, `n_unread` and `paused_at` say belongs to the event loop's thread.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        n_prompts: int,
        n_sequences: int,
        *,
        queued_at: float,
        deadline: float,
        is_streaming: bool,
    ) -> None:
        self.loop = loop
        self.queued_at = queued_at
        self.deadline = deadline
        self.is_streaming = is_streaming
        self.is_closed = False
        self.done: asyncio.Future[None] = loop.create_future()
        self.paused_at: float | None = None
        """Since when nobody reads; the model thread's alone."""
        self._n_sent = 0
        self._n_read = 0
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._open = n_prompts * n_sequences
        self._outcomes: list[list[Generated | InferenceError | None]] = [
            [None] * n_sequences for _ in range(n_prompts)
        ]

    # The model's thread.

    def is_awaited(self, now: float) -> bool:
        """Whether anybody still wants it; safe on any thread (it only reads)."""
        return now < self.deadline and not self.is_closed

    @property
    def n_unread(self) -> int:
        """Events sent and not read; safe on any thread, at worst a moment old."""
        return self._n_sent - self._n_read

    def count_sent(self, n: int) -> None:
        self._n_sent += n

    # The event loop's thread.

    def push(self, event: Event) -> None:
        if not self.is_closed:
            self._events.append(event)
            self._arrived.set()

    def settle(self, index: int, sequence: int, outcome: Generated | InferenceError) -> None:
        """Keep one sequence's outcome; the last one ends the subscription."""
        if self.is_closed or self._outcomes[index][sequence] is not None:
            return
        self._outcomes[index][sequence] = outcome
        if self.is_streaming and isinstance(outcome, InferenceError):
            self.push(FailedEvent(index=index, sequence=sequence, error=outcome))
        self._open -= 1
        if not self._open:
            self._end(None)

    def fail(self, error: InferenceError) -> None:
        """End all of it with `error`, unless it has ended."""
        if not self.is_closed:
            self._end(error)

    def expire(self) -> None:
        self.fail(make_deadline_error())

    def close(self) -> None:
        """Nobody waits any more: the rows leave at the next step."""
        if not self.is_closed:
            self._end(None)

    def _end(self, error: InferenceError | None) -> None:
        self.is_closed = True
        if not self.done.done():
            if error is None:
                self.done.set_result(None)
            else:
                self.done.set_exception(error)
                # A reader that has left asks nobody why.
                self.done.exception()
        self._arrived.set()

    def outcomes(self) -> list[Outcome]:
        """One for every prompt, in order, once `done`."""
        return [_outcome(sequences) for sequences in self._outcomes]

    async def read(self) -> Event | None:
        """Return the next event; None after the last. Raises what ended the subscription."""
        while not self._events:
            if self.is_closed:
                self.done.result()
                return None
            self._arrived.clear()
            await self._arrived.wait()
        self._n_read += 1
        return self._events.popleft()


def _outcome(sequences: list[Generated | InferenceError | None]) -> Outcome:
    done: list[Generated] = []
    for each in sequences:
        if isinstance(each, InferenceError):
            return each
        if each is not None:
            done.append(each)
    return tuple(done)


class Parcels:
    """What one step has for its callers, sent with one call for each event loop."""

    def __init__(self) -> None:
        self._by_loop: dict[
            asyncio.AbstractEventLoop, list[tuple[Callable[..., None], tuple[Any, ...]]]
        ] = {}

    def push(self, subscription: Subscription, event: Event) -> None:
        subscription.count_sent(1)
        self._add(subscription, subscription.push, event)

    def settle(
        self,
        subscription: Subscription,
        index: int,
        sequence: int,
        outcome: Generated | InferenceError,
    ) -> None:
        self._add(subscription, subscription.settle, index, sequence, outcome)

    def fail(self, subscription: Subscription, error: InferenceError) -> None:
        self._add(subscription, subscription.fail, error)

    def send(self) -> None:
        """Hand everything over; what comes for a closed event loop has no reader left."""
        by_loop, self._by_loop = self._by_loop, {}
        for loop, calls in by_loop.items():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(_unpack, calls)

    def _add(self, subscription: Subscription, call: Callable[..., None], *arguments: Any) -> None:
        self._by_loop.setdefault(subscription.loop, []).append((call, arguments))


def _unpack(calls: Iterable[tuple[Callable[..., None], tuple[Any, ...]]]) -> None:
    for call, arguments in calls:
        call(*arguments)


@contextlib.contextmanager
def watched(subscription: Subscription, stir: Callable[[], None]) -> Iterator[None]:
    """Wake its waiter at the deadline; whoever leaves the block early takes its rows out."""
    # One timer a request, and only to wake the caller: the loop drops late rows by itself.
    timer = subscription.loop.call_later(
        subscription.deadline - subscription.queued_at, subscription.expire
    )
    try:
        yield
    finally:
        timer.cancel()
        if not subscription.is_closed:
            subscription.close()
            stir()


def make_deadline_error() -> DeadlineExceeded:
    return DeadlineExceeded("The text could not be finished before the request's deadline.")
