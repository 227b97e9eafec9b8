import asyncio
import gc
import threading
import time
import weakref
from typing import Any

import pytest

from inference.engine.engine import Answered, Engine
from inference.engine.limits import EngineLimits, Priority
from inference.errors import (
    DeadlineExceeded,
    InputFailed,
    QueueFull,
    ShuttingDown,
    TooManyInputs,
)
from inference.runtimes.fake import FakeRunner, raise_on
from tests.inference.engine.helpers import (
    PATIENCE_S,
    FakeClock,
    Tally,
    encode,
    eventually,
    held,
    running,
    soon,
)
from tests.inference.engine.test_observer import Grumpy


def outputs(results: list) -> list:  # type: ignore[type-arg]
    assert all(isinstance(each, Answered) for each in results), results
    return [each.output for each in results]


def test_every_input_is_answered_in_order() -> None:
    async def scenario() -> None:
        runner, encoded = FakeRunner(), encode(5, 90, 2, 5, 300, 40)
        async with running(EngineLimits(max_batch=3)) as engine:
            results = await engine.submit(runner, encoded, deadline=soon())
        assert outputs(results) == [runner.answer(each) for each in encoded]

    asyncio.run(scenario())


def test_an_answer_carries_its_times_and_batch_size() -> None:
    async def scenario() -> None:
        async with running() as engine:
            results = await engine.submit(FakeRunner(), encode(4, 4), deadline=soon())
            (first, second) = results
            assert isinstance(first, Answered)
            assert isinstance(second, Answered)
            assert first.batch_size == second.batch_size == 2
            assert 0 <= first.queue_s < PATIENCE_S
            assert 0 <= first.inference_s < PATIENCE_S
            assert engine.last_forward_at is not None

    asyncio.run(scenario())


def test_nothing_asked_is_nothing_answered() -> None:
    async def scenario() -> None:
        async with running() as engine:
            assert await engine.submit(FakeRunner(), [], deadline=soon()) == []

    asyncio.run(scenario())


def test_concurrent_callers_share_batches_and_get_their_own_answers() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        runner, tally = FakeRunner(gate=gate), Tally()
        async with running(observer=tally) as engine, held(engine, runner, gate):
            mine = [encode(6, first_id=caller) for caller in range(20)]
            calls = [asyncio.create_task(engine.submit(runner, e, deadline=soon())) for e in mine]
            await eventually(lambda: engine.depth == 20)
            gate.set()
            for encoded, call in zip(mine, calls, strict=True):
                assert outputs(await call) == [runner.answer(encoded[0])]
        assert [n for n, _, _ in tally.batches] == [1, 20]

    asyncio.run(scenario())


def test_a_poison_input_hurts_one_caller() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        script = raise_on(lambda each: each.ids[0] == 13, lambda: ValueError("poison"))
        runner, tally = FakeRunner(script=script, gate=gate), Tally()
        async with running(observer=tally) as engine, held(engine, runner, gate):
            calls = [
                asyncio.create_task(
                    engine.submit(runner, encode(6, first_id=caller), deadline=soon())
                )
                for caller in range(20)
            ]
            await eventually(lambda: engine.depth == 20)
            gate.set()
            results = [(await call)[0] for call in calls]
            assert engine.is_healthy
        failed = [caller for caller, each in enumerate(results) if isinstance(each, InputFailed)]
        assert failed == [13]
        assert [n for n, _, _ in tally.batches] == [1, 20]

    asyncio.run(scenario())


def test_a_poison_input_takes_its_place_among_the_answers_of_its_request() -> None:
    async def scenario() -> None:
        runner = FakeRunner(script=raise_on(lambda each: each.ids[0] == 1, MemoryError))
        async with running() as engine:
            first, second, third = await engine.submit(runner, encode(4, 4, 4), deadline=soon())
        assert isinstance(second, InputFailed)
        assert isinstance(first, Answered)
        assert isinstance(third, Answered)

    asyncio.run(scenario())


