"""A thread that takes a batch, runs it and sends the answers home, again and again."""

import threading
from collections.abc import Callable

import structlog

from inference.engine.bisecting import forward_each
from inference.engine.entries import Batch, Entry, deliver, deliver_failure, make_deadline_error
from inference.engine.observer import Observer
from inference.engine.queue import Queue
from inference.errors import InferenceError, LaneFailed

log = structlog.get_logger(__name__)

MAX_BACKOFF_S = 5.0


class Lane:
    """One thread at a time, replaced when it dies; it never waits while work does."""

    def __init__(
        self,
        name: str,
        queue: Queue,
        observer: Observer,
        clock: Callable[[], float],
        *,
        backoff_s: float,
        closing: threading.Event,
    ) -> None:
        self._name = name
        self._queue = queue
        self._observer = observer
        self._clock = clock
        self._backoff_s = backoff_s
        self._closing = closing
        self._batch: Batch | None = None
        self._n_deaths_in_a_row = 0
        self._has_ended = threading.Event()
        self.is_alive = False

    def start(self) -> None:
        # A daemon, so that a forward pass that hangs for ever cannot keep the process from ending.
        thread = threading.Thread(target=self._live, name=self._name, daemon=True)
        self.is_alive = True
        try:
            thread.start()
        except RuntimeError:
            self.is_alive = False
            raise

    def wait_ended(self, timeout_s: float) -> bool:
        """Wait until the lane, restarts and all, ended: the queue is closed and empty."""
        return self._has_ended.wait(timeout_s)

    def _live(self) -> None:
        try:
            while self._step():
                pass
            self.is_alive = False
            self._has_ended.set()
        except BaseException as death:
            self._die(death)

    def _step(self) -> bool:
        # The batch is a local of this call: an idle lane holds no runner in memory.
        taken = self._queue.take()
        if taken is None:
            return False
        self._batch = taken.batch
        if taken.dropped:
            self._drop(taken.dropped)
        if taken.batch is not None:
            self._run(taken.batch)
        return True

    def _drop(self, entries: list[Entry]) -> None:
        # Most of their callers have gone; for the others the deadline has passed.
        deliver_failure(entries, make_deadline_error)
        self._observer.abandoned(len(entries))

    def _run(self, batch: Batch) -> None:
        started_at = self._clock()
        outcomes = forward_each(batch.runner, [entry.encoded for entry in batch.entries])
        inference_s = self._clock() - started_at
        has_failed = any(isinstance(outcome, InferenceError) for outcome in outcomes)
        self._queue.finish(batch, seconds=None if has_failed else inference_s)
        deliver(batch, outcomes, inference_s)
        self._batch = None
        self._n_deaths_in_a_row = 0
        self._observer.batch_done(
            len(batch.entries), batch.padded_tokens, batch.real_tokens, inference_s
        )

    def _die(self, death: BaseException) -> None:
        self.is_alive = False
        if self._batch is not None:
            self._queue.finish(self._batch, seconds=None)
            deliver_failure(
                self._batch.entries,
                lambda: LaneFailed("The thread that ran this request died; send it again."),
            )
            self._batch = None
        log.error("engine.lane_died", lane=self._name, exc_info=death)
        backoff_s = min(self._backoff_s * 2**self._n_deaths_in_a_row, MAX_BACKOFF_S)
        self._n_deaths_in_a_row += 1
        # While closing it restarts at once: what still waits has a right to be answered.
        self._closing.wait(backoff_s)
        self.start()
