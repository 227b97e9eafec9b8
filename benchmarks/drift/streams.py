"""Quiet streams and shifted ones, as rows of a service's sample. Pure.

A reference never shares a row with its stream. For delays it is drawn at random from all of the
base texts; what is left keeps its source's order, or is cut into blocks whose order is drawn anew.
For false alarms it is what came before the stream. Each row comes at most once, so a quiet window
differs from the reference by chance and by what the source's own order holds, and by nothing else.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.drift.embedding import Integers
from benchmarks.drift.services import Service

BLOCK = 50
RAMP_LENGTH = 4_000
Rng = np.random.Generator
Arrange = Callable[[Integers, Rng], Integers]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Rows of the base: those of the `reference`, and all others, in the order of arrival."""

    reference: Integers
    rest: Integers


def split(base: Integers, n_reference: int, rng: Rng) -> Split:
    """Draw a reference; ValueError where nothing would be left."""
    if n_reference >= len(base):
        raise ValueError(f"{len(base)} rows hold no reference of {n_reference} and a stream")
    is_reference = np.zeros(len(base), np.bool_)
    is_reference[rng.permutation(len(base))[:n_reference]] = True
    return Split(base[is_reference], base[~is_reference])


def in_source_order(rows: Integers, rng: Rng) -> Integers:
    """All rows in their order, from a random place round to it again."""
    return np.roll(rows, -int(rng.integers(len(rows))))


def in_blocks(rows: Integers, rng: Rng, length: int = BLOCK) -> Integers:
    """All rows, cut into runs of `length` whose order is random."""
    blocks = np.array_split(in_source_order(rows, rng), max(1, len(rows) // length))
    return np.concatenate([blocks[place] for place in rng.permutation(len(blocks))])


def history(base: Integers, n_reference: int, rng: Rng) -> Split:
    """The first `n_reference` of the base, from a random place on, and what came after them."""
    rows = in_source_order(base, rng)
    return Split(rows[:n_reference], rows[n_reference:])


def shuffled_history(base: Integers, n_reference: int, rng: Rng) -> Split:
    """The same after blocks of the base were put in a random order: no trend is left."""
    rows = in_blocks(base, rng)
    return Split(rows[:n_reference], rows[n_reference:])


HISTORIES: Mapping[str, Callable[[Integers, int, Rng], Split]] = {
    "source": history,
    "blocks": shuffled_history,
}
"""As in service: the reference is the traffic before the stream, in its order."""
ORDERS: Mapping[str, Arrange] = {"source": in_source_order, "blocks": in_blocks}


@dataclass(frozen=True, slots=True)
class Shift:
    """Each item becomes one of `pool` with probability `share`; it grows to that over
    `ramp` items where that is not 0. `pool` may be a class of the base: see `pool_rows`.
    """

    name: str
    pool: str
    share: float
    ramp: int = 0

    def shares(self, n: int) -> np.ndarray:
        if not self.ramp:
            return np.full(n, self.share)
        return self.share * np.minimum(np.arange(n) / self.ramp, 1)


ONE_CLASS = "one class"
SHIFTS = (
    Shift("foreign topic 3 %", "foreign topic", 0.03),
    Shift("foreign topic 10 %", "foreign topic", 0.10),
    Shift("foreign topic 20 %", "foreign topic", 0.20),
    Shift("foreign language 5 %", "foreign language", 0.05),
    Shift("typing and scanning errors 20 %", "mistyped", 0.20),
    Shift("cut texts 20 %", "shortened", 0.20),
    Shift("class mix 20 %", ONE_CLASS, 0.20),
    Shift("new class 10 %", "new class", 0.10),
    Shift("other domain", "other domain", 1.0),
    Shift("template spam 5 %", "spam", 0.05),
    Shift("ramp 0-30 %", "foreign topic", 0.30, ramp=RAMP_LENGTH),
)


def pool_rows(service: Service, shift: Shift, rest: Integers) -> Integers:
    """The rows that `shift` brings in; of one class, those that the reference does not hold."""
    if shift.pool != ONE_CLASS:
        return service.pools[shift.pool]
    chosen: Integers = rest[service.sample.actual[rest] == 0]
    return chosen


def shifted(rows: Integers, pool: Integers, shift: Shift, start: int, rng: Rng) -> Integers:
    """The stream `rows` with items of `pool` from place `start` on."""
    n = len(rows) - start
    is_replaced = rng.random(n) < shift.shares(n)
    drawn = np.resize(rng.permutation(pool), int(is_replaced.sum()))
    changed = rows.copy()
    changed[start:][is_replaced] = drawn
    return changed
