"""Outputs in a real Redis: shared, bounded in time, and never in the way."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import uuid4

import numpy as np
import pytest

from inference.caching import Outputs
from inference.redis_memory import MAX_ENTRY_BYTES, PREFIX, REST_S, RedisMemory
from inference.tasks.ports import Forwarded

T = TypeVar("T")
OUTPUTS: Outputs = (
    Forwarded(np.arange(6, dtype=np.float32).reshape(2, 3), np.ones(4, np.float32)),
    Forwarded(np.zeros(3, np.float32), np.zeros(0, np.float32)),
)


@pytest.fixture
def url() -> str:
    pytest.importorskip("redis", reason="the redis extra is not installed")
    address = os.environ.get("REDIS_URL")
    if not address:
        pytest.skip("needs a Redis: set REDIS_URL")
    return address


def run(memory: RedisMemory, scene: Callable[[], Awaitable[T]]) -> T:
    async def whole() -> T:
        try:
            return await scene()
        finally:
            await memory._redis.aclose()

    return asyncio.run(whole())  # type: ignore[arg-type]


def test_what_one_replica_keeps_another_finds(url: str) -> None:
    ours, theirs, key = RedisMemory(url, 60), RedisMemory(url, 60), uuid4().bytes

    async def scene() -> Any:
        await ours.put([(key, OUTPUTS)])
        await ours._redis.aclose()
        return await theirs.get([key, uuid4().bytes])

    found, missing = run(theirs, scene)
    assert missing is None
    for one, other in zip(found, OUTPUTS, strict=True):
        np.testing.assert_array_equal(one.logits, other.logits)
        np.testing.assert_array_equal(one.embedding, other.embedding)


def test_entries_end_by_themselves(url: str) -> None:
    memory, key = RedisMemory(url, 60), uuid4().bytes

    async def scene() -> Any:
        await memory.put([(key, OUTPUTS)])
        return await memory._redis.pttl(PREFIX + key)

    assert 0 < run(memory, scene) <= 60_000


def test_what_is_very_large_is_not_sent(url: str) -> None:
    memory, key = RedisMemory(url, 60), uuid4().bytes
    large = (Forwarded(np.zeros(MAX_ENTRY_BYTES, np.float32), np.zeros(0, np.float32)),)

    async def scene() -> Any:
        await memory.put([(key, large)])
        return await memory.get([key])

    assert run(memory, scene) == [None]


def test_foreign_bytes_under_our_name_are_computed_anew(url: str) -> None:
    memory, key = RedisMemory(url, 60), uuid4().bytes

    async def scene() -> Any:
        await memory._redis.set(PREFIX + key, b"\x93\x01", px=1000)
        return await memory.get([key])

    assert run(memory, scene) == [None]


def test_a_redis_that_does_not_answer_is_left_alone_for_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pytest.importorskip("redis", reason="the redis extra is not installed")
    now = [0.0]
    memory = RedisMemory("redis://127.0.0.1:1/0", 60, clock=lambda: now[0])

    async def scene() -> Any:
        first = await memory.get([b"a", b"b"])
        await memory.put([(b"a", OUTPUTS)])
        n_warned = len(caplog.records)
        now[0] = REST_S
        await memory.get([b"a"])
        return first, n_warned, len(caplog.records)

    assert run(memory, scene) == ([None, None], 1, 2)
