"""Entries, the submissions they belong to, and how answers reach their callers.

Exactly once: a submission is settled only on the thread of its own event loop, and only while its
future is open. Lanes merely send parcels there, so no lock guards an answer, and whoever comes
second finds the future done.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from inference.engine.cost import CostModel
from inference.engine.ports import Encoded, Runner
from inference.errors import DeadlineExceeded, InferenceError

O = TypeVar("O")  # noqa: E741 - an output, as E is an encoded input


@dataclass(frozen=True, slots=True)
class Answered(Generic[O]):
    """One input's answer; `queue_s` is the wait before its batch, `inference_s` the batch's run."""

    output: O
    queue_s: float
    inference_s: float
    batch_size: int


Outcome: TypeAlias = Answered[O] | InferenceError


class Submission(Generic[O]):
    """What one caller waits for. All but the attributes set here belongs to the loop's thread."""

    __slots__ = ("deadline", "future", "loop", "n_open", "outcomes", "queued_at")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, n: int, *, queued_at: float, deadline: float
    ) -> None:
        self.loop = loop
        self.queued_at = queued_at
        self.deadline = deadline
        self.future: asyncio.Future[list[Outcome[O]]] = loop.create_future()
        self.outcomes: list[Outcome[O] | None] = [None] * n
        self.n_open = n

    def settle(self, position: int, outcome: Outcome[O]) -> None:
        """Keep one input's outcome; the last one wakes the caller."""
        if self.future.done() or self.outcomes[position] is not None:
            return
        self.outcomes[position] = outcome
        self.n_open -= 1
        if not self.n_open:
            self.future.set_result([each for each in self.outcomes if each is not None])

    def fail(self, error: InferenceError) -> None:
        """End the whole submission with `error`, unless it has ended."""
        if not self.future.done():
            self.future.set_exception(error)

    def expire(self) -> None:
        self.fail(make_deadline_error())


class Entry:
    """One tokenised text on its way through the queue."""

    __slots__ = ("encoded", "n_tokens", "position", "submission", "ticket")

    def __init__(self, submission: Submission[Any], position: int, encoded: Encoded) -> None:
        self.submission = submission
        self.position = position
        self.encoded = encoded
        self.n_tokens = encoded.n_tokens
        self.ticket = -1

    def is_awaited(self, now: float) -> bool:
        """Whether anybody still wants the answer; safe on any thread (it only reads)."""
        return now < self.submission.deadline and not self.submission.future.done()


@dataclass(slots=True, eq=False)
class Batch:
    """Entries of one runner that run together."""

    runner: Runner[Any, Any]
    cost: CostModel
    entries: list[Entry]
    taken_at: float
    padded_tokens: int
    real_tokens: int


def make_deadline_error() -> DeadlineExceeded:
    return DeadlineExceeded("The answer could not be ready before the request's deadline.")


def deliver(batch: Batch, outcomes: Sequence[object], inference_s: float) -> None:
    """Send every entry's output or error to its caller: one wake-up for each event loop."""
    n = len(batch.entries)
    parcels: dict[asyncio.AbstractEventLoop, list[tuple[Entry, Outcome[Any]]]] = {}
    for entry, outcome in zip(batch.entries, outcomes, strict=True):
        if not isinstance(outcome, InferenceError):
            queue_s = batch.taken_at - entry.submission.queued_at
            outcome = Answered(outcome, queue_s, inference_s, n)
        parcels.setdefault(entry.submission.loop, []).append((entry, outcome))
    for loop, parcel in parcels.items():
        _call(loop, _unpack, parcel)


def deliver_failure(entries: Iterable[Entry], make_error: Callable[[], InferenceError]) -> None:
    """End the submissions of `entries`, each with an error of its own."""
    for submission in {entry.submission for entry in entries}:
        _call(submission.loop, submission.fail, make_error())


def _unpack(parcel: list[tuple[Entry, Outcome[Any]]]) -> None:
    for entry, outcome in parcel:
        entry.submission.settle(entry.position, outcome)


def _call(loop: asyncio.AbstractEventLoop, callback: Callable[..., None], argument: object) -> None:
    # A closed loop has no caller left to tell.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback, argument)
