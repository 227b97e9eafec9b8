"""A shadow sees copies, and nothing that becomes of it reaches a caller."""

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from access.errors import BellwetherError
from inference import metrics, shadowing
from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits, Priority
from inference.predictor import Predictor
from inference.recording import MemoryRecorder
from inference.records import PredictionRecord
from inference.routing import Steering
from inference.runtimes.background import is_background
from inference.service import Call, Service
from inference.serving import LiveRoute, ServedModel, Serving, Table
from inference.shadow_health import MAX_BAD_WINDOWS, MAX_FAILURES, WINDOW_S
from inference.shadowing import Shadowing
from inference.tasks.ports import Encoded, Forwarded
from tests.e2e.server import wait_until
from tests.inference.doubles import NO_PARAMETERS, ScriptedRuntime, WordTask, a_spec


class Runtime(ScriptedRuntime):
    """Takes `delay_s`, fails where `explodes`, turns its answers round where `is_contrary`."""

    def __init__(self, delay_s: float = 0.0, *, gate: threading.Event | None = None) -> None:
        super().__init__(gate)
        self.delay_s, self.explodes, self.is_contrary = delay_s, None, False
        self.was_in_background: set[bool] = set()

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        self.was_in_background.add(is_background())
        outputs = super().forward(batch)
        time.sleep(self.delay_s)
        if self.explodes is not None:
            raise self.explodes
        if self.is_contrary:
            return [Forwarded(output.logits[::-1], output.embedding) for output in outputs]
        return outputs


class World:
    """A service whose model has a stable version 1 and a shadow, version 2."""

    def __init__(self, *, draw: float = 0.0, percent: int = 100) -> None:
        self.stable, self.shadow = Runtime(), Runtime()
        self.serving, self.recorder = Serving(), MemoryRecorder()
        self.now = time.monotonic
        self.is_busy = False
        self.engine: Engine = Engine(EngineLimits(n_lanes=1, max_batch=8))
        self.shadowing = Shadowing(
            self.serving,
            self.recorder,
            is_busy=lambda: self.is_busy,
            draw=lambda: draw,
            clock=lambda: self.now(),
        )
        self.service = Service(
            self.serving, self.engine, self.recorder, stores_text=True, shadowing=self.shadowing
        )
        self.percent = percent
        self.generation = 0
        self.route()

    def route(self) -> None:
        """Route the same two versions (anew)."""
        self.generation += 1
        self.predictor = Predictor(spec=a_spec(2), task=WordTask(), runtime=self.shadow)
        stable = Predictor(spec=a_spec(1), task=WordTask(), runtime=self.stable)
        served = ServedModel(
            live=(LiveRoute(stable, 100),),
            shadows=(LiveRoute(self.predictor, self.percent),),
            generation=self.generation,
        )
        self.serving.table = Table(self.generation, {"team/model": served})

    def call(self, *texts: str, **changes: object) -> Call:
        call = Call(
            model="team/model",
            inputs=list(texts or ("good",)),
            parameters=NO_PARAMETERS,
            request_id="r",
            dialect="native",
            key_id="k",
        )
        return replace(call, **changes)

    def ask(self, n: int = 1, **changes: object) -> None:
        async def all_of_them() -> None:
            for _ in range(n):
                await self.service.predict(self.call(**changes))
            await asyncio.sleep(0)

        asyncio.run(all_of_them())

    def copies(self, outcome: str = "compared") -> list[PredictionRecord]:
        return [r for r in self.recorder.records if r.compared and r.compared.outcome == outcome]

    def settle(self) -> None:
        wait_until(lambda: self.shadowing.n_waiting == 0)


def value(metric: object, *labels: object) -> float:
    return metric.labels(*labels)._value.get()


@pytest.fixture
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(**getattr(request, "param", {}))
    made.engine.start()
    yield made
    made.engine.close(5)
    made.service.close()
    made.shadowing.stop()


def test_a_copy_is_compared_with_what_the_caller_got(world):
    world.shadow.is_contrary = True
    world.ask(inputs=["good", "bad"])
    world.settle()
    answers = [r for r in world.recorder.records if r.route == "live"]
    copies = world.copies()
    assert [r.route for r in copies] == ["shadow", "shadow"]
    assert [r.compared.primary_id for r in copies] == [r.id for r in answers]
    assert [(r.compared.primary_label, r.label) for r in copies] == [
        ("POSITIVE", "NEGATIVE"),
        ("NEGATIVE", "POSITIVE"),
    ]
    assert {(r.compared.primary_version, r.version) for r in copies} == {(1, 2)}
    for copy, answer in zip(copies, answers, strict=True):
        assert copy.compared.delta == pytest.approx(2 * answer.score - 1)
        assert copy.compared.seconds_primary > 0
        assert copy.compared.seconds_shadow > 0


def test_a_copy_holds_no_text_no_scores_and_no_key(world):
    world.ask()
    world.settle()
    (copy,) = world.copies()
    assert (copy.text, copy.scores, copy.embedding, copy.key_id) == (None, {}, b"", "")


