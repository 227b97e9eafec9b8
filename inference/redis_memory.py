"""What models gave, kept in Redis: shared by replicas, gone when they are old.

Redis is asked on the way to an answer, so it gets little time; while it does not answer, everything
is computed as if there were none.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from inference.caching import Key, Outputs, n_bytes
from inference.tasks.ports import Forwarded

log = logging.getLogger(__name__)

PREFIX = b"bellwether:outputs:"
TIMEOUT_S = 0.05
# After a failure Redis is left alone for this long.
REST_S = 5.0
MAX_ENTRY_BYTES = 1024 * 1024


class _Output(msgspec.Struct, array_like=True, frozen=True):
    shape: list[int]
    logits: bytes
    embedding: bytes


class RedisMemory:
    """See `caching.Memory`; entries live for `max_age_s`, how many is for Redis to bound."""

    def __init__(
        self, url: str, max_age_s: float, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        from redis.asyncio import Redis

        self._redis: Any = Redis.from_url(
            url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
        )
        self._max_age_ms, self._clock = max(1, round(max_age_s * 1000)), clock
        self._rests_until = 0.0

    async def get(self, keys: Sequence[Key]) -> list[Outputs | None]:
        found = await self._ask(lambda: self._redis.mget([PREFIX + key for key in keys]))
        return [None if each is None else _decode(each) for each in found or [None] * len(keys)]

    async def put(self, found: Sequence[tuple[Key, Outputs]]) -> None:
        small = [(key, each) for key, each in found if n_bytes(each) <= MAX_ENTRY_BYTES]
        if small:
            pipeline = self._redis.pipeline(transaction=False)
            for key, outputs in small:
                pipeline.set(PREFIX + key, _encode(outputs), px=self._max_age_ms)
            await self._ask(pipeline.execute)

    async def _ask(self, question: Callable[[], Any]) -> Any:
        if self._clock() < self._rests_until:
            return None
        try:
            return await question()
        except Exception as error:
            self._rests_until = self._clock() + REST_S
            log.warning("Redis keeps no answers for now: %s", type(error).__name__)
            return None


def _encode(outputs: Outputs) -> bytes:
    rows = [
        _Output(
            list(each.logits.shape),
            each.logits.astype("<f4").tobytes(),
            each.embedding.astype("<f4").tobytes(),
        )
        for each in outputs
    ]
    return msgspec.msgpack.encode(rows)


def _decode(value: bytes) -> Outputs | None:
    try:
        rows = msgspec.msgpack.decode(value, type=list[_Output])
        return tuple(
            Forwarded(
                np.frombuffer(row.logits, "<f4").reshape(row.shape),
                np.frombuffer(row.embedding, "<f4"),
            )
            for row in rows
        )
    except (msgspec.MsgspecError, ValueError):
        # Somebody else's bytes under our name: computed anew.
        return None
