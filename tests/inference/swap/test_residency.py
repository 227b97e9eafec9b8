"""Who is in memory, who sleeps, who makes room: several models, and memory that is too small."""

import asyncio
import weakref
from dataclasses import replace

import pytest

from inference.errors import ModelNotReady, QueueFull
from inference.predictor import Predictor
from inference.reconciler import Reconciler
from inference.serving import Serving
from inference.swap import memory, residency
from inference.swap.admission import HEADROOM_BYTES, Memory
from inference.swap.preparing import Preparer
from inference.swap.states import CannotServe
from registry.errors import ModelNotFound
from registry.specs import VersionSpec
from tests.inference.doubles import FakeRegistry, a_predictor, a_spec

GB = 10**9


class World:
    """Three models of 1 GB each beside `limit` GB of memory."""

    def __init__(self, limit: float = 10, *, is_lazy: bool = False) -> None:
        self.limit, self.now = limit, 0.0
        self.sizes: dict[str, float] = {}
        self.broken: dict[str, Exception] = {}
        self.busy: set[str] = set()
        self.loads: list[str] = []
        self.alive: list[weakref.ref[Predictor]] = []
        self.registry = FakeRegistry()
        for name in ("a", "b", "c"):
            self.registry.route((a_spec(model=f"team/{name}"), 100), model=f"team/{name}")
        self.is_lazy = is_lazy
        self.start()

    def start(self) -> None:
        """A process begins: nothing is in memory."""
        self.alive = []
        self.serving = Serving(clock=lambda: self.now)
        self.reconciler = Reconciler(
            self.serving,
            self.registry,
            self.load,
            preparer=Preparer(self.load, room=self, tries_out=False),
            drained=lambda predictor: predictor.spec.model not in self.busy,
            is_lazy=self.is_lazy,
            clock=lambda: self.now,
            wall_clock=lambda: self.now,
        )

    def load(self, spec: VersionSpec) -> Predictor:
        self.loads.append(spec.model)
        if spec.model in self.broken:
            raise self.broken[spec.model]
        predictor = a_predictor(spec)
        self.alive.append(weakref.ref(predictor))
        return predictor

    peak_copies = 1.0

    def weigh(self, spec: VersionSpec) -> int:
        return int(self.sizes.get(spec.model, 1) * GB)

    def read(self) -> Memory:
        used = sum(self.weigh(p.spec) for ref in self.alive if (p := ref()) is not None)
        return Memory(int(self.limit * GB) + HEADROOM_BYTES, used, "test")

    def promote(self, model: str, number: int) -> None:
        self.registry.route((a_spec(number, model=model), 100), model=model)

    def go(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.reconciler.reconcile()

    def ask(self, model: str, *, seconds: float = 1.0) -> str:
        """One request, while the reconciler goes on; returns who answered."""

        async def both() -> str:
            asking = asyncio.ensure_future(self.serving.awake(model, 5.0))
            while not asking.done():
                await asyncio.sleep(0.001)
                self.go()
            return (await asking).choose("somebody").spec.model

        self.now += seconds
        return asyncio.run(both())

    def awake(self) -> list[str]:
        table = self.serving.table.models
        return sorted(m.removeprefix("team/") for m, served in table.items() if served.live)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """What nothing refers to is gone here without a collection, which takes half a second."""
    monkeypatch.setattr(memory, "release", lambda: (0, 0))
    monkeypatch.setattr(residency, "N_WAITS", 2)


def test_what_fits_is_loaded_at_the_start() -> None:
    world = World()
    world.go()
    assert (world.awake(), world.reconciler.reasons()) == (["a", "b", "c"], [])


def test_what_does_not_fit_at_the_start_sleeps_and_the_process_is_ready() -> None:
    world = World(limit=2)
    world.go()
    assert world.awake() == ["a", "b"]
    assert world.reconciler.reasons() == []
    assert world.reconciler.describe().states["team/c"]["asleep"]
    assert world.serving.spec_of("team/c").model == "team/c"


def test_lazily_nothing_is_loaded_before_its_first_request() -> None:
    world = World(is_lazy=True)
    world.go()
    assert (world.awake(), world.loads, world.reconciler.reasons()) == ([], [], [])
    assert world.ask("team/b") == "team/b"
    assert (world.awake(), world.loads) == (["b"], ["team/b"])


def test_lazily_a_pinned_model_is_loaded_at_the_start() -> None:
    world = World(is_lazy=True)
    world.registry.pin("team/c")
    world.go()
    assert world.awake() == ["c"]


def test_pinned_models_get_their_room_first() -> None:
    world = World(limit=1)
    world.registry.pin("team/c")
    world.go()
    assert world.awake() == ["c"]


def test_who_was_not_asked_for_longest_makes_room() -> None:
    world = World(limit=2)
    world.go()
    world.ask("team/a")
    world.ask("team/b")
    world.ask("team/a")
    assert world.ask("team/c") == "team/c"
    assert world.awake() == ["a", "c"]
    assert world.ask("team/b") == "team/b"
    assert world.awake() == ["b", "c"]
    evidence = world.reconciler.describe().states["team/a"]["versions"][-1]["evidence"]
    assert evidence["unloaded_because"] == "made room for team/b"


def test_one_that_made_room_leaves_memory_and_is_ready_again_when_asked() -> None:
    world = World(limit=1)
    world.go()
    for model in ("team/a", "team/b", "team/a", "team/c") * 3:
        assert world.ask(model) == model
        assert world.read().used == GB
    assert world.reconciler.reasons() == []


def test_a_pinned_model_never_makes_room() -> None:
    world = World(limit=2)
    world.registry.pin("team/a")
    world.go()
    for model in ("team/c", "team/b", "team/c"):
        assert world.ask(model) == model
        assert "a" in world.awake()


def test_where_all_is_pinned_a_request_hears_why_it_is_not_answered() -> None:
    world = World(limit=2)
    world.registry.pin("team/a")
    world.registry.pin("team/b")
    world.go()
    with pytest.raises(ModelNotReady, match=r"team/c is asleep and cannot be loaded now: v1: does"):
        world.ask("team/c")
    assert (world.awake(), world.reconciler.reasons()) == (["a", "b"], [])


def test_a_model_that_can_never_fit_harms_nobody() -> None:
    world = World(limit=2.5, is_lazy=True)
    world.sizes["team/c"] = 50
    world.go()
    world.ask("team/a")
    world.ask("team/b")
    with pytest.raises(ModelNotReady, match="does_not_fit"):
        world.ask("team/c")
    assert world.awake() == ["a", "b"]


def test_a_model_that_can_never_fit_keeps_an_eager_process_from_being_ready() -> None:
    world = World(limit=2.5)
    world.sizes["team/c"] = 50
    world.go()
    (reason,) = world.reconciler.reasons()
    assert "does_not_fit" in reason


def test_a_failed_load_is_not_repeated_for_every_request_and_tried_again_later() -> None:
    world = World(is_lazy=True)
    world.broken["team/b"] = OSError("disk")
    world.go()
    for _ in range(3):
        with pytest.raises(ModelNotReady, match="load_failed"):
            world.ask("team/b", seconds=0)
    assert (world.loads, world.reconciler.reasons()) == (["team/b"], [])
    world.broken.clear()
    assert world.ask("team/b", seconds=residency.WAKE_AGAIN_S) == "team/b"


def test_an_idle_process_with_a_model_in_trouble_reads_nothing_again() -> None:
    world = World(is_lazy=True)
    world.broken["team/b"] = CannotServe("golden_failed", "case 0")
    world.go()
    with pytest.raises(ModelNotReady):
        world.ask("team/b")
    read: list[int] = []
    world.registry.load_desired_state = lambda: read.append(1)  # type: ignore[method-assign]
    for _ in range(20):
        world.go(1)
    assert read == []


def test_what_is_being_used_is_not_unloaded() -> None:
    world = World(limit=2)
    world.go()
    world.ask("team/a")
    world.ask("team/b")
    world.busy = {"team/a"}
    assert world.ask("team/c") == "team/c"
    assert world.awake() == ["a", "c"]


def test_while_all_are_in_use_the_next_is_refused_and_they_go_on() -> None:
    world = World(limit=2)
    world.go()
    world.busy = {"team/a", "team/b"}
    with pytest.raises(ModelNotReady, match="does_not_fit"):
        world.ask("team/c")
    assert world.awake() == ["a", "b"]


def test_a_promotion_makes_room_too() -> None:
    world = World(limit=3)
    world.go()
    world.ask("team/b")
    world.ask("team/c")
    world.promote("team/c", 2)
    world.go()
    assert world.awake() == ["b", "c"]
    assert world.serving.spec_of("team/c").number == 2


def test_a_promotion_of_a_model_that_sleeps_answers_with_the_new_version() -> None:
    world = World(limit=2)
    world.go()
    world.promote("team/c", 2)
    world.go()
    assert world.ask("team/c") == "team/c"
    assert world.serving.find("team/c").choose("x").spec.number == 2


def test_a_standby_goes_before_a_model_that_answers() -> None:
    world = World(limit=3.5, is_lazy=True)
    world.go()
    world.ask("team/a")
    world.promote("team/a", 2)
    world.go()
    world.go()
    assert world.serving.find("team/a").standby
    world.ask("team/b")
    assert world.ask("team/c") == "team/c"
    assert (world.awake(), world.serving.find("team/a").standby) == (["a", "b", "c"], ())


def test_pinning_a_model_that_sleeps_loads_it() -> None:
    world = World(limit=2)
    world.go()
    world.ask("team/b")
    world.registry.pin("team/c")
    world.go()
    assert world.awake() == ["b", "c"]


def test_a_dismissed_model_sleeps_until_it_is_asked() -> None:
    world = World()
    world.go()
    world.serving.dismiss("team/b")
    world.go()
    assert world.awake() == ["a", "c"]
    assert world.read().used == 2 * GB
    assert world.ask("team/b") == "team/b"


def test_a_pinned_model_cannot_be_dismissed() -> None:
    world = World()
    world.registry.pin("team/b")
    world.go()
    world.serving.dismiss("team/b")
    world.go()
    assert world.awake() == ["a", "b", "c"]


def test_a_model_that_is_deleted_while_it_sleeps_is_not_found() -> None:
    world = World(is_lazy=True)
    world.go()
    state = world.registry.state
    models = {m: routes for m, routes in state.models.items() if m != "team/b"}
    world.registry.state = replace(state, generation=state.generation + 1, models=models)
    world.go()
    with pytest.raises(ModelNotFound):
        world.ask("team/b")


def test_waiting_has_a_limit_in_time_and_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(is_lazy=True)
    world.go()
    with pytest.raises(ModelNotReady, match="is being loaded"):
        asyncio.run(world.serving.awake("team/a", 0.0))
    monkeypatch.setattr("inference.serving.MAX_WAITING", 1)

    async def two() -> None:
        first = asyncio.ensure_future(world.serving.awake("team/a", 60))
        await asyncio.sleep(0)
        try:
            await world.serving.awake("team/b", 60)
        finally:
            first.cancel()

    with pytest.raises(QueueFull):
        asyncio.run(two())
