"""What is served follows the registry, and a version that does not load changes nothing."""

from dataclasses import replace

import pytest

from inference.errors import ModelNotReady
from inference.predictor import Predictor
from inference.reconciler import RETRY_S, Reconciler
from inference.serving import Serving
from registry.errors import ModelNotFound
from registry.specs import VersionKind, VersionSpec
from tests.inference.doubles import FakeRegistry, a_predictor, a_spec


class Loader:
    """Loads anything but the versions in `broken`, and remembers what it loaded."""

    def __init__(self) -> None:
        self.broken: set[int] = set()
        self.loaded: list[int] = []

    def __call__(self, spec: VersionSpec) -> Predictor:
        if spec.number in self.broken:
            raise OSError("cannot map the weights")
        self.loaded.append(spec.number)
        return a_predictor(spec)


class World:
    def __init__(self) -> None:
        self.now = 0.0
        self.registry, self.loader, self.serving = FakeRegistry(), Loader(), Serving()
        self.shown: list[list[int]] = []
        self.reconciler = Reconciler(
            self.serving,
            self.registry,
            self.loader,
            clock=lambda: self.now,
            after_change=lambda specs: self.shown.append([spec.number for spec in specs]),
        )

    def served(self, key: str = "somebody") -> int:
        return self.serving.choose("team/model", key).spec.number


@pytest.fixture
def world() -> World:
    return World()


def test_a_promoted_version_is_loaded_and_served(world):
    world.registry.route((a_spec(1), 100))
    world.reconciler.reconcile()
    assert world.served() == 1
    assert world.shown == [[1]]


def test_nothing_new_loads_nothing(world):
    world.registry.route((a_spec(1), 100))
    for _ in range(5):
        world.reconciler.reconcile()
    assert world.loader.loaded == [1]


def test_a_version_that_does_not_load_leaves_the_old_one_serving(world):
    world.registry.route((a_spec(1), 100))
    world.reconciler.reconcile()
    world.loader.broken = {2}
    world.registry.route((a_spec(2), 100))
    world.reconciler.reconcile()
    assert world.served() == 1
    assert "cannot map the weights" in world.reconciler.failures["team/model"]


def test_loading_is_tried_again_after_a_while_and_heals(world):
    world.loader.broken = {1}
    world.registry.route((a_spec(1), 100))
    world.reconciler.reconcile()
    world.loader.broken = set()
    world.reconciler.reconcile()
    assert world.loader.loaded == []
    world.now += RETRY_S[0]
    world.reconciler.reconcile()
    assert world.served() == 1
    assert world.reconciler.failures == {}


def test_a_roll_back_needs_no_loading(world):
    for number in (1, 2, 1):
        world.registry.route((a_spec(number), 100))
        world.reconciler.reconcile()
    assert world.served() == 1
    assert world.loader.loaded == [1, 2]


def test_versions_long_gone_are_let_go(world):
    for number in (1, 2, 3, 1):
        world.registry.route((a_spec(number), 100))
        world.reconciler.reconcile()
    assert world.loader.loaded == [1, 2, 3, 1]


def test_a_registry_out_of_reach_changes_nothing(world):
    world.registry.route((a_spec(1), 100))
    world.reconciler.reconcile()
    world.registry.is_down = True
    with pytest.raises(OSError, match="away"):
        world.reconciler.reconcile()
    assert world.served() == 1


def test_a_model_whose_first_version_still_loads_is_not_ready_rather_than_missing(world):
    seen = []

    def loading(spec):
        with pytest.raises(ModelNotReady):
            world.served()
        seen.append(spec.number)
        return a_predictor(spec)

    world.reconciler._load = loading
    world.registry.route((a_spec(1), 100))
    world.reconciler.reconcile()
    assert seen == [1]


def test_before_the_registry_was_read_nothing_is_called_missing(world):
    with pytest.raises(ModelNotReady):
        world.served()


def test_weights_share_the_traffic_and_keys_stay(world):
    world.registry.route((a_spec(1), 50), (a_spec(2), 50))
    world.reconciler.reconcile()
    served = [world.served(f"key-{n}") for n in range(200)]
    assert 60 < served.count(1) < 140
    assert served == [world.served(f"key-{n}") for n in range(200)]


def test_an_unknown_model_and_one_without_a_version_are_told_apart(world):
    world.registry.route()
    world.reconciler.reconcile()
    with pytest.raises(ModelNotReady):
        world.served()
    with pytest.raises(ModelNotFound):
        world.serving.choose("team/nobody", "somebody")


def test_the_thread_follows_the_registry_and_stops():
    world = World()
    world.registry.route((a_spec(1), 100))
    world.reconciler.start()
    assert world.reconciler.wait_reconciled(5)
    world.reconciler.stop()
    assert world.served() == 1
    assert world.reconciler.is_registry_reachable


def test_a_committed_remote_version_is_tried_until_its_network_is_back(world):
    remote = replace(a_spec(1), kind=VersionKind.REMOTE)
    world.registry.route((remote, 100))
    world.loader.broken.add(1)
    for _ in range(10):
        world.reconciler.reconcile()
        world.now += RETRY_S[-1]
    assert world.loader.loaded == []
    world.loader.broken.clear()
    world.reconciler.reconcile()
    assert world.served() == 1


def test_a_version_of_files_that_does_not_load_is_given_up(world):
    world.registry.route((a_spec(1), 100))
    world.loader.broken.add(1)
    for _ in range(10):
        world.reconciler.reconcile()
        world.now += RETRY_S[-1]
    world.loader.broken.clear()
    world.reconciler.reconcile()
    assert world.loader.loaded == []


def test_a_process_left_behind_is_not_ready_while_it_loads_what_the_others_answer_with(world):
    world.registry.route((a_spec(1), 100))
    world.reconciler.reconcile()
    told = []

    class Telling(Loader):
        def __call__(self, spec: VersionSpec) -> Predictor:
            told.append(world.reconciler.reasons())
            return super().__call__(spec)

    world.reconciler._load = Telling()
    world.registry.route((a_spec(2), 100))
    world.reconciler.reconcile()
    assert len(told) == 1
    assert "team/model" in told[0][0]
    assert world.served() == 2
    assert world.reconciler.reasons() == []
