"""Requests in, answers out: the one door of the inference core."""

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from inference.engine.entries import Answered, Entry, Outcome, Submission, deliver_failure
from inference.engine.lane import Lane
from inference.engine.limits import EngineLimits, Priority
from inference.engine.observer import NullObserver, Observer, ShieldedObserver
from inference.engine.ports import Encoded, Runner
from inference.engine.queue import Queue
from inference.errors import DeadlineExceeded, ShuttingDown, Unavailable

__all__ = ["Answered", "Engine", "EngineLimits", "Outcome", "Priority"]

E = TypeVar("E", bound=Encoded)
O = TypeVar("O")  # noqa: E741 - an output, as E is an encoded input

END_S = 1.0
"""How long `close` waits for the lane of a drained queue to end."""


class Engine:
    """A queue and its lanes. `clock` gives seconds, never goes back and is the deadlines' too.

    With `far_limits`, runners that answer from another machine (`is_far`) get a queue and lanes of
    their own: a lane that waits for the network computes nothing, and must hold up nobody here.
    """

    def __init__(
        self,
        limits: EngineLimits,
        *,
        clock: Callable[[], float] = time.monotonic,
        observer: Observer | None = None,
        far_limits: EngineLimits | None = None,
    ) -> None:
        self._far = far_limits and Engine(far_limits, clock=clock, observer=observer)
        self._limits = limits
        self._clock = clock
        self._observer = ShieldedObserver(observer or NullObserver())
        self._queue = Queue(limits, clock)
        self._closing = threading.Event()
        self._lanes = [self._make_lane(index) for index in range(limits.n_lanes)]
        self._is_started = False

    def start(self) -> None:
        """Start the lanes, once. Raises RuntimeError for a second start, or one after `close`."""
        if self._is_started or self._closing.is_set():
            raise RuntimeError("An engine starts once; make a new one.")
        self._is_started = True
        for lane in self._lanes:
            lane.start()
        if self._far:
            self._far.start()

    def close(self, timeout_s: float) -> bool:
        """Refuse new requests, answer the waiting ones, stop the lanes; True if none was left.

        Blocks for at most `timeout_s` (and a moment for the threads to end); then whatever is left
        fails with ShuttingDown. Call it from a thread that is not the event loop's, or answers
        arrive only after it returns.
        """
        ends_at = time.monotonic() + timeout_s
        if self._far:
            self._far.refuse()
        self.refuse()
        is_drained = self._queue.wait_drained(None, timeout_s if self._is_started else 0.0)
        if not is_drained:
            deliver_failure(
                self._queue.pop_all(),
                lambda: ShuttingDown("The server stopped before the answer was ready."),
            )
        if self._is_started and is_drained:
            for lane in self._lanes:
                lane.wait_ended(END_S)
        if self._far:
            return self._far.close(max(0.0, ends_at - time.monotonic())) and is_drained
        return is_drained

    def refuse(self) -> None:
        """Refuse new requests from now on; the lanes end when nothing waits."""
        self._queue.close()
        self._closing.set()

    async def submit(
        self,
        runner: Runner[E, O],
        encoded: Sequence[E],
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
    ) -> list[Outcome[O]]:
        """Answer every input, in order: an Answered, or InputFailed where that input alone fails.

        `deadline` is absolute, in seconds of the engine's clock. All-or-nothing otherwise; raises

        - QueueFull, at once, if the queue has no room for all of it or cannot reach it in time;
        - TooManyInputs, TextTooLong, at once, if it exceeds even an empty queue;
        - DeadlineExceeded when the deadline passes first;
        - LaneFailed if the thread that ran it died; ShuttingDown while the engine closes;
        - ValueError for a deadline that is not a finite number.

        Cancelling the caller drops what still waits; what already runs is thrown away when it ends.
        """
        if not math.isfinite(deadline):
            raise ValueError(f"deadline must be a finite time, not {deadline}.")
        if not encoded:
            return []
        if self._far and runner.is_far:
            return await self._far.submit(runner, encoded, deadline=deadline, priority=priority)
        now = self._clock()
        loop = asyncio.get_running_loop()
        submission: Submission[O] = Submission(loop, len(encoded), queued_at=now, deadline=deadline)
        entries = [Entry(submission, position, each) for position, each in enumerate(encoded)]
        try:
            if deadline <= now:
                raise DeadlineExceeded("The request's deadline had passed before it was queued.")
            self._queue.put(runner, priority, entries)
            return await self._wait(submission, runner, priority, entries)
        except Unavailable as error:
            self._observer.refused(error.code)
            raise

    async def _wait(
        self,
        submission: Submission[O],
        runner: Runner[Any, O],
        priority: Priority,
        entries: Sequence[Entry],
    ) -> list[Outcome[O]]:
        # One timer a request, and only to wake the caller: lanes drop late entries by themselves.
        timer = submission.loop.call_later(
            submission.deadline - submission.queued_at, submission.expire
        )
        try:
            return await submission.future
        finally:
            timer.cancel()
            if submission.n_open and (n := self._queue.discard(runner, priority, entries)):
                self._observer.abandoned(n)

    def drained(self, runner: Runner[Any, Any]) -> bool:
        """Whether no entry of `runner` waits or runs, so that it may be unloaded."""
        return self._queue.is_drained(runner) and (not self._far or self._far.drained(runner))

    async def wait_drained(self, runner: Runner[Any, Any], *, timeout_s: float) -> bool:
        """Wait until `drained(runner)`; False if that takes longer. New entries prolong it."""
        if self._far and runner.is_far:
            return await self._far.wait_drained(runner, timeout_s=timeout_s)
        return await asyncio.to_thread(self._queue.wait_drained, runner, timeout_s)

    def estimate_wait_s(self, priority: Priority = Priority.INTERACTIVE) -> float:
        """Predicted seconds in the queue for a request that comes now; 0 before any measurement."""
        return self._queue.estimate_wait_s(priority)

    @property
    def is_healthy(self) -> bool:
        """Started, not closing, all lanes alive and none in a batch beyond `max_forward_s`.

        Far runners do not count: what ails another machine is no fault of this one.
        """
        return (
            not self._closing.is_set()
            and all(lane.is_alive for lane in self._lanes)
            and self._queue.get_longest_run_s() <= self._limits.max_forward_s
        )

    @property
    def last_forward_at(self) -> float | None:
        """When the last batch without a failure ended, on the engine's clock."""
        return self._queue.last_forward_at

    @property
    def depth(self) -> int:
        """Entries that wait."""
        return self._queue.n_queued + (self._far.depth if self._far else 0)

    @property
    def queued_tokens(self) -> int:
        """Tokens that wait, padding not counted."""
        return self._queue.n_tokens + (self._far.queued_tokens if self._far else 0)

    def _make_lane(self, index: int) -> Lane:
        return Lane(
            f"bellwether-lane-{index}",
            self._queue,
            self._observer,
            self._clock,
            backoff_s=self._limits.restart_backoff_s,
            closing=self._closing,
        )
