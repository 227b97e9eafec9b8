"""Waiting entries of one runner and one priority. Not thread safe: the queue guards it."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any, TypeAlias

from inference.engine.batching import N_CANDIDATES, choose_batch
from inference.engine.cost import CostModel
from inference.engine.entries import Entry
from inference.engine.limits import EngineLimits, Priority
from inference.engine.ports import Runner

# (deadline, ticket, entry): tickets differ, so a comparison never reaches an entry.
Item: TypeAlias = tuple[float, int, Entry]


class Group:
    """Entries that may share a batch, the earliest deadline first."""

    def __init__(
        self, runner: Runner[Any, Any], priority: Priority, cost: CostModel, now: float
    ) -> None:
        self.runner = runner
        self.priority = priority
        self.cost = cost
        self.waiting_since = now
        self.n_tokens = 0
        self._items: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    @property
    def deadline(self) -> float:
        return self._items[0][0]

    @property
    def entries(self) -> list[Entry]:
        return [item[2] for item in self._items]

    def add(self, entries: Sequence[Entry]) -> None:
        """Add entries of one submission: equal deadlines, tickets in a row."""
        deadline = entries[0].submission.deadline
        place = bisect_left(self._items, (deadline, entries[0].ticket))
        self._items[place:place] = [(deadline, entry.ticket, entry) for entry in entries]
        self.n_tokens += sum(entry.n_tokens for entry in entries)

    def take(self, limits: EngineLimits, now: float) -> tuple[list[Entry], list[Entry]]:
        """Remove and return the next batch's entries, and those that nobody waits for any more."""
        live: list[Item] = []
        dead: list[Item] = []
        for item in self._items[:N_CANDIDATES]:
            (live if item[2].is_awaited(now) else dead).append(item)
        lengths = [item[2].n_tokens for item in live]
        fixed = self.cost.fixed_tokens if len(live) > 1 else math.inf
        chosen = choose_batch(lengths, limits, fixed_tokens=fixed) if live else []
        stay = sorted(set(range(len(live))).difference(chosen))
        self._items[:N_CANDIDATES] = [live[position] for position in stay]
        taken = [live[position][2] for position in chosen]
        dropped = [item[2] for item in dead]
        self.n_tokens -= sum(entry.n_tokens for entry in (*taken, *dropped))
        if taken:
            self.waiting_since = now
        return taken, dropped

    def discard(self, entries: Sequence[Entry]) -> list[Entry]:
        """Remove and return those entries of one submission that still wait."""
        deadline = entries[0].submission.deadline
        start = bisect_left(self._items, (deadline, entries[0].ticket))
        end = bisect_left(self._items, (deadline, entries[-1].ticket + 1))
        removed = [item[2] for item in self._items[start:end]]
        del self._items[start:end]
        self.n_tokens -= sum(entry.n_tokens for entry in removed)
        return removed

    def estimate_drain_s(self, limits: EngineLimits) -> float:
        """Seconds that one lane would need for everything here."""
        return self.cost.predict_drain(
            len(self._items),
            self.n_tokens,
            max_batch=limits.max_batch,
            max_batch_tokens=limits.max_batch_tokens,
        )
