"""The thread that runs a step loop, replaced when it dies."""

import threading
from collections.abc import Callable

import structlog

from inference.errors import LaneFailed
from inference.generation.loop import StepLoop
from inference.generation.queue import RowQueue

log = structlog.get_logger(__name__)

MAX_BACKOFF_S = 5.0
MAX_ESTIMATE_S = 60.0
CHECK_S = 0.1
"""How often deadlines are looked at while nothing can run."""


class StepThread:
    """One thread at a time; it ends when the queue is closed and nothing is left."""

    def __init__(
        self,
        name: str,
        loop: StepLoop,
        queue: RowQueue,
        clock: Callable[[], float],
        *,
        backoff_s: float,
    ) -> None:
        self._name = name
        self._loop = loop
        self._queue = queue
        self._clock = clock
        self._backoff_s = backoff_s
        self._closing = threading.Event()
        self._has_ended = threading.Event()
        self._is_aborted = False
        self._n_deaths_in_a_row = 0
        self._turn_began_at: float | None = None
        self.is_alive = False
        self.busy_s = 0.0
        """Seconds spent in turns so far."""

    def start(self) -> None:
        # A daemon, so that a pass that hangs for ever cannot keep the process from ending.
        thread = threading.Thread(target=self._live, name=self._name, daemon=True)
        self.is_alive = True
        try:
            thread.start()
        except RuntimeError:
            self.is_alive = False
            raise

    def close(self) -> None:
        """End when all is done; a restart no longer waits."""
        self._queue.close()
        self._closing.set()

    def abort(self) -> None:
        """End after the pass that runs now, whatever is left."""
        self._is_aborted = True
        self._queue.stir()

    def wait_ended(self, timeout_s: float) -> bool:
        return self._has_ended.wait(timeout_s)

    @property
    def turn_s(self) -> float:
        """For how long the present turn has run; 0 between turns."""
        began_at = self._turn_began_at
        return 0.0 if began_at is None else self._clock() - began_at

    def estimate_s(self, n_ahead: int) -> float:
        """Seconds until `n_ahead` sequences have been made, at the pace of the busy time so far."""
        if not self._loop.n_finished:
            return 0.0
        return min(MAX_ESTIMATE_S, self.busy_s / self._loop.n_finished * n_ahead)

    def _live(self) -> None:
        try:
            while self._step():
                pass
            self.is_alive = False
            self._has_ended.set()
        except BaseException as death:
            self._die(death)

    def _step(self) -> bool:
        if self._is_aborted:
            return False
        if self._loop.is_idle:
            if self._queue.is_closing:
                return False
            self._queue.wait(None)
            return True
        self._turn_began_at = began_at = self._clock()
        self._loop.turn()
        self._turn_began_at = None
        self.busy_s += self._clock() - began_at
        self._n_deaths_in_a_row = 0
        if self._loop.is_waiting and not self._loop.is_idle:
            self._queue.wait(CHECK_S)
        return True

    def _die(self, death: BaseException) -> None:
        self.is_alive = False
        self._turn_began_at = None
        log.error("generation.thread_died", thread=self._name, exc_info=death)
        self._loop.fail_running(
            lambda: LaneFailed("The thread that made this text died; send the request again.")
        )
        backoff_s = min(self._backoff_s * 2**self._n_deaths_in_a_row, MAX_BACKOFF_S)
        self._n_deaths_in_a_row += 1
        # While closing it restarts at once: what still waits has a right to be answered.
        self._closing.wait(backoff_s)
        self.start()