def test_shadows_run_in_the_background_and_requests_do_not(world):
    world.ask()
    world.settle()
    assert world.shadow.was_in_background == {True}
    assert world.stable.was_in_background == {False}


def test_many_texts_are_run_in_small_passes(world):
    world.ask(inputs=[f"text {n}" for n in range(20)])
    world.settle()
    assert [len(batch) for batch in world.shadow.batches] == [8, 8, 4]
    assert len(world.copies()) == 20


@pytest.mark.parametrize("world", [{"draw": 0.3, "percent": 30}], indirect=True)
def test_what_is_not_drawn_is_not_copied(world):
    world.ask(5)
    assert world.shadow.batches == []


@pytest.mark.parametrize("world", [{"draw": 0.299, "percent": 30}], indirect=True)
def test_what_is_drawn_is_copied(world):
    world.ask(5)
    world.settle()
    assert len(world.copies()) == 5


def test_jobs_and_pinned_calls_are_not_copied(world):
    world.ask(priority=Priority.JOB)
    world.ask(steering=Steering(pin=1))
    assert world.shadow.batches == []


def test_a_copy_is_offered_after_the_answer(world):
    """The caller has its answer while the shadow has not even been handed the copy."""
    seen = []

    async def ask() -> None:
        await world.service.predict(world.call())
        seen.append(world.shadowing.n_waiting)
        await asyncio.sleep(0)
        seen.append(world.shadowing.n_waiting + len(world.copies()))

    world.shadow._gate = threading.Event()
    asyncio.run(ask())
    world.shadow._gate.set()
    assert seen == [0, 1]
    world.settle()


def test_a_shadow_that_explodes_is_switched_off_and_starts_anew_with_new_routes(world):
    before = value(metrics.SHADOW_DROPPED, "team/model", 2, "off")
    world.shadow.explodes = RuntimeError("boom")
    for _ in range(MAX_FAILURES):
        world.ask()
        world.settle()
    assert len(world.copies("failed")) == MAX_FAILURES
    assert [r.compared.reason for r in world.copies("off")] == ["failing"]
    assert value(metrics.SHADOW_OFF, "team/model", 2) == 1
    world.ask(3)
    world.settle()
    assert len(world.shadow.batches) == MAX_FAILURES
    assert value(metrics.SHADOW_DROPPED, "team/model", 2, "off") == before + 3
    world.shadow.explodes = None
    world.route()
    world.ask()
    world.settle()
    assert len(world.copies()) == 1
    assert value(metrics.SHADOW_OFF, "team/model", 2) == 0


@pytest.mark.parametrize("error", [MemoryError(), SystemExit(), KeyboardInterrupt()])
def test_what_would_end_a_thread_does_not_end_shadowing(world, error):
    world.shadow.explodes = error
    world.ask()
    world.settle()
    world.shadow.explodes = None
    world.ask()
    world.settle()
    assert len(world.copies()) == 1


def test_a_score_that_is_no_number_is_a_failure(world):
    class Broken(WordTask):
        def decode(self, prepared, outputs, parameters):
            decoded = super().decode(prepared, outputs, parameters)
            return replace(decoded, scores=dict.fromkeys(decoded.scores, float("nan")))

    object.__setattr__(world.predictor, "task", Broken())
    world.ask()
    world.settle()
    assert [r.compared.reason for r in world.copies("failed")] == ["ValueError"]


def test_a_full_queue_drops_copies_and_counts_them(world, monkeypatch):
    monkeypatch.setattr(shadowing, "MAX_TEXTS", 3)
    before = value(metrics.SHADOW_DROPPED, "team/model", 2, "full")
    world.shadow._gate = threading.Event()
    world.ask(10)
    assert world.shadowing.n_waiting == 3
    assert value(metrics.SHADOW_DROPPED, "team/model", 2, "full") == before + 7
    world.shadow._gate.set()
    world.settle()
    assert len(world.copies()) == 3


def test_long_texts_fill_the_queue_too(world, monkeypatch):
    monkeypatch.setattr(shadowing, "MAX_CHARS", 1000)
    world.shadow._gate = threading.Event()
    world.ask(3, inputs=["good " * 100])
    assert world.shadowing.n_waiting == 2
    world.shadow._gate.set()
    world.settle()


def test_a_backlog_that_persists_switches_it_off(world, monkeypatch):
    monkeypatch.setattr(shadowing, "MAX_TEXTS", 1)
    monkeypatch.setattr(shadowing, "MAX_PASS_S", 1e9)
    world.shadow._gate, clock = threading.Event(), [0.0]
    world.now = lambda: clock[0]
    world.route()
    for window in range(MAX_BAD_WINDOWS + 1):
        assert not world.copies("off")
        clock[0] = window * WINDOW_S
        world.ask(2)
    assert [r.compared.reason for r in world.copies("off")] == ["behind"]
    world.shadow._gate.set()
    world.settle()


