"""The bounded queue between callers and the step loop. Every public method is thread safe."""

import threading
from collections.abc import Callable, Iterable, Sequence

from inference.engine.limits import Priority
from inference.errors import QueueFull, ShuttingDown, TooManyInputs
from inference.generation.limits import GenerationLimits
from inference.generation.rows import SequenceRow

MIN_RETRY_S = 0.1
"""Retry-After where the prediction is shorter, or nothing has been measured yet."""


class RowQueue:
    """Rows that wait, bounded by count and prompt tokens; most urgent first, then oldest.

    Nobody but the idle loop ever blocks here: `put` accepts all of a request or refuses it at once.
    """

    def __init__(
        self,
        limits: GenerationLimits,
        clock: Callable[[], float],
        estimate_s: Callable[[int], float],
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._estimate_s = estimate_s
        self._changed = threading.Condition()
        self._rows: dict[Priority, list[SequenceRow]] = {each: [] for each in Priority}
        self._is_stirred = False
        self.n_tokens = 0
        self.n_rows = 0
        self.is_closing = False

    def put(self, priority: Priority, rows: Sequence[SequenceRow]) -> None:
        """Add all rows of one request, or none.

        Raises QueueFull (with `retry_after_s`) where they exceed the room left, TooManyInputs where
        they exceed even an empty queue, ShuttingDown while closing.
        """
        n, n_tokens = len(rows), sum(row.plan.prompt.n_tokens for row in rows)
        with self._changed:
            if self.is_closing:
                raise ShuttingDown("The model is being unloaded; send the request again.")
            self._check_room(priority, n, n_tokens)
            self._rows[priority].extend(rows)
            self._count(n, n_tokens)
            self._is_stirred = True
            self._changed.notify_all()

    def head(self, n: int) -> list[SequenceRow]:
        """Return the next `n` rows in the order in which they should start; they stay queued."""
        with self._changed:
            return self._ordered()[:n]

    def take(self, rows: Iterable[SequenceRow]) -> None:
        """Remove rows that `head` has shown."""
        taken = {id(row) for row in rows}
        with self._changed:
            self._drop(lambda row: id(row) in taken)

    def take_dead(self, now: float) -> list[SequenceRow]:
        """Remove and return the rows that nobody waits for any more."""
        with self._changed:
            return self._drop(lambda row: not row.subscription.is_awaited(now))

    def pop_all(self) -> list[SequenceRow]:
        """Remove and return everything that waits."""
        with self._changed:
            return self._drop(lambda row: True)

    def close(self) -> None:
        """Refuse what comes from now on."""
        with self._changed:
            self.is_closing = self._is_stirred = True
            self._changed.notify_all()

    def stir(self) -> None:
        """Wake the loop: a reader has made room, or somebody has left."""
        with self._changed:
            self._is_stirred = True
            self._changed.notify_all()

    def wait(self, timeout_s: float | None) -> None:
        """Block until somebody comes, leaves or reads, or for `timeout_s`."""
        with self._changed:
            if not self._is_stirred:
                self._changed.wait(timeout_s)
            self._is_stirred = False

    def _check_room(self, priority: Priority, n: int, n_tokens: int) -> None:
        share = 1.0 if priority == Priority.INTERACTIVE else self._limits.low_priority_share
        room = max(1, int(self._limits.max_queue * share))
        token_room = max(1, int(self._limits.max_queue_tokens * share))
        if n > room or n_tokens > token_room:
            raise TooManyInputs(
                f"{n} sequences with {n_tokens} prompt tokens are more than a request may hold "
                f"({room}, {token_room}); split it."
            )
        if self.n_rows + n <= room and self.n_tokens + n_tokens <= token_room:
            return
        retry_after_s = max(MIN_RETRY_S, self._estimate_s(self.n_rows))
        raise QueueFull(
            f"Too much work is waiting; try again in {retry_after_s:.1f} s.",
            details={"n_queued": self.n_rows, "n_queued_tokens": self.n_tokens},
            retry_after_s=retry_after_s,
        )

    def _ordered(self) -> list[SequenceRow]:
        old = self._clock() - self._limits.max_age_s
        urgent: list[SequenceRow] = []
        rest: list[SequenceRow] = []
        for priority in Priority:
            for row in self._rows[priority]:
                (urgent if row.subscription.queued_at <= old else rest).append(row)
        urgent.sort(key=lambda row: row.subscription.queued_at)
        return urgent + rest

    def _drop(self, is_wanted: Callable[[SequenceRow], bool]) -> list[SequenceRow]:
        dropped: list[SequenceRow] = []
        for priority, rows in self._rows.items():
            gone = [row for row in rows if is_wanted(row)]
            if gone:
                self._rows[priority] = [row for row in rows if not is_wanted(row)]
                dropped += gone
        self._count(-len(dropped), -sum(row.plan.prompt.n_tokens for row in dropped))
        return dropped

    def _count(self, n: int, n_tokens: int) -> None:
        self.n_rows += n
        self.n_tokens += n_tokens
