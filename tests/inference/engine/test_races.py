"""Cancels, deadlines, deaths, poison and closing at once: everybody gets exactly one ending."""

import asyncio
import random
import threading
import time
from collections import Counter
from typing import Any

import pytest

from inference.engine.cost import CostModel
from inference.engine.engine import Answered, Engine
from inference.engine.entries import Batch, Submission, deliver, deliver_failure
from inference.engine.limits import EngineLimits, Priority
from inference.errors import (
    InferenceError,
    InputFailed,
    LaneFailed,
    QueueFull,
    ShuttingDown,
)
from inference.runtimes.fake import FakeRunner
from tests.inference.engine.helpers import PATIENCE_S, Tally, encode, make_entries, soon

LIMITS = EngineLimits(
    n_lanes=2, max_batch=6, max_queue=120, max_queue_tokens=1500, restart_backoff_s=0.0005
)


def make_runner(seed: int) -> FakeRunner:
    """Poison where the first id is a multiple of 17, death at multiples of 41."""

    def script(batch: Any) -> BaseException | None:
        firsts = [each.ids[0] for each in batch]
        if any(first % 41 == 0 for first in firsts):
            return SystemExit()
        return ValueError("poison") if any(first % 17 == 0 for first in firsts) else None

    return FakeRunner(seed=seed, script=script)


async def one_caller(engine: Engine, runner: FakeRunner, chance: random.Random, n: int) -> str:
    """Ask, perhaps hang up; the name of the ending. Asserts that answers are this caller's own."""
    encoded = encode(*[chance.randint(1, 30) for _ in range(chance.randint(1, 9))], first_id=n)
    deadline = time.monotonic() + chance.choice([0.0005, 0.005, PATIENCE_S, PATIENCE_S])
    priority = chance.choice(list(Priority))
    call = asyncio.create_task(engine.submit(runner, encoded, deadline=deadline, priority=priority))
    if chance.random() < 0.3:
        await asyncio.sleep(chance.choice([0, 0, 0.0005, 0.002]))
        call.cancel()
    try:
        results = await call
    except asyncio.CancelledError:
        return "cancelled"
    except InferenceError as error:
        return error.code
    assert len(results) == len(encoded)
    for each, result in zip(encoded, results, strict=True):
        if isinstance(result, Answered):
            assert result.output == runner.answer(each)
        else:
            assert isinstance(result, InputFailed)
            assert each.ids[0] % 17 == 0
    return "answered"


@pytest.mark.parametrize("seed", range(4))
def test_every_caller_gets_exactly_one_ending(seed: int) -> None:
    async def scenario() -> Counter[str]:
        complaints: list[dict[str, Any]] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: complaints.append(context))
        chance, tally = random.Random(seed), Tally()
        engine = Engine(LIMITS, observer=tally)
        engine.start()
        runners = [make_runner(0), make_runner(1)]
        calls = []
        for n in range(250):
            caller = one_caller(engine, runners[n % 2], random.Random(seed * 1000 + n), n + 1)
            calls.append(asyncio.create_task(caller))
            if chance.random() < 0.2:
                await asyncio.sleep(0.0005)
        closing = asyncio.create_task(
            asyncio.to_thread(engine.close, PATIENCE_S if seed % 2 else 0.0)
        )
        async with asyncio.timeout(PATIENCE_S):
            endings = Counter(await asyncio.gather(*calls))
            await closing
            await asyncio.to_thread(engine._queue.wait_drained, None, PATIENCE_S)
        assert not complaints
        assert endings.total() == 250
        assert (engine.depth, engine.queued_tokens) == (0, 0)
        refusals = endings - Counter({"answered": 1000, "cancelled": 1000, "too_many_inputs": 1000})
        assert tally.refusals == refusals
        return endings

    endings = asyncio.run(scenario())
    assert endings["answered"] > 0
    assert endings["cancelled"] > 0


def test_callers_of_several_event_loops_share_one_engine() -> None:
    engine, runner = Engine(EngineLimits(n_lanes=2)), FakeRunner()
    engine.start()
    wrong: list[object] = []

    async def ask(first_id: int) -> None:
        for n in range(40):
            encoded = encode(4, 9, first_id=first_id + n)
            results = await engine.submit(runner, encoded, deadline=soon())
            got = [each.output for each in results if isinstance(each, Answered)]
            if got != [runner.answer(each) for each in encoded]:
                wrong.append(results)

    threads = [threading.Thread(target=asyncio.run, args=(ask(base),)) for base in (0, 1000, 2000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert engine.close(PATIENCE_S)
    assert not wrong


def test_whoever_comes_second_changes_nothing() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        entries = make_entries(loop, encode(3))
        submission: Submission[str] = entries[0].submission
        batch = Batch(FakeRunner(), CostModel(), entries, 1.0, 3, 3)
        deliver(batch, ["first"], 0.5)
        deliver(batch, ["second"], 0.5)
        deliver_failure(entries, lambda: LaneFailed("x"))
        await asyncio.sleep(0)
        submission.expire()
        (answer,) = submission.future.result()
        assert answer == Answered("first", 1.0, 0.5, 1)

    asyncio.run(scenario())


def test_an_answer_after_the_failure_is_thrown_away() -> None:
    async def scenario() -> None:
        entries = make_entries(asyncio.get_running_loop(), encode(3, 3))
        batch = Batch(FakeRunner(), CostModel(), entries, 1.0, 6, 6)
        deliver_failure(entries, lambda: QueueFull("x"))
        deliver(batch, ["late", "late"], 0.5)
        await asyncio.sleep(0)
        assert isinstance(entries[0].submission.future.exception(), QueueFull)

    asyncio.run(scenario())


def test_answers_for_a_closed_event_loop_are_dropped_in_silence() -> None:
    loop = asyncio.new_event_loop()
    entries = make_entries(loop, encode(3))
    loop.close()
    deliver(Batch(FakeRunner(), CostModel(), entries, 1.0, 3, 3), ["late"], 0.5)
    deliver_failure(entries, lambda: ShuttingDown("x"))


def test_each_caller_of_a_failed_batch_gets_an_error_of_its_own() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        first, second = make_entries(loop, encode(3)), make_entries(loop, encode(3))
        deliver_failure([*first, *second], lambda: LaneFailed("x"))
        await asyncio.sleep(0)
        errors = [each[0].submission.future.exception() for each in (first, second)]
        assert errors[0] is not errors[1]

    asyncio.run(scenario())
