"""A runtime without a model: deterministic answers, scripted failures, a memory of what it ran."""

import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FakeEncoded:
    """Token ids, as a tokenizer would give them."""

    ids: tuple[int, ...]

    @property
    def n_tokens(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class FakeOutput:
    """`score` in [0, 1) depends on the runner's seed and the ids, on nothing else."""

    ids: tuple[int, ...]
    score: float


Script = Callable[[Sequence[FakeEncoded]], BaseException | None]


class FakeRunner:
    """Answers from the ids alone, so that batching, order and versions can be checked.

    `delay_s(padded_tokens)` is slept before each answer, through `sleep`. `script` sees each batch
    and may return an exception for `forward` to raise: an Exception for a poison input, SystemExit
    for a dying lane. `gate`, when given, holds every pass until it is set, for at most
    `max_hold_s`. `batches` lists what was asked, also what failed; `entered` is set once a pass has
    begun.
    """

    is_far = False

    def __init__(
        self,
        *,
        seed: int = 0,
        delay_s: Callable[[int], float] | None = None,
        sleep: Callable[[float], None] = time.sleep,
        script: Script | None = None,
        gate: threading.Event | None = None,
        max_hold_s: float = 30.0,
    ) -> None:
        self.seed = seed
        self.batches: list[tuple[FakeEncoded, ...]] = []
        self.entered = threading.Event()
        self._delay_s = delay_s
        self._sleep = sleep
        self._script = script
        self._gate = gate
        self._max_hold_s = max_hold_s

    def forward(self, batch: Sequence[FakeEncoded], /) -> list[FakeOutput]:
        """One FakeOutput for every input; raises what the script says."""
        self.batches.append(tuple(batch))
        self.entered.set()
        if self._gate is not None:
            self._gate.wait(self._max_hold_s)
        if self._delay_s is not None:
            self._sleep(self._delay_s(max(each.n_tokens for each in batch) * len(batch)))
        error = self._script(batch) if self._script is not None else None
        if error is not None:
            raise error
        return [self.answer(each) for each in batch]

    def answer(self, encoded: FakeEncoded) -> FakeOutput:
        """What this runner answers to one input, in whatever batch."""
        digest = zlib.crc32(repr((self.seed, encoded.ids)).encode())
        return FakeOutput(encoded.ids, digest / 2**32)


def raise_on(
    is_guilty: Callable[[FakeEncoded], bool], make_error: Callable[[], BaseException]
) -> Script:
    """A script that fails every batch with a guilty input in it."""

    def script(batch: Sequence[FakeEncoded]) -> BaseException | None:
        return make_error() if any(is_guilty(each) for each in batch) else None

    return script
