"""The same question asked twice is computed once: while it runs, and for a while after.

What is shared is what the model gave, before it is made an answer: every caller gets an answer with
an id of its own. A key names the version by its digest, so a promotion leaves nothing stale behind.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from inference.engine.engine import Engine
from inference.engine.limits import Priority
from inference.errors import DeadlineExceeded
from inference.gathering import Gathered, gather
from inference.predictor import Predictor
from inference.tasks.inputs import Input
from inference.tasks.ports import Forwarded, Prepared, flatten

Key = bytes
Outputs = tuple[Forwarded, ...]
# What an entry costs beside its numbers, roughly: keys, arrays' headers, the order.
_ENTRY_BYTES = 600


class Memory(Protocol):
    """Keeps outputs for a while; never raises, and forgets rather than grows."""

    async def get(self, keys: Sequence[Key]) -> list[Outputs | None]:
        """What is known of each key, in order."""
        ...

    async def put(self, found: Sequence[tuple[Key, Outputs]]) -> None: ...


class LocalMemory:
    """In this process: the latest used `max_bytes`, each for `max_age_s`."""

    def __init__(
        self, max_bytes: int, max_age_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_bytes, self._max_age_s, self._clock = max_bytes, max_age_s, clock
        self._kept: OrderedDict[Key, tuple[float, int, Outputs]] = OrderedDict()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    async def get(self, keys: Sequence[Key]) -> list[Outputs | None]:
        return [self._get(key) for key in keys]

    async def put(self, found: Sequence[tuple[Key, Outputs]]) -> None:
        for key, outputs in found:
            self._drop(key)
            size = _ENTRY_BYTES + sum(
                each.logits.nbytes + each.embedding.nbytes for each in outputs
            )
            if size <= self._max_bytes:
                self._kept[key] = (self._clock(), size, outputs)
                self.n_bytes += size
        while self.n_bytes > self._max_bytes:
            self._drop(next(iter(self._kept)))

    def _get(self, key: Key) -> Outputs | None:
        if (entry := self._kept.get(key)) is None:
            return None
        if self._clock() - entry[0] > self._max_age_s:
            self._drop(key)
            return None
        self._kept.move_to_end(key)
        return entry[2]

    def _drop(self, key: Key) -> None:
        if entry := self._kept.pop(key, None):
            self.n_bytes -= entry[1]


def n_bytes(outputs: Outputs) -> int:
    return sum(each.logits.nbytes + each.embedding.nbytes for each in outputs)


@dataclass(slots=True)
class _Run:
    """Something that is computed now; `waiters` get it, or None where it came to nothing."""

    loop: asyncio.AbstractEventLoop
    priority: Priority
    waiters: list["asyncio.Future[Gathered | None]"] = field(default_factory=list)

    def settle(self, gathered: Gathered | None) -> None:
        for waiter in self.waiters:
            if not waiter.done():
                waiter.set_result(gathered)


class Sharing:
    """Stands before the engine. Used on event loops only; one loop's runs are not another's."""

    def __init__(self, engine: Engine, memory: Memory | None = None) -> None:
        self._engine, self._memory = engine, memory
        self._running: dict[Key, _Run] = {}

    async def forward(
        self,
        predictor: Predictor,
        prepared: Sequence[Prepared],
        keys: Sequence[Key],
        *,
        deadline: float,
        priority: Priority,
    ) -> list[Gathered]:
        """What the model gives for each input; raises as Engine.submit does, and an input's error.

        `keys` are from `key_of`, one an input; `deadline` is on `time.monotonic`.
        """
        found: dict[int, Gathered] = await self._remembered(keys)
        joined: dict[int, asyncio.Future[Gathered | None]] = {}
        own: dict[Key, int] = {}
        loop = asyncio.get_running_loop()
        for at, key in enumerate(keys):
            if at in found or key in own:
                continue
            run = self._running.get(key)
            # Who is urgent does not wait for what is not.
            if run is not None and run.loop is loop and run.priority <= priority:
                joined[at] = loop.create_future()
                run.waiters.append(joined[at])
            else:
                own[key] = at
        limits = {"deadline": deadline, "priority": priority}
        if own:
            found |= await self._run(loop, predictor, prepared, own, **limits)
        if joined:
            found |= await self._join(predictor, prepared, joined, **limits)
        for at, key in enumerate(keys):
            if at not in found:
                # Twice in one request.
                found[at] = found[own[key]].shared()
        return [found[at] for at in range(len(keys))]

    async def _remembered(self, keys: Sequence[Key]) -> dict[int, Gathered]:
        if self._memory is None:
            return {}
        known = await self._memory.get(keys)
        return {
            at: Gathered(outputs, 0.0, 0.0, 0.0, is_cached=True)
            for at, outputs in enumerate(known)
            if outputs is not None
        }

    async def _run(
        self,
        loop: asyncio.AbstractEventLoop,
        predictor: Predictor,
        prepared: Sequence[Prepared],
        own: dict[Key, int],
        **limits: Any,
    ) -> dict[int, Gathered]:
        runs = {key: _Run(loop, limits["priority"]) for key in own}
        self._running |= runs
        results: dict[int, Gathered] = {}
        try:
            results = await self._compute(predictor, prepared, list(own.values()), **limits)
        finally:
            for key, run in runs.items():
                if self._running.get(key) is run:
                    del self._running[key]
                run.settle(results.get(own[key]))
        if self._memory is not None:
            await self._memory.put([(key, tuple(results[at].outputs)) for key, at in own.items()])
        return results

    async def _join(
        self,
        predictor: Predictor,
        prepared: Sequence[Prepared],
        joined: dict[int, "asyncio.Future[Gathered | None]"],
        **limits: Any,
    ) -> dict[int, Gathered]:
        """What others compute; what came to nothing there (they hung up, say) is computed here."""
        try:
            async with asyncio.timeout(max(0.0, limits["deadline"] - time.monotonic())):
                shared = await asyncio.gather(*joined.values())
        except TimeoutError:
            raise DeadlineExceeded(
                "The answer could not be ready before the request's deadline."
            ) from None
        found = {
            at: gathered.shared()
            for at, gathered in zip(joined, shared, strict=True)
            if gathered is not None
        }
        missing = [at for at in joined if at not in found]
        if missing:
            found |= await self._compute(predictor, prepared, missing, **limits)
        return found

    async def _compute(
        self, predictor: Predictor, prepared: Sequence[Prepared], places: list[int], **limits: Any
    ) -> dict[int, Gathered]:
        chosen = [prepared[at] for at in places]
        outcomes = await self._engine.submit(predictor, flatten(chosen), **limits)
        return dict(zip(places, gather(chosen, outcomes, places), strict=True))


def key_of(predictor: Predictor, item: Input, parameters: bytes) -> Key:
    """128 bits that stand for an input to a version; equal for equal questions only."""
    spec = predictor.spec
    asked = hashlib.blake2b(digest_size=16)
    for part in (
        spec.digest.encode(),
        predictor.runtime.device.encode(),
        parameters,
        msgspec.json.encode(item),
    ):
        asked.update(len(part).to_bytes(8, "big"))
        asked.update(part)
    return asked.digest()