def test_two_versions_never_meet_in_a_batch() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        versions = [FakeRunner(seed=seed, gate=gate) for seed in range(2)]
        async with running() as engine, held(engine, versions[0], gate):
            calls = [
                asyncio.create_task(
                    engine.submit(versions[n % 2], encode(6, first_id=n), deadline=soon())
                )
                for n in range(30)
            ]
            await eventually(lambda: engine.depth == 30)
            gate.set()
            for n, call in enumerate(calls):
                assert outputs(await call) == [versions[n % 2].answer(encode(6, first_id=n)[0])]
        for parity, version in enumerate(versions):
            assert {each.ids[0] % 2 for batch in version.batches for each in batch} == {parity}

    asyncio.run(scenario())


def test_a_full_queue_refuses_at_once_and_the_waiting_are_answered() -> None:
    async def scenario() -> None:
        gate, tally = threading.Event(), Tally()
        runner = FakeRunner(gate=gate)
        async with running(EngineLimits(max_queue=2), tally) as engine:
            first = asyncio.create_task(engine.submit(runner, encode(3), deadline=soon()))
            await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
            second = asyncio.create_task(engine.submit(runner, encode(3, 3), deadline=soon()))
            await asyncio.sleep(0)
            assert (engine.depth, engine.queued_tokens) == (2, 6)
            with pytest.raises(QueueFull) as refusal:
                await engine.submit(runner, encode(3), deadline=soon())
            assert refusal.value.retry_after_s is not None
            gate.set()
            assert len(outputs(await first) + outputs(await second)) == 3
        assert tally.refusals == {"queue_full": 1}

    asyncio.run(scenario())


def test_a_request_no_queue_can_hold_is_not_counted_as_a_refusal() -> None:
    async def scenario() -> None:
        tally = Tally()
        async with running(EngineLimits(max_queue=2), tally) as engine:
            with pytest.raises(TooManyInputs):
                await engine.submit(FakeRunner(), encode(1, 1, 1), deadline=soon())
        assert not tally.refusals

    asyncio.run(scenario())


def test_a_passed_deadline_is_refused_before_queueing() -> None:
    async def scenario() -> None:
        runner = FakeRunner()
        async with running() as engine:
            with pytest.raises(DeadlineExceeded):
                await engine.submit(runner, encode(3), deadline=time.monotonic())
        assert runner.batches == []

    asyncio.run(scenario())


def test_an_answered_request_leaves_no_timer_behind() -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        timers: list[asyncio.TimerHandle] = []
        call_later = loop.call_later

        def remember(*args: Any, **kwargs: Any) -> asyncio.TimerHandle:
            timers.append(call_later(*args, **kwargs))
            return timers[-1]

        loop.call_later = remember  # type: ignore[assignment, method-assign]
        async with running() as engine:
            await engine.submit(FakeRunner(), encode(3), deadline=soon())
        assert [timer.cancelled() for timer in timers] == [True]

    asyncio.run(scenario())


@pytest.mark.parametrize("deadline", [float("inf"), float("nan")])
def test_a_deadline_must_be_a_time(deadline: float) -> None:
    async def scenario() -> None:
        async with running() as engine:
            with pytest.raises(ValueError, match="deadline"):
                await engine.submit(FakeRunner(), encode(3), deadline=deadline)

    asyncio.run(scenario())


def test_a_deadline_ends_the_wait_behind_a_hanging_batch() -> None:
    async def scenario() -> None:
        gate, tally = threading.Event(), Tally()
        runner = FakeRunner(gate=gate)
        async with running(observer=tally) as engine:
            with pytest.raises(DeadlineExceeded):
                await engine.submit(runner, encode(3), deadline=time.monotonic() + 0.02)
            with pytest.raises(DeadlineExceeded):
                await engine.submit(runner, encode(3, 3), deadline=time.monotonic() + 0.02)
            assert engine.depth == 0
            gate.set()
        assert len(runner.batches) == 1
        assert tally.refusals == {"deadline_exceeded": 2}
        assert tally.n_abandoned == 2

    asyncio.run(scenario())


