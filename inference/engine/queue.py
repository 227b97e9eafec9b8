"""The bounded queue between callers and lanes. Every public method is thread safe."""

import itertools
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from inference.engine.batching import choose_group
from inference.engine.cost import CostModel
from inference.engine.entries import Batch, Entry
from inference.engine.groups import Group
from inference.engine.limits import EngineLimits, Priority
from inference.engine.ports import Runner
from inference.errors import QueueFull, ShuttingDown, TextTooLong, TooManyInputs

MIN_RETRY_S = 0.1
"""Retry-After where the prediction is shorter, or nothing has been measured yet."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a lane got: a batch to run, and entries dropped on the way to it."""

    batch: Batch | None
    dropped: list[Entry]


class Queue:
    """Entries that wait, bounded by count and tokens, and the batches that run.

    Nobody but an idle lane ever blocks here: `put` accepts all of a request or refuses it at once.
    """

    def __init__(self, limits: EngineLimits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        lock = threading.Lock()
        self._work = threading.Condition(lock)
        self._quiet = threading.Condition(lock)
        self._groups: dict[tuple[int, Priority], Group] = {}
        self._running: set[Batch] = set()
        self._tickets = itertools.count()
        # Weak keys: a version that is unloaded must not be kept in memory by its cost.
        self._costs: weakref.WeakKeyDictionary[Runner[Any, Any], CostModel] = (
            weakref.WeakKeyDictionary()
        )
        self.n_queued = 0
        self.n_tokens = 0
        self.is_closing = False
        self.last_forward_at: float | None = None

    def put(self, runner: Runner[Any, Any], priority: Priority, entries: Sequence[Entry]) -> None:
        """Add all entries of one submission, or none.

        Raises QueueFull (with `retry_after_s`) where they exceed the room left or could not be
        reached before their deadline, TooManyInputs or TextTooLong where they exceed even an empty
        queue, ShuttingDown while closing.
        """
        n, n_tokens = len(entries), sum(entry.n_tokens for entry in entries)
        with self._work:
            if self.is_closing:
                raise ShuttingDown("The server is shutting down; send the request again.")
            self._check_room(priority, n, n_tokens)
            submission = entries[0].submission
            self._check_wait(priority, submission.deadline - submission.queued_at)
            for entry in entries:
                entry.ticket = next(self._tickets)
            self._resolve_group(runner, priority).add(entries)
            self._count(n, n_tokens)
            self._work.notify(n)

    def take(self) -> Taken | None:
        """Wait for work and take it; None once the queue is closing and empty."""
        with self._work:
            while True:
                taken = self._take_now()
                if taken is not None or self.is_closing:
                    return taken
                self._work.wait()

    def finish(self, batch: Batch, *, seconds: float | None) -> None:
        """The batch has ended; `seconds` is None where it failed and its time teaches nothing."""
        with self._work:
            self._running.discard(batch)
            if seconds is not None:
                self.last_forward_at = self._clock()
                batch.cost.observe(
                    padded_tokens=batch.padded_tokens,
                    real_tokens=batch.real_tokens,
                    seconds=seconds,
                )
            self._quiet.notify_all()

    def discard(
        self, runner: Runner[Any, Any], priority: Priority, entries: Sequence[Entry]
    ) -> int:
        """Remove those entries of one submission that still wait; how many that were."""
        with self._work:
            group = self._groups.get((id(runner), priority))
            removed = group.discard(entries) if group else []
            if group is not None and not group:
                del self._groups[id(runner), priority]
            self._count(-len(removed), -sum(entry.n_tokens for entry in removed))
            self._quiet.notify_all()
            return len(removed)

    def close(self) -> None:
        """Refuse what comes from now on; lanes end when nothing waits."""
        with self._work:
            self.is_closing = True
            self._work.notify_all()

    def pop_all(self) -> list[Entry]:
        """Remove everything that waits; return it with the entries that still run."""
        with self._work:
            left = [entry for group in self._groups.values() for entry in group.entries]
            self._groups.clear()
            self.n_queued = self.n_tokens = 0
            return left + [entry for batch in self._running for entry in batch.entries]

    def is_drained(self, runner: Runner[Any, Any] | None = None) -> bool:
        """Whether no entry of `runner` (None: of any) waits or runs."""
        with self._work:
            return self._is_drained(runner)

    def wait_drained(self, runner: Runner[Any, Any] | None, timeout_s: float) -> bool:
        """Block until `is_drained(runner)`; False if that takes longer."""
        with self._quiet:
            return self._quiet.wait_for(lambda: self._is_drained(runner), timeout_s)

    def estimate_wait_s(self, priority: Priority) -> float:
        """Predicted seconds until a lane reaches work of `priority` that comes now."""
        with self._work:
            return self._estimate_wait_s(priority)

    def get_longest_run_s(self) -> float:
        """For how long the oldest running batch has run; 0 if none runs."""
        with self._work:
            now = self._clock()
            return max((now - batch.taken_at for batch in self._running), default=0.0)

    def _check_room(self, priority: Priority, n: int, n_tokens: int) -> None:
        room, token_room = self._limits.get_room(priority)
        if n > room:
            raise TooManyInputs(f"{n} inputs are more than a request may hold ({room}); split it.")
        if n_tokens > token_room:
            error = TextTooLong if n == 1 else TooManyInputs
            raise error(f"{n_tokens} tokens are more than a request may hold ({token_room}).")
        over, token_over = self.n_queued + n - room, self.n_tokens + n_tokens - token_room
        if over > 0 or token_over > 0:
            # The share of what waits that must have run before this request fits.
            share = max(over / max(self.n_queued, 1), token_over / max(self.n_tokens, 1))
            raise self._refuse(min(share, 1.0) * self._estimate_wait_s(max(Priority)))

    def _check_wait(self, priority: Priority, budget_s: float) -> None:
        wait_s = self._estimate_wait_s(priority)
        if wait_s > budget_s:
            raise self._refuse(wait_s)

    def _refuse(self, wait_s: float) -> QueueFull:
        retry_after_s = max(wait_s, MIN_RETRY_S)
        return QueueFull(
            f"Too much work is waiting; try again in {retry_after_s:.1f} s.",
            details={"n_queued": self.n_queued, "n_queued_tokens": self.n_tokens},
            retry_after_s=retry_after_s,
        )

    def _estimate_wait_s(self, priority: Priority) -> float:
        if len(self._running) < self._limits.n_lanes and not self._groups:
            return 0.0
        now = self._clock()
        running = (
            max(0.0, batch.cost.predict(batch.padded_tokens) - (now - batch.taken_at))
            for batch in self._running
        )
        ahead = (
            group.estimate_drain_s(self._limits)
            for group in self._groups.values()
            if group.priority <= priority
        )
        return (sum(running) + sum(ahead)) / self._limits.n_lanes

    def _resolve_group(self, runner: Runner[Any, Any], priority: Priority) -> Group:
        group = self._groups.get((id(runner), priority))
        if group is None:
            cost = self._costs.get(runner)
            if cost is None:
                cost = self._costs[runner] = CostModel()
            group = Group(runner, priority, cost, self._clock())
            self._groups[id(runner), priority] = group
        return group

    def _take_now(self) -> Taken | None:
        now = self._clock()
        dropped: list[Entry] = []
        while self._groups:
            group = choose_group(self._groups.values(), now=now, max_age_s=self._limits.max_age_s)
            entries, dead = group.take(self._limits, now)
            dropped += dead
            if not group:
                del self._groups[id(group.runner), group.priority]
            removed = (*entries, *dead)
            self._count(-len(removed), -sum(entry.n_tokens for entry in removed))
            if entries:
                return Taken(self._start(group, entries, now), dropped)
        if dropped:
            self._quiet.notify_all()
            return Taken(None, dropped)
        return None

    def _start(self, group: Group, entries: list[Entry], now: float) -> Batch:
        lengths = [entry.n_tokens for entry in entries]
        padded = max(lengths) * len(lengths)
        batch = Batch(group.runner, group.cost, entries, now, padded, sum(lengths))
        self._running.add(batch)
        return batch

    def _count(self, n: int, n_tokens: int) -> None:
        self.n_queued += n
        self.n_tokens += n_tokens

    def _is_drained(self, runner: Runner[Any, Any] | None) -> bool:
        owners = [group.runner for group in self._groups.values()]
        owners += [batch.runner for batch in self._running]
        return not owners if runner is None else all(owner is not runner for owner in owners)