def test_a_shadow_that_hangs_is_left_behind_and_others_go_on(world):
    world.shadow._gate = threading.Event()
    world.ask()
    wait_until(lambda: world.shadow.entered.is_set())
    real, skipped = time.monotonic, shadowing.MAX_PASS_S
    world.now = lambda: real() + skipped
    world.ask()
    assert [r.compared.reason for r in world.copies("off")] == ["stuck"]
    assert world.shadowing.n_waiting == 0
    hung, world.shadow = world.shadow, Runtime()
    world.route()
    world.ask()
    world.settle()
    assert len(world.copies()) == 1
    hung._gate.set()
    time.sleep(0.1)
    # What comes back so late is nobody's any more.
    assert len(world.copies()) == 1


def test_after_too_many_lost_threads_nothing_is_copied_any_more(world):
    gates = []
    for lost in range(shadowing.MAX_LOST):
        gates.append(threading.Event())
        world.shadow = Runtime(gate=gates[-1])
        world.route()
        world.ask()
        wait_until(world.shadow.entered.is_set)
        ahead = (lost + 1) * shadowing.MAX_PASS_S
        world.now = lambda ahead=ahead: time.monotonic() + ahead
        world.ask()
    world.shadow = Runtime()
    world.route()
    world.ask()
    assert world.shadow.batches == []
    for gate in gates:
        gate.set()


def test_copies_for_a_version_that_is_not_routed_any_more_are_dropped(world):
    world.shadow._gate = threading.Event()
    world.ask(2)
    wait_until(world.shadow.entered.is_set)
    world.serving.table = Table(9, {})
    world.shadow._gate.set()
    world.settle()
    assert len(world.shadow.batches) == 1


def test_while_requests_are_answered_a_shadow_rests_longer_than_it_computes(world):
    world.is_busy = True
    world.shadow.delay_s = 0.02
    began = time.monotonic()
    world.ask(4)
    world.settle()
    assert len(world.copies()) == 4
    assert time.monotonic() - began >= 3 * 0.02 * shadowing.REST


def test_while_nobody_asks_a_shadow_does_not_rest(world):
    world.shadow.delay_s = 0.02
    began = time.monotonic()
    world.ask(4)
    world.settle()
    assert len(world.copies()) == 4
    assert time.monotonic() - began < 3 * 0.02 * shadowing.REST


def test_a_recorder_that_fails_costs_the_comparison_alone(world):
    real = world.recorder.record

    def broken(records):
        if records[0].route == "shadow":
            raise OSError("no space left on device")
        real(records)

    world.recorder.record = broken
    world.ask()
    world.settle()
    assert [r.route for r in world.recorder.records] == ["live"]
    assert value(metrics.SHADOW_DROPPED, "team/model", 2, "unrecorded") == 1


def test_a_bug_in_shadowing_reaches_no_caller(world, caplog):
    world.shadowing._draw = None
    world.ask()
    assert [r.route for r in world.recorder.records] == ["live"]
    assert "bug in shadowing" in caplog.text


def test_after_the_stop_nothing_is_copied(world):
    world.shadowing.stop()
    world.ask()
    assert world.shadow.batches == []


# Under load: what a bad shadow does to callers.


async def _load(world: World, seconds: float) -> list[float]:
    """Ask from 8 callers; returns the seconds each answer took. Any error fails the test."""
    taken: list[float] = []
    ends = time.perf_counter() + seconds

    async def ask() -> None:
        while time.perf_counter() < ends:
            began = time.perf_counter()
            await world.service.predict(world.call())
            taken.append(time.perf_counter() - began)

    await asyncio.gather(*(ask() for _ in range(8)))
    return taken


def _p99(taken: list[float]) -> float:
    return statistics.quantiles(taken, n=100)[98]


@pytest.mark.slow
@pytest.mark.parametrize("evil", ["none", "explodes", "hangs", "slow"])
def test_no_answer_fails_or_waits_for_a_bad_shadow(world, evil):
    world.stable.delay_s = 0.002
    gate = threading.Event()
    rounds: dict[bool, list[float]] = {False: [], True: []}
    with_shadow = world.serving.table
    served = with_shadow.models["team/model"]
    without = Table(0, {"team/model": replace(served, shadows=())})
    world.shadow.delay_s = {"slow": 0.02}.get(evil, 0.002)
    if evil == "explodes":
        world.shadow.explodes = RuntimeError("boom")
    if evil == "hangs":
        world.shadow._gate = gate
    try:
        for _ in range(4):
            for is_shadowed in (False, True):
                world.serving.table = with_shadow if is_shadowed else without
                rounds[is_shadowed] += asyncio.run(_load(world, 0.4))
    except BellwetherError as error:
        pytest.fail(f"an answer failed: {error.message}")
    finally:
        gate.set()
    print(evil, {k: (len(v), round(1e3 * _p99(v), 2)) for k, v in rounds.items()})
    assert world.shadow.batches
    assert _p99(rounds[True]) < 1.5 * _p99(rounds[False]) + 0.01
