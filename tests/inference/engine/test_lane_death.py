import asyncio
import threading
from collections.abc import Sequence

import pytest
import structlog.testing

from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits
from inference.errors import LaneFailed
from inference.runtimes.fake import FakeEncoded, FakeRunner, raise_on
from tests.inference.engine.helpers import PATIENCE_S, Tally, encode, eventually, running, soon

SWIFT = EngineLimits(max_batch=2, restart_backoff_s=0.001)


@pytest.mark.parametrize("death", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_a_dead_lane_fails_its_callers_and_serves_the_next(death: type[BaseException]) -> None:
    async def scenario() -> None:
        runner, tally = FakeRunner(script=raise_on(lambda each: each.ids[0] == 0, death)), Tally()
        async with running(SWIFT, tally) as engine:
            with pytest.raises(LaneFailed):
                await engine.submit(runner, encode(3), deadline=soon())
            (answer,) = await engine.submit(runner, encode(3, first_id=1), deadline=soon())
            assert not isinstance(answer, Exception)
            assert engine.is_healthy
        assert tally.refusals == {"lane_failed": 1}

    with structlog.testing.capture_logs() as logs:
        asyncio.run(scenario())
    assert [line["event"] for line in logs] == ["engine.lane_died"]


def test_only_the_batch_that_died_fails() -> None:
    async def scenario() -> None:
        gate = threading.Event()
        runner = FakeRunner(script=raise_on(lambda each: each.ids[0] == 2, SystemExit), gate=gate)
        async with running(SWIFT) as engine:
            first = asyncio.create_task(engine.submit(runner, encode(3), deadline=soon()))
            await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
            rest = [
                asyncio.create_task(engine.submit(runner, encode(3, first_id=n), deadline=soon()))
                for n in range(1, 7)
            ]
            await eventually(lambda: engine.depth == 6)
            gate.set()
            settled = await asyncio.gather(first, *rest, return_exceptions=True)
        # Two in a batch: 1 shares with 2.
        assert [isinstance(each, LaneFailed) for each in settled] == [
            False, True, True, False, False, False, False,
        ]  # fmt: skip

    asyncio.run(scenario())


def test_the_waiting_rest_of_a_failed_request_is_not_run() -> None:
    async def scenario() -> None:
        runner = FakeRunner(script=raise_on(lambda each: each.ids[0] == 0, SystemExit))
        limits = EngineLimits(max_batch=2, restart_backoff_s=PATIENCE_S)
        async with running(limits) as engine:
            with pytest.raises(LaneFailed):
                await engine.submit(runner, encode(3, 3, 3, 3, 3), deadline=soon())
            assert engine.depth == 0
        assert [len(batch) for batch in runner.batches] == [2]

    asyncio.run(scenario())


def test_health_is_red_until_the_lane_is_back() -> None:
    async def scenario() -> None:
        runner = FakeRunner(script=raise_on(lambda each: each.ids[0] == 0, SystemExit))
        pause = threading.Event()
        async with running() as engine:
            engine._lanes[0]._closing = pause
            engine._lanes[0]._backoff_s = PATIENCE_S
            assert engine.is_healthy
            with pytest.raises(LaneFailed):
                await engine.submit(runner, encode(3), deadline=soon())
            assert not engine.is_healthy
            pause.set()
            await eventually(lambda: engine.is_healthy)

    asyncio.run(scenario())


def test_a_second_lane_goes_on_while_the_first_is_down() -> None:
    async def scenario() -> None:
        runner = FakeRunner(script=raise_on(lambda each: each.ids[0] == 0, SystemExit))
        async with running(EngineLimits(n_lanes=2, restart_backoff_s=PATIENCE_S)) as engine:
            with pytest.raises(LaneFailed):
                await engine.submit(runner, encode(3), deadline=soon())
            (answer,) = await engine.submit(runner, encode(3, first_id=1), deadline=soon())
            assert not isinstance(answer, Exception)
            assert not engine.is_healthy

    asyncio.run(scenario())


def test_a_lane_that_keeps_dying_backs_off() -> None:
    pauses: list[float] = []

    class Closing(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout or 0.0)
            return False

    async def scenario() -> None:
        script = raise_on(lambda each: each.ids[0] < 100, SystemExit)
        engine = Engine(EngineLimits(restart_backoff_s=0.5))
        for lane in engine._lanes:
            lane._closing = Closing()
        engine.start()
        runner = FakeRunner(script=script)
        for first_id in [1, 2, 3, 4, 5, 6, 100, 7]:
            encoded = encode(3, first_id=first_id)
            await asyncio.gather(
                engine.submit(runner, encoded, deadline=soon()), return_exceptions=True
            )
        await eventually(lambda: engine.is_healthy)
        assert await asyncio.to_thread(engine.close, PATIENCE_S)

    asyncio.run(scenario())
    assert pauses == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 0.5]


def test_a_lane_down_while_closing_comes_back_for_what_waits() -> None:
    async def scenario() -> None:
        gate = threading.Event()

        class Mortal(FakeRunner):
            def forward(self, batch: Sequence[FakeEncoded], /) -> list:  # type: ignore[type-arg]
                answers = super().forward(batch)
                if batch[0].ids[0] == 0:
                    raise SystemExit
                return answers

        runner = Mortal(gate=gate)
        engine = Engine(EngineLimits(restart_backoff_s=PATIENCE_S))
        engine.start()
        dies = asyncio.create_task(engine.submit(runner, encode(3), deadline=soon()))
        await asyncio.to_thread(runner.entered.wait, PATIENCE_S)
        waits = asyncio.create_task(engine.submit(runner, encode(3, first_id=1), deadline=soon()))
        await eventually(lambda: engine.depth == 1)
        gate.set()
        with pytest.raises(LaneFailed):
            await dies
        assert await asyncio.to_thread(engine.close, PATIENCE_S)
        assert len(await waits) == 1

    asyncio.run(scenario())