def test_a_client_that_hangs_up_costs_no_forward_pass() -> None:
    async def scenario() -> None:
        gate, tally = threading.Event(), Tally()
        runner = FakeRunner(gate=gate)
        async with running(observer=tally) as engine:
            first = asyncio.create_task(engine.submit(runner, encode(3), deadline=soon()))
            await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
            gone = asyncio.create_task(
                engine.submit(runner, encode(3, 3, first_id=50), deadline=soon())
            )
            stays = asyncio.create_task(
                engine.submit(runner, encode(3, first_id=90), deadline=soon())
            )
            await eventually(lambda: engine.depth == 3)
            gone.cancel()
            # Between the cancel and the caller's clean-up the lane may already look.
            gate.set()
            assert len(outputs(await first) + outputs(await stays)) == 2
            with pytest.raises(asyncio.CancelledError):
                await gone
        assert [each.ids[0] for batch in runner.batches for each in batch] == [0, 90]
        assert sum(n for n, _, _ in tally.batches) == 2
        assert tally.n_abandoned == 2
        assert not tally.refusals

    asyncio.run(scenario())


def test_hanging_up_in_flight_leaves_the_mates_their_answers() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        runner = FakeRunner(gate=gate)
        async with running() as engine:
            blocker = asyncio.create_task(engine.submit(runner, encode(3), deadline=soon()))
            await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
            calls = [
                asyncio.create_task(engine.submit(runner, encode(3), deadline=soon()))
                for _ in range(3)
            ]
            await eventually(lambda: engine.depth == 3)
            gate.set()
            await blocker
            await eventually(lambda: len(runner.batches) == 2)
            calls[1].cancel()
            settled = await asyncio.gather(*calls, return_exceptions=True)
        assert [len(each) for each in settled if isinstance(each, list)] in ([1, 1], [1, 1, 1])

    asyncio.run(scenario())


def test_jobs_wait_for_people_but_not_for_ever() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        runner = FakeRunner(gate=gate)
        async with running(EngineLimits(max_batch=1)) as engine:
            calls = [asyncio.create_task(engine.submit(runner, encode(2), deadline=soon()))]
            await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
            for first_id, priority in [(10, Priority.JOB), (20, Priority.INTERACTIVE)]:
                calls.append(
                    asyncio.create_task(
                        engine.submit(
                            runner,
                            encode(2, first_id=first_id),
                            deadline=soon(),
                            priority=priority,
                        )
                    )
                )
            await eventually(lambda: engine.depth == 2)
            gate.set()
            await asyncio.gather(*calls)
        assert [batch[0].ids[0] for batch in runner.batches] == [0, 20, 10]

    asyncio.run(scenario())


def test_drained_waits_for_the_running_entries_of_that_runner_only() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        old, new = FakeRunner(gate=gate), FakeRunner()
        async with running() as engine:
            call = asyncio.create_task(engine.submit(old, encode(3), deadline=soon()))
            await asyncio.to_thread(old.entered.wait, PATIENCE_S)
            assert engine.drained(new)
            assert not engine.drained(old)
            assert not await engine.wait_drained(old, timeout_s=0.001)
            waiting = asyncio.create_task(engine.wait_drained(old, timeout_s=PATIENCE_S))
            gate.set()
            assert await waiting
            await call
            assert engine.drained(old)

    asyncio.run(scenario())


def test_an_idle_engine_keeps_no_unloaded_version_in_memory() -> None:
    async def scenario() -> None:
        async with running() as engine:
            runner = FakeRunner()
            await engine.submit(runner, encode(3), deadline=soon())
            ghost = weakref.ref(runner)
            del runner

            def is_gone() -> bool:
                gc.collect()
                return ghost() is None

            await eventually(is_gone)

    asyncio.run(scenario())


