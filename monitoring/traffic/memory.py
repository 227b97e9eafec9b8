"""What a writer remembers between transactions, so that a record costs no query of its own.

All of it may be lost at any time: a writer that starts anew asks the database again, keeps a few
exemplars more than it must, and does not recognise repeats of texts from before. What is remembered
of records is remembered after their transaction, never before.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

K = TypeVar("K")
V = TypeVar("V")
Ranks = npt.NDArray[np.int64]
VersionKey = tuple[str, int]
SlotKey = tuple[str, int, datetime]

REPEATS_PER_MODEL = 20_000
MOST_MODELS = 64
MOST_SLOTS = 512
MOST_FACTS = 512


class Repeats:
    """The fingerprints of the latest texts of each model; 0 is no fingerprint."""

    def __init__(self, size: int = REPEATS_PER_MODEL, n_models: int = MOST_MODELS) -> None:
        self._size, self._n_models = size, n_models
        self._seen: dict[str, dict[int, None]] = {}
        self._lock = threading.Lock()

    def flags(self, model: str, fingerprints: Sequence[int]) -> list[bool]:
        """Which of `fingerprints`, in their order, are of a text that came before."""
        known = self._seen.get(model, {})
        here: set[int] = set()
        flags = []
        for each in fingerprints:
            flags.append(each != 0 and (each in here or each in known))
            here.add(each)
        return flags

    def remember(self, model: str, fingerprints: Sequence[int]) -> None:
        with self._lock:
            seen = self._seen[model] = self._seen.pop(model, {})
            for each in fingerprints:
                seen.pop(each, None)
                seen[each] = None
            _drop_oldest(seen, self._size)
            _drop_oldest(self._seen, self._n_models)


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The lowest ranks of a slot, and how many rows lie in the database because of them."""

    ranks: Ranks
    n_rows: int


class Reservoirs:
    """The lowest ranks that this writer has kept of each slot."""

    def __init__(self, n_slots: int = MOST_SLOTS) -> None:
        self._n_slots = n_slots
        self._drawn: dict[SlotKey, _Drawn] = {}
        self._lock = threading.Lock()

    def threshold(self, slot: SlotKey, ranks: Ranks, size: int) -> int | None:
        """The highest rank of `ranks` that is still among the `size` lowest of its slot.

        None where all are; there may be rows above it that were among the lowest before.
        """
        together = self._with(slot, ranks)
        return None if len(together) <= size else int(np.partition(together, size - 1)[size - 1])

    def is_full(self, slot: SlotKey, n_new: int, size: int) -> bool:
        """Whether, with `n_new` more rows, half of the slot's rows could go."""
        drawn = self._drawn.get(slot)
        return (drawn.n_rows if drawn else 0) + n_new >= 2 * size

    def remember(self, slot: SlotKey, ranks: Ranks, size: int, *, is_trimmed: bool) -> None:
        with self._lock:
            lowest = np.sort(self._with(slot, ranks))[:size]
            before = self._drawn.pop(slot, None)
            n_rows = len(lowest) if is_trimmed else (before.n_rows if before else 0) + len(ranks)
            self._drawn[slot] = _Drawn(lowest, n_rows)
            _drop_oldest(self._drawn, self._n_slots)

    def _with(self, slot: SlotKey, ranks: Ranks) -> Ranks:
        drawn = self._drawn.get(slot)
        return ranks if drawn is None else np.concatenate([drawn.ranks, ranks])


class Facts(Generic[K, V]):
    """Answers of the database that may be `age_s` old."""

    def __init__(self, age_s: float, clock: Callable[[], float]) -> None:
        self._age_s, self._clock = age_s, clock
        self._known: dict[K, tuple[float, V]] = {}

    def get(self, key: K, load: Callable[[V | None], V]) -> V:
        """What is known of `key`; `load` gets what was known before, and says what is now."""
        until, value = self._known.get(key, (-np.inf, None))
        if value is not None and self._clock() < until:
            return value
        loaded = load(value)
        self._known.pop(key, None)
        self._known[key] = self._clock() + self._age_s, loaded
        _drop_oldest(self._known, MOST_FACTS)
        return loaded

    def forget(self, key: K) -> None:
        self._known.pop(key, None)


def _drop_oldest(entries: dict[K, V], size: int) -> None:
    while len(entries) > size:
        entries.pop(next(iter(entries)), None)
