"""Prepare, commit, switch, drain, stand by, unload: one process and a desk that it reports to."""

import gc
import weakref
from dataclasses import replace

import pytest

from inference.predictor import Predictor
from inference.reconciler import Reconciler
from inference.serving import Serving
from inference.swap.fleet import DRAIN_S
from inference.swap.ports import NullDesk
from inference.swap.preparing import Preparer
from inference.swap.progress import MAX_TRIES
from inference.swap.replica import LAG_S
from inference.swap.states import CannotServe
from registry.specs import DesiredState, ModelRoutes, RouteMode, RouteSpec, Stickiness
from tests.inference.doubles import a_predictor, a_spec

MODEL = "team/model"
Numbers = dict[int, int]


def routes_of(live: Numbers, shadow: Numbers) -> tuple[RouteSpec, ...]:
    modes = ((RouteMode.LIVE, live), (RouteMode.SHADOW, shadow))
    return tuple(
        RouteSpec(version=a_spec(number), mode=mode, weight=weight)
        for mode, numbers in modes
        for number, weight in numbers.items()
    )


class Desk(NullDesk):
    """Registry and desk in one; commits when this process is prepared and `others` are."""

    def __init__(self) -> None:
        self.generation = 0
        self.routes: ModelRoutes | None = None
        self.others = True
        self.reports: list[dict] = []

    def ask(self, *live: int, shadow: Numbers | None = None, **weights: int) -> None:
        """Desire these live versions with equal weights."""
        self.generation += 1
        desired = routes_of(dict.fromkeys(live, 100 // max(1, len(live))), shadow or {})
        before = self.routes
        self.routes = ModelRoutes(
            generation=self.generation,
            desired=desired,
            committed_generation=before.committed_generation if before else 0,
            committed=before.committed if before else (),
            salt="salt",
            stickiness=Stickiness.KEY,
        )

    def load_generation(self) -> int:
        return self.generation

    def load_desired_state(self) -> DesiredState:
        models = {MODEL: self.routes} if self.routes else {}
        return DesiredState(generation=self.generation, models=models)

    def report(self, report):
        self.reports.append(report)
        return {MODEL: self.routes.committed_generation} if self.routes else {}

    def commit(self, model):
        state, wanted = self.reports[-1].states[model], self.routes.generation
        if self.routes.committed_generation == wanted or not self.others:
            return False
        if state["prepared"] != wanted:
            return False
        self.settle()
        return True

    def settle(self) -> None:
        """Commit what is desired, whoever is prepared."""
        self.generation += 1
        self.routes = replace(
            self.routes,
            committed_generation=self.routes.generation,
            committed=self.routes.desired,
        )


class World:
    def __init__(self, window_s: float = 100.0) -> None:
        self.now, self.desk, self.serving = 0.0, Desk(), Serving()
        self.broken: dict[int, Exception] = {}
        self.loaded: list[int] = []
        self.alive: list[weakref.ref[Predictor]] = []
        self.busy: set[int] = set()
        self.most = 0
        self.reconciler = Reconciler(
            self.serving,
            self.desk,
            self.load,
            preparer=Preparer(self.load, desk=self.desk, tries_out=False),
            desk=self.desk,
            drained=lambda predictor: predictor.spec.number not in self.busy,
            rollback_window_s=window_s,
            clock=lambda: self.now,
            wall_clock=lambda: self.now,
        )

    def load(self, spec) -> Predictor:
        self.loaded.append(spec.number)
        if spec.number in self.broken:
            raise self.broken[spec.number]
        predictor = a_predictor(spec)
        self.alive.append(weakref.ref(predictor))
        self.most = max(self.most, len(self.in_memory()))
        return predictor

    def in_memory(self) -> list[int]:
        gc.collect()
        return sorted(p.spec.number for ref in self.alive if (p := ref()) is not None)

    def go(self, seconds: float = 0.0) -> None:
        self.now += seconds
        self.reconciler.reconcile()

    def promote(self, *numbers: int, **more) -> None:
        self.desk.ask(*numbers, **more)
        self.go()

    def served(self) -> int:
        return self.serving.choose(MODEL, "somebody").spec.number

    def state(self, number: int) -> str:
        versions = self.reconciler.describe().states[MODEL]["versions"]
        return next((v["state"] for v in versions if v["version"] == number), "unknown")

    def evidence(self, number: int) -> dict:
        versions = self.reconciler.describe().states[MODEL]["versions"]
        return next(v["evidence"] for v in versions if v["version"] == number)


@pytest.fixture
def world() -> World:
    world = World()
    world.promote(1)
    return world


def test_alone_a_version_answers_within_one_pass(world):
    world.promote(2)
    assert (world.served(), world.state(2), world.state(1)) == (2, "active", "draining")


def test_while_others_prepare_the_old_version_answers(world):
    world.desk.others = False
    world.promote(2)
    for _ in range(3):
        world.go(1)
    assert (world.served(), world.state(2)) == (1, "ready")
    assert world.loaded == [1, 2]
    assert world.desk.reports[-1].states[MODEL]["prepared"] == world.desk.routes.generation
    assert world.reconciler.reasons() == []
    world.desk.settle()
    world.go()
    assert (world.served(), world.loaded) == (2, [1, 2])


def test_a_version_that_fails_for_good_is_tried_once_and_the_old_one_stays(world):
    world.broken[2] = CannotServe("golden_failed", "case 0")
    world.promote(2)
    for _ in range(5):
        world.go(60)
    assert (world.served(), world.state(2), world.loaded) == (1, "failed", [1, 2])
    state = world.desk.reports[-1].states[MODEL]
    assert state["failed"] == world.desk.routes.generation
    assert state["reason"] == "v2: golden_failed: case 0"
    assert world.reconciler.reasons() == []


def test_a_load_that_fails_is_tried_three_times_then_reported(world):
    world.broken[2] = OSError("busy")
    world.promote(2)
    assert world.desk.reports[-1].states[MODEL]["failed"] == 0
    for _ in range(10):
        world.go(60)
    assert world.loaded == [1] + [2] * MAX_TRIES
    assert world.desk.reports[-1].states[MODEL]["failed"] == world.desk.routes.generation


def test_a_new_generation_of_the_same_routes_tries_again(world):
    world.broken[2] = CannotServe("does_not_fit", "no room")
    world.promote(2)
    world.broken.clear()
    world.promote(2)
    assert world.served() == 2


def test_a_newer_wish_supersedes_one_that_was_only_prepared(world):
    world.desk.others = False
    world.promote(2)
    world.desk.others = True
    world.promote(3)
    world.go()
    assert (world.served(), world.state(2)) == (3, "unloaded")
    assert world.in_memory() == [1, 3]


def test_a_roll_back_within_the_window_loads_nothing(world):
    world.promote(2)
    world.go()
    assert world.state(1) == "standby"
    assert [p.spec.number for p in world.serving.table.models[MODEL].standby] == [1]
    world.promote(1)
    assert (world.served(), world.loaded) == (1, [1, 2])


def test_after_the_window_the_standby_goes(world):
    world.promote(2)
    world.go(1)
    world.go(99)
    assert world.state(1) == "standby"
    world.go(2)
    assert world.state(1) == "unloaded"
    assert world.in_memory() == [2]
    assert world.serving.table.models[MODEL].standby == ()
    assert "freed_bytes" in world.evidence(1)


def test_without_a_window_nothing_stands_by():
    world = World(window_s=0)
    world.promote(1)
    world.promote(2)
    world.go()
    assert world.in_memory() == [2]


def test_never_more_than_two_copies_are_in_memory(world):
    for number in (2, 3, 4, 2, 1, 5):
        world.promote(number)
        world.go(1)
        assert world.served() == number
    assert world.most == 2


def test_a_failed_candidate_leaves_no_copy_behind(world):
    world.broken[2] = CannotServe("smoke_failed", "not finite")
    world.promote(2)
    assert world.in_memory() == [1]


def test_what_still_runs_drains_before_it_stands_by(world):
    world.busy = {1}
    world.promote(2)
    world.go(10)
    assert world.state(1) == "draining"
    world.busy = set()
    world.go(1)
    assert world.state(1) == "standby"
    assert world.evidence(1)["is_drained"]
    assert world.evidence(1)["drain_s"] == 11


def test_what_does_not_drain_is_reported_and_not_waited_for(world):
    world.busy = {1}
    world.promote(2)
    world.go(DRAIN_S + 1)
    assert world.state(1) == "standby"
    assert not world.evidence(1)["is_drained"]


def test_a_roll_back_takes_a_draining_version_as_it_is(world):
    world.busy = {1}
    world.promote(2)
    world.promote(1)
    assert (world.served(), world.state(1), world.loaded) == (1, "active", [1, 2])


def test_canary_and_shadow_are_active_with_their_roles(world):
    world.promote(1, 2, shadow={3: 10})
    assert [world.state(n) for n in (1, 2, 3)] == ["active"] * 3
    assert [world.evidence(n)["role"] for n in (1, 2, 3)] == ["live", "live", "shadow"]
    model = world.serving.table.models[MODEL]
    assert [route.predictor.spec.number for route in model.shadows] == [3]


def test_the_version_to_return_to_is_the_one_that_was_stable(world):
    world.promote(1, 2)
    world.promote(3)
    world.go()
    assert (world.state(1), world.state(2)) == ("standby", "unloaded")


def test_a_process_left_behind_is_unready_until_it_has_caught_up(world):
    world.broken[2] = OSError("busy")
    world.promote(2)
    world.desk.settle()
    world.go()
    assert world.served() == 1
    assert "v2: load_failed" in world.reconciler.reasons()[0]
    assert not world.reconciler.describe().is_ready
    world.broken.clear()
    world.go(5)
    assert (world.served(), world.reconciler.reasons()) == (2, [])


def test_whom_the_others_left_behind_is_unready_at_once(world):
    """As when a long load keeps the thread from looking."""
    world.desk.ask(2)
    world.desk.settle()
    world.reconciler._replica.beat()
    assert "behind the committed generation" in world.reconciler.reasons()[0]
    world.go()
    world.reconciler._replica.beat()
    assert world.reconciler.reasons() == []


def test_a_commit_not_followed_in_time_makes_unready(world):
    """As when a long load of another model keeps the thread from looking."""
    world.desk.others = False
    world.promote(2)
    world.desk.settle()
    world.reconciler._replica.beat()
    assert world.reconciler.reasons() == []
    world.now += LAG_S + 1
    assert "behind the committed generation" in world.reconciler.reasons()[0]
    world.go()
    world.reconciler._replica.beat()
    assert world.reconciler.reasons() == []


def test_an_unreachable_desk_is_asked_again_and_nothing_is_lost(world):
    def away(model):
        raise OSError("the database is away")

    commit, world.desk.commit = world.desk.commit, away
    world.desk.ask(2)
    with pytest.raises(OSError, match="away"):
        world.go()
    assert world.served() == 1
    world.desk.commit = commit
    world.go()
    assert (world.served(), world.loaded) == (2, [1, 2])


def test_a_model_that_is_gone_leaves_memory(world):
    world.desk.routes, world.desk.generation = None, world.desk.generation + 1
    world.go()
    assert world.in_memory() == []
    assert world.serving.table.models == {}
    assert world.reconciler.describe().states == {}


def test_a_joining_process_serves_what_is_committed_before_it_prepares_more(world):
    world.desk.others = False
    world.promote(2)
    joining = World()
    joining.desk = joining.reconciler._registry = joining.reconciler._desk = world.desk
    joining.reconciler._replica._desk = world.desk
    joining.go()
    assert (joining.served(), joining.loaded) == (1, [1, 2])


def test_with_nothing_to_answer_with_a_process_is_not_ready():
    world = World()
    world.broken[1] = CannotServe("does_not_fit", "no room")
    world.promote(1)
    assert "v1: does_not_fit" in world.reconciler.reasons()[0]
    world.broken.clear()
    world.promote(1)
    assert world.reconciler.reasons() == []