def test_closing_answers_what_waits_and_refuses_what_comes() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        runner = FakeRunner(gate=gate)
        engine = Engine(EngineLimits(max_batch=1))
        engine.start()
        calls = [
            asyncio.create_task(engine.submit(runner, encode(3), deadline=soon())) for _ in range(3)
        ]
        await eventually(lambda: engine.depth == 2)
        closing = asyncio.create_task(asyncio.to_thread(engine.close, PATIENCE_S))
        await eventually(lambda: not engine.is_healthy)
        with pytest.raises(ShuttingDown):
            await engine.submit(runner, encode(3), deadline=soon())
        gate.set()
        assert await closing
        for call in calls:
            assert outputs(await call)

    asyncio.run(scenario())


def test_closing_fails_what_a_hanging_batch_holds_up() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        runner = FakeRunner(gate=gate)
        engine = Engine(EngineLimits(max_batch=1))
        engine.start()
        calls = [
            asyncio.create_task(engine.submit(runner, encode(3), deadline=soon())) for _ in range(3)
        ]
        await eventually(lambda: engine.depth == 2)
        assert not await asyncio.to_thread(engine.close, 0.01)
        settled = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in settled] == [ShuttingDown] * 3
        gate.set()
        assert await asyncio.to_thread(engine.close, PATIENCE_S)
        assert len(runner.batches) == 1

    asyncio.run(scenario())


def test_an_engine_that_never_started_fails_its_callers_on_close() -> None:
    async def scenario() -> None:
        engine = Engine(EngineLimits())
        assert not engine.is_healthy
        call = asyncio.create_task(engine.submit(FakeRunner(), encode(3), deadline=soon()))
        await asyncio.sleep(0)
        assert not engine.close(PATIENCE_S)
        with pytest.raises(ShuttingDown):
            await call

    asyncio.run(scenario())


def test_an_engine_starts_once() -> None:
    engine = Engine(EngineLimits())
    engine.start()
    with pytest.raises(RuntimeError):
        engine.start()
    assert engine.is_healthy
    assert engine.close(PATIENCE_S)
    assert not engine.is_healthy
    with pytest.raises(RuntimeError):
        engine.start()


def test_an_observer_that_raises_hurts_nobody() -> None:
    async def scenario() -> None:
        engine = Engine(EngineLimits(max_queue=2), observer=Grumpy())
        engine.start()
        for _ in range(3):
            assert outputs(await engine.submit(FakeRunner(), encode(3), deadline=soon()))
        with pytest.raises(DeadlineExceeded):
            await engine.submit(FakeRunner(), encode(3), deadline=0.0)
        assert engine.is_healthy
        assert await asyncio.to_thread(engine.close, PATIENCE_S)

    asyncio.run(scenario())


def test_a_batch_that_runs_too_long_turns_health_red() -> None:
    async def scenario() -> None:
        clock, gate = FakeClock(), threading.Event()
        runner = FakeRunner(gate=gate)
        engine = Engine(EngineLimits(max_forward_s=5.0), clock=clock)
        engine.start()
        call = asyncio.create_task(engine.submit(runner, encode(3), deadline=100.0))
        await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
        assert engine.is_healthy
        clock.now = 5.1
        assert not engine.is_healthy
        gate.set()
        await call
        assert engine.is_healthy
        assert await asyncio.to_thread(engine.close, PATIENCE_S)

    asyncio.run(scenario())


def test_the_predicted_wait_is_nothing_while_a_lane_is_idle() -> None:
    async def scenario() -> None:
        async with running() as engine:
            assert engine.estimate_wait_s() == 0.0
            await engine.submit(FakeRunner(), encode(3), deadline=soon())
            assert engine.estimate_wait_s(Priority.JOB) == 0.0

    asyncio.run(scenario())
