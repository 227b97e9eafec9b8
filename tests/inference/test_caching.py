"""The same question is computed once, and answered to everybody who asks it."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from inference.caching import LocalMemory, Outputs, key_of
from inference.calls import NO_PARAMETERS, Call
from inference.engine.limits import Priority
from inference.errors import DeadlineExceeded
from inference.service import Service
from inference.tasks.inputs import TextPair
from inference.tasks.ports import Forwarded
from tests.inference.conftest import Plane, a_plane
from tests.inference.doubles import a_predictor, a_spec

CLOCK_S = 5.0


def call(*texts: Any, parameters: bytes = b"{}") -> Call:
    return Call(
        model="team/model",
        inputs=texts,
        parameters=msgspec.Raw(parameters),
        request_id="r",
        dialect="native",
        key_id="k",
        timeout_s=CLOCK_S,
    )


@pytest.fixture
def gate() -> threading.Event:
    return threading.Event()


@pytest.fixture
def plane(gate: threading.Event) -> Iterator[Plane]:
    with a_plane(gate=gate) as plane:
        yield plane
        gate.set()


async def all_of(plane: Plane, gate: threading.Event, calls: list[Call]) -> list[Any]:
    """Answers to calls that are all asked before the first of them is computed."""
    tasks = [asyncio.create_task(plane.service.predict(each)) for each in calls]
    await asyncio.sleep(0.05)
    gate.set()
    return await asyncio.gather(*tasks, return_exceptions=True)


def n_computed(plane: Plane) -> int:
    runtime: Any = plane.predictor.runtime
    return sum(map(len, runtime.batches))


def test_what_many_ask_at_once_is_computed_once(plane: Plane, gate: threading.Event) -> None:
    answers = asyncio.run(all_of(plane, gate, [call("good film")] * 20))
    assert n_computed(plane) == 1
    ids = {answer.predictions[0].id for answer in answers}
    assert len(ids) == 20
    records = plane.recorder.records
    assert {record.id for record in records} == ids
    assert sorted(record.is_cached for record in records) == [False] + [True] * 19
    assert {record.label for record in records} == {"POSITIVE"}


def test_a_text_twice_in_one_request_is_computed_once(plane: Plane, gate: threading.Event) -> None:
    (answer,) = asyncio.run(all_of(plane, gate, [call("good", "bad", "good")]))
    assert n_computed(plane) == 2
    labels = [each.decoded.label for each in answer.predictions]
    assert labels == ["POSITIVE", "NEGATIVE", "POSITIVE"]
    assert len({each.id for each in answer.predictions}) == 3


def test_other_parameters_are_another_question(plane: Plane, gate: threading.Event) -> None:
    calls = [call("good"), call("good", parameters=b'{"top_k":null}')]
    asyncio.run(all_of(plane, gate, calls))
    assert n_computed(plane) == 2


def test_who_hangs_up_takes_nothing_from_those_who_wait(
    plane: Plane, gate: threading.Event
) -> None:
    async def scene() -> Any:
        first = asyncio.create_task(plane.service.predict(call("good")))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(plane.service.predict(call("good")))
        await asyncio.sleep(0.05)
        first.cancel()
        await asyncio.sleep(0.05)
        gate.set()
        return await second

    assert asyncio.run(scene()).predictions[0].decoded.label == "POSITIVE"


def test_a_bad_input_fails_everybody_who_sent_it_and_nobody_else(
    plane: Plane, gate: threading.Event
) -> None:
    calls = [call("good", "poison"), call("poison"), call("good")]
    answers = asyncio.run(all_of(plane, gate, calls))
    assert [getattr(answer, "code", "answered") for answer in answers] == [
        "input_failed",
        "input_failed",
        "answered",
    ]
    assert [answer.details["index"] for answer in answers[:2]] == [1, 0]


def test_who_waits_for_another_keeps_a_deadline_of_its_own(
    plane: Plane, gate: threading.Event
) -> None:
    async def scene() -> Any:
        first = asyncio.create_task(plane.service.predict(call("good")))
        await asyncio.sleep(0.05)
        with pytest.raises(DeadlineExceeded):
            await plane.service.predict(replace(call("good"), timeout_s=0.1))
        assert not first.done()
        gate.set()
        return await first

    assert asyncio.run(scene()).predictions[0].decoded.label == "POSITIVE"


def test_who_is_urgent_does_not_wait_for_a_job(plane: Plane, gate: threading.Event) -> None:
    job = replace(call("good"), priority=Priority.JOB)
    asyncio.run(all_of(plane, gate, [job, call("good"), job]))
    assert n_computed(plane) == 2


def test_nothing_is_held_when_all_is_answered(plane: Plane, gate: threading.Event) -> None:
    asyncio.run(all_of(plane, gate, [call("good"), call("good"), call("poison")]))
    assert plane.service._sharing._running == {}


def remembering(plane: Plane, memory: LocalMemory) -> Service:
    return Service(plane.serving, plane.engine, plane.recorder, memory=memory)


def test_a_remembered_output_costs_no_pass_and_is_recorded_as_cached(
    plane: Plane, gate: threading.Event
) -> None:
    gate.set()
    service = remembering(plane, LocalMemory(10_000, 60))

    async def scene() -> list[Any]:
        return [await service.predict(call("good")) for _ in range(3)]

    answers = asyncio.run(scene())
    assert n_computed(plane) == 1
    assert [record.is_cached for record in plane.recorder.records] == [False, True, True]
    assert len({answer.predictions[0].id for answer in answers}) == 3
    assert len({answer.predictions[0].decoded.score for answer in answers}) == 1
    service.close()


def test_another_version_is_never_answered_from_memory(plane: Plane, gate: threading.Event) -> None:
    gate.set()
    service = remembering(plane, LocalMemory(10_000, 60))
    asyncio.run(service.predict(call("good")))
    plane.predictor = a_predictor(a_spec(2))
    plane.registry.route((a_spec(2), 100))
    plane.reconciler.reconcile()
    asyncio.run(service.predict(call("good")))
    assert [record.version for record in plane.recorder.records] == [1, 2]
    assert [record.is_cached for record in plane.recorder.records] == [False, False]
    service.close()


def outputs(n: int = 4) -> Outputs:
    return (Forwarded(np.zeros(n, np.float32), np.zeros(n, np.float32)),)


def ask(memory: LocalMemory, *keys: bytes) -> list[bool]:
    return [each is not None for each in asyncio.run(memory.get(keys))]


def test_memory_keeps_the_latest_used_within_its_bytes() -> None:
    memory = LocalMemory(2_000, 60)
    for key in (b"a", b"b", b"c"):
        asyncio.run(memory.put([(key, outputs())]))
        assert ask(memory, b"a") == [True]
    asyncio.run(memory.put([(b"d", outputs())]))
    assert ask(memory, b"a", b"b", b"c", b"d") == [True, False, True, True]
    assert memory.n_bytes <= 2_000


def test_memory_forgets_what_is_old() -> None:
    now = [0.0]
    memory = LocalMemory(2_000, 60, clock=lambda: now[0])
    asyncio.run(memory.put([(b"a", outputs())]))
    now[0] = 60.0
    assert ask(memory, b"a") == [True]
    now[0] = 60.1
    assert ask(memory, b"a") == [False]
    assert memory.n_bytes == 0


def test_what_is_larger_than_memory_is_not_kept() -> None:
    memory = LocalMemory(2_000, 60)
    asyncio.run(memory.put([(b"a", outputs()), (b"b", outputs(10_000))]))
    assert ask(memory, b"a", b"b") == [True, False]


def test_keys_tell_questions_apart() -> None:
    predictor, other = a_predictor(a_spec(1)), a_predictor(a_spec(2))
    asked = bytes(NO_PARAMETERS)
    keys = [
        key_of(predictor, "good", asked),
        key_of(other, "good", asked),
        key_of(predictor, "good", b'{"top_k":1}'),
        key_of(predictor, "good ", asked),
        key_of(predictor, TextPair("good", ""), asked),
    ]
    assert len(set(keys)) == len(keys)
    assert keys[0] == key_of(a_predictor(a_spec(1)), "good", asked)
