"""Prompts in, text out: the one door of the generation runtime."""

import asyncio
import math
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from inference.engine.limits import Priority
from inference.errors import DeadlineExceeded, ShuttingDown, TooManyInputs
from inference.generation.beams import BeamLane
from inference.generation.delivery import Subscription, watched
from inference.generation.events import (
    Event,
    FailedEvent,
    FinishEvent,
    Generated,
    Outcome,
    TokenEvent,
)
from inference.generation.eventstream import EventStream
from inference.generation.limits import GenerationLimits, check_size
from inference.generation.loop import StepLoop
from inference.generation.options import MAX_SEED, GenerationOptions, refuse
from inference.generation.ports import GenerationModel, Plan, Prompt
from inference.generation.queue import RowQueue
from inference.generation.rows import SequenceRow
from inference.generation.thread import StepThread

__all__ = [
    "Event",
    "EventStream",
    "FailedEvent",
    "FinishEvent",
    "Generated",
    "GenerationLimits",
    "GenerationOptions",
    "Generator",
    "Outcome",
    "Priority",
    "Prompt",
    "TokenEvent",
]

END_S = 1.0
"""How long `close` waits for threads after it has told them to stop."""
DRAIN_CHECK_S = 0.02


def draw_seed() -> int:
    """Return a seed for a caller who has named none: 32 bits, which every JSON reader keeps."""
    return secrets.randbits(32)


