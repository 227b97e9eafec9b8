"""Which entries run next, and together. Pure: no clock, no lock, no thread."""

import math
from collections.abc import Collection, Sequence
from typing import Protocol, TypeVar

from inference.engine.limits import EngineLimits

N_CANDIDATES = 256
"""Entries looked at for one batch: choosing costs the same, however long the queue is."""


class Waiting(Protocol):
    """Entries of one runner and one priority that wait."""

    @property
    def priority(self) -> int: ...

    @property
    def deadline(self) -> float:
        """The earliest among them."""
        ...

    @property
    def waiting_since(self) -> float:
        """When they last got a batch, or began to wait."""
        ...


W = TypeVar("W", bound=Waiting)


def choose_group(groups: Collection[W], *, now: float, max_age_s: float) -> W:
    """The group whose turn it is: by priority, then deadline, unless one was passed over too long.

    A group that got no batch for `max_age_s` comes first (the longest waiting, if several), and
    then waits again like the others. So a flood of urgent work leaves the rest one batch every
    `max_age_s`, and a pile of old jobs does not hold up a person for more than one batch.
    """
    oldest = min(groups, key=lambda group: group.waiting_since)
    if len(groups) == 1 or now - oldest.waiting_since >= max_age_s:
        return oldest
    return min(groups, key=lambda group: (group.priority, group.deadline))


def choose_batch(
    lengths: Sequence[int], limits: EngineLimits, *, fixed_tokens: float = math.inf
) -> list[int]:
    """Positions in `lengths` that make the next batch, the head, 0, first.

    `lengths` are in tokens, the most urgent entry first. Entries nearest to the head in length join
    it while the batch keeps to `max_batch`, `max_batch_tokens` (longest times count) and
    `max_padding`; among equals the more urgent one. A head longer than the token budget runs
    alone. O(n log n).

    `fixed_tokens` is what a batch costs beside its padded tokens, in tokens (`CostModel`). An entry
    joins only where that does not raise the cost of a real token: where starting a batch is dear,
    padding is worth it, where tokens are dear, it is not. Infinity leaves it to the limits.
    """
    head = longest = total = lengths[0]
    chosen = [0]
    by_distance = sorted(range(1, len(lengths)), key=lambda i: abs(lengths[i] - head))
    for position in by_distance:
        if len(chosen) == limits.max_batch:
            break
        length = lengths[position]
        top = max(longest, length)
        padded = top * (len(chosen) + 1)
        if padded > limits.max_batch_tokens:
            continue
        if padded - total - length > limits.max_padding * padded:
            continue
        if (fixed_tokens + padded) * total > (fixed_tokens + longest * len(chosen)) * (
            total + length
        ):
            continue
        chosen.append(position)
        longest, total = top, total + length
    return chosen