class Generator:
    """One loaded model and the requests that share it. `clock` gives seconds, never goes back and
    is the deadlines' too.

    Its threads hold the model: `close` it, then drop it, to get the memory back.
    """

    def __init__(
        self,
        model: GenerationModel,
        limits: GenerationLimits | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        draw_seed: Callable[[], int] = draw_seed,
        name: str = "model",
    ) -> None:
        self._model = model
        self._limits = limits or GenerationLimits()
        self._clock = clock
        self._draw_seed = draw_seed
        self._queue = RowQueue(self._limits, clock, lambda n: self._thread.estimate_s(n))
        self._loop = StepLoop(model, self._queue, self._limits, clock)
        self._thread = StepThread(
            f"bellwether-generate-{name}",
            self._loop,
            self._queue,
            clock,
            backoff_s=self._limits.restart_backoff_s,
        )
        self._beams = BeamLane(model, self._limits, clock)
        self._started_at: float | None = None
        self._is_closing = False
        self._n_open = 0
        self._lock = threading.Lock()

    # Life.

    def start(self) -> None:
        """Start the threads, once. Raises RuntimeError for a second start or one after `close`."""
        if self._started_at is not None or self._is_closing:
            raise RuntimeError("A generator starts once; make a new one.")
        self._started_at = self._clock()
        self._thread.start()
        self._beams.start()

    def refuse(self) -> None:
        """Refuse new requests from now on; the threads end when nothing is left."""
        self._is_closing = True
        self._beams.refuse()
        self._thread.close()

    def close(self, timeout_s: float) -> bool:
        """Refuse new requests, finish the present ones, stop the threads; True if none was left.

        Blocks for at most `timeout_s` and a moment; then whatever is left fails with ShuttingDown.
        Call it from a thread that is not the event loop's, or answers arrive only after it returns.
        """
        ends_at = time.monotonic() + timeout_s
        self.refuse()
        is_drained = self._started_at is not None and self._thread.wait_ended(timeout_s)
        if not is_drained:
            self._thread.abort()
            has_ended = self._started_at is None or self._thread.wait_ended(END_S)
            if has_ended:
                self._loop.fail_running(_make_closing_error)
            self._loop.fail_waiting(_make_closing_error)
        return self._beams.close(max(0.0, ends_at - time.monotonic())) and is_drained

    async def wait_drained(self, *, timeout_s: float) -> bool:
        """Wait until nothing waits or runs; False if that takes longer."""
        ends_at = time.monotonic() + timeout_s
        while not self.is_drained:
            if time.monotonic() >= ends_at:
                return False
            await asyncio.sleep(DRAIN_CHECK_S)
        return True

    @property
    def is_drained(self) -> bool:
        return self._n_open == 0

    @property
    def is_healthy(self) -> bool:
        """Started, not closing, its threads alive and none in a pass beyond `max_step_s`."""
        return (
            not self._is_closing
            and self._thread.is_alive
            and self._thread.turn_s <= self._limits.max_step_s
            and self._beams.is_healthy
        )

    @property
    def device(self) -> str:
        return self._model.device

    @property
    def depth(self) -> int:
        """Sequences that wait."""
        return self._queue.n_rows + self._beams.depth

    @property
    def n_running(self) -> int:
        """Sequences that grow in the step loop."""
        return self._loop.n_rows

    @property
    def n_steps(self) -> int:
        """Forward passes of the step loop so far."""
        return self._loop.n_steps

    @property
    def n_tokens(self) -> int:
        """Tokens that the step loop has made so far."""
        return self._loop.n_tokens

    @property
    def max_cache_bytes(self) -> int:
        """What the step loop's caches may come to take; while rows join or leave, one cohort's
        part of it exists twice.
        """
        return self._limits.max_cached_tokens * self._model.cache_bytes_per_token

    # Requests.

    async def generate(
        self,
        prompts: Sequence[Prompt],
        options: GenerationOptions | None = None,
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
    ) -> list[Outcome]:
        """Return every prompt's sequences, in order, or InputFailed where that prompt alone fails.

        `deadline` is absolute, in seconds of the generator's clock. All-or-nothing otherwise;
        raises

        - InvalidRequest, TextTooLong, TooManyInputs, at once, for what can never be done;
        - QueueFull, at once, if the queue has no room for all of it;
        - DeadlineExceeded when the deadline passes first;
        - LaneFailed if the thread that ran it died; ShuttingDown while the generator closes;
        - ValueError for a deadline that is not a finite number, or prompts of different tasks.

        Cancelling the caller takes its rows out of the batch at the next step.
        """
        plans = self._plan(prompts, options or GenerationOptions(), deadline, is_streaming=False)
        if not plans:
            return []
        if plans[0].num_beams > 1:
            with self._opened():
                return await self._beams.submit(plans, deadline=deadline, priority=priority)
        with self._opened():
            subscription = self._put(plans, options, deadline, priority, is_streaming=False)
            with watched(subscription, self._queue.stir):
                await subscription.done
                return subscription.outcomes()

    def stream(
        self,
        prompts: Sequence[Prompt],
        options: GenerationOptions | None = None,
        *,
        deadline: float,
        priority: Priority = Priority.INTERACTIVE,
    ) -> "EventStream":
        """Return the events of every sequence as they are made; call it on an event loop's thread.

        Raises at once what `generate` raises at once, and while it is read what `generate` raises
        later. Beams cannot be streamed: where only a default asks for them, one is kept. Who does
        not read for `max_stall_s` while the buffer is full is cancelled (RequestCancelled).
        """
        plans = self._plan(prompts, options or GenerationOptions(), deadline, is_streaming=True)
        if plans and plans[0].num_beams > 1:
            raise refuse("num_beams", "cannot be streamed", "set it to 1 or do not stream")
        if not plans:
            raise TooManyInputs("There is no prompt to stream. Send one.")
        subscription = self._put(plans, options, deadline, priority, is_streaming=True)
        self._count_open(1)
        return EventStream(subscription, self._queue.stir, lambda: self._count_open(-1))

    def _plan(
        self,
        prompts: Sequence[Prompt],
        options: GenerationOptions,
        deadline: float,
        *,
        is_streaming: bool,
    ) -> list[Plan]:
        if not math.isfinite(deadline):
            raise ValueError(f"deadline must be a finite time, not {deadline}.")
        if self._is_closing or self._started_at is None:
            raise ShuttingDown("The model is being unloaded; send the request again.")
        if len({prompt.task for prompt in prompts}) > 1:
            raise ValueError("Prompts of one request must have the same task.")
        plans = [self._model.plan(prompt, options, is_streaming=is_streaming) for prompt in prompts]
        check_size(plans, self._limits)
        if deadline <= self._clock():
            raise DeadlineExceeded("The request's deadline had passed before it was queued.")
        return plans

    def _put(
        self,
        plans: Sequence[Plan],
        options: GenerationOptions | None,
        deadline: float,
        priority: Priority,
        *,
        is_streaming: bool,
    ) -> Subscription:
        asked = options.seed if options else None
        seed = self._draw_seed() if asked is None else asked
        subscription = Subscription(
            asyncio.get_running_loop(),
            len(plans),
            plans[0].n_sequences,
            queued_at=self._clock(),
            deadline=deadline,
            is_streaming=is_streaming,
        )
        rows = [
            SequenceRow(subscription, index, sequence, plan, (seed + sequence) % (MAX_SEED + 1))
            for index, plan in enumerate(plans)
            for sequence in range(plan.n_sequences)
        ]
        self._queue.put(priority, rows)
        return subscription

    @contextmanager
    def _opened(self) -> Iterator[None]:
        self._count_open(1)
        try:
            yield
        finally:
            self._count_open(-1)

    def _count_open(self, n: int) -> None:
        with self._lock:
            self._n_open += n


def _make_closing_error() -> ShuttingDown:
    return ShuttingDown("The server stopped before the text was finished.")
