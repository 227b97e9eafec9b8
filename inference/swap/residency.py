"""Which models are in memory, and which sleep: of those nothing is loaded until somebody asks them.

A model sleeps when there was no room for it at the start, when it had to make room for another, or,
where loading is lazy, until its first request. Room is made by whoever was not asked for longest;
a pinned model never makes room. The reconciler's thread changes this, and nobody else.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from inference import metrics
from inference.predictor import Predictor
from inference.serving import ServedModel, Serving, Table, Trouble
from inference.swap.fleet import Drained, Fleet
from registry.specs import DesiredState, ModelRoutes, VersionKind, VersionSpec

log = logging.getLogger(__name__)

# A model that could not be loaded is tried again for requests that come so much later.
WAKE_AGAIN_S = 5.0
# For so long (together 2 s) it is waited until who is to make room has answered what it has begun.
N_WAITS, WAIT_S = 100, 0.02


class Scales(Protocol):
    """What models weigh in memory, in bytes."""

    def weigh(self, spec: VersionSpec) -> int: ...

    def shortfall(self, specs: Sequence[VersionSpec]) -> int:
        """How much is missing to load all of `specs`; 0 when they fit."""
        ...


class Residency:
    """`is_lazy` lets every model sleep at first that is not pinned; `clock` is that of `serving`
    (monotonic seconds).
    """

    def __init__(
        self,
        serving: Serving,
        fleet: Fleet,
        scales: Scales,
        *,
        drained: Drained,
        is_lazy: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._serving, self._fleet, self._scales = serving, fleet, scales
        self._drained, self._is_lazy, self._clock = drained, is_lazy, clock
        self._desired = DesiredState(generation=-1, models={})
        self._asleep: set[str] = set()
        self._called: set[str] = set()
        self._troubles: dict[str, Trouble] = {}

    @property
    def asleep(self) -> frozenset[str]:
        return frozenset(self._asleep)

    def see(self, desired: DesiredState) -> list[str]:
        """Take note of what is asked for, by the registry and by requests; returns the models in
        the order in which they get their room: first pinned ones, then those that requests wait
        for.
        """
        self._desired, models = desired, desired.models
        self._asleep &= models.keys()
        self._troubles = {m: trouble for m, trouble in self._troubles.items() if m in self._asleep}
        wishes, now = self._serving.take_wishes(), self._clock()
        self._called = {
            model
            for model in wishes & self._asleep
            if model not in self._troubles or now >= self._troubles[model].until
        }
        return sorted(models, key=lambda m: (not models[m].is_pinned, m not in self._called, m))

    def is_called(self, model: str) -> bool:
        """Whether requests wait for a model that sleeps."""
        return model in self._called

    def is_to_sleep(self, model: str) -> bool:
        """Whether what is committed of `model` stays out of memory for now."""
        routes = self._desired.models[model]
        wanted = routed(routes)
        if model in self._called or routes.is_pinned or not any(map(_has_files, wanted)):
            self._asleep.discard(model)
        elif any(self._fleet.get(spec) for spec in wanted):
            # Somebody has prepared it meanwhile: new routes of it were committed.
            self._asleep.discard(model)
        elif self._may_fall_asleep(model) and (self._is_lazy or self._lacks_room(wanted)):
            self._asleep.add(model)
        return model in self._asleep

    def failed(self, model: str, reason: str) -> None:
        """A model that was called could not be loaded: it sleeps on, and requests hear why."""
        self._called.discard(model)
        self._asleep.add(model)
        self._troubles[model] = Trouble(reason, self._clock() + WAKE_AGAIN_S)
        self._let_go(model, self._serving.look(model), "it could not be loaded as a whole")

    def sleeping(self, model: str) -> ServedModel:
        """The table's entry of a model that sleeps."""
        routes = self._desired.models[model]
        return ServedModel(
            salt=routes.salt,
            stickiness=routes.stickiness,
            generation=routes.committed_generation,
            asleep=routed(routes)[0],
            trouble=self._troubles.get(model),
        )

    def make_room(self, spec: VersionSpec) -> None:
        """Unload what `spec` needs the room of: standbys, then models not asked for longest.

        Nothing goes where all of it would not be enough: a model that cannot fit harms nobody.
        """
        missing = self._scales.shortfall([spec])
        if missing <= 0:
            return
        victims = self._victims(besides=spec.model)
        standbys = self._fleet.standbys(besides=spec.model)
        could_go = [each for model in victims for each in self._serving.look(model).specs()]
        if sum(map(self._scales.weigh, (*could_go, *standbys))) < missing:
            return
        why, waits = f"made room for {spec.model}", iter(range(N_WAITS))
        for standby in standbys:
            self._fleet.unload(standby, why)
            self.show_standbys()
            self._fleet.release()
            if self._scales.shortfall([spec]) <= 0:
                return
        for model in victims:
            self.put_to_sleep(model, why, waits)
            if self._scales.shortfall([spec]) <= 0:
                return

    def put_to_sleep(self, model: str, why: str, waits: Iterator[int] | None = None) -> bool:
        """Unload all of a model that answers; False where it is pinned, or goes on being used for
        as long as there are `waits`.
        """
        if model not in self._victims():
            return False
        before = self._serving.look(model)
        # First nobody new chooses it, then nobody uses it, then it goes.
        self._show(model, self.sleeping(model))
        if not self._wait_drained(before, waits or iter(range(N_WAITS))):
            self._show(model, before)
            return False
        self._asleep.add(model)
        self._let_go(model, before, why)
        # Whatever refers to it keeps it in memory.
        del before
        self._fleet.release()
        metrics.UNLOADED.labels(model).inc()
        log.info("%s sleeps until it is asked: %s", model, why)
        return True

    def show_standbys(self) -> None:
        """Let the table tell which versions are kept for a roll-back."""
        table = self._serving.table
        models = {m: replace(s, standby=self._fleet.standby(m)) for m, s in table.models.items()}
        self._serving.table = Table(table.generation, models)

    def _lacks_room(self, wanted: Sequence[VersionSpec]) -> bool:
        """Whether others have the room that `wanted` needs. What would not fit even without them
        is no sleeper: it is to be loaded, and to fail with the figures.
        """
        taken = sum(map(self._scales.weigh, self._fleet.specs()))
        return 0 < self._scales.shortfall(wanted) <= taken

    def _may_fall_asleep(self, model: str) -> bool:
        """What answers goes on, also where others were committed without this process."""
        return model not in self._asleep and not self._serving.look(model).live

    def _victims(self, besides: str = "") -> list[str]:
        """Who may make room, the one not asked for longest first."""
        used_at, models = self._serving.used_at, self._desired.models
        found = [
            model
            for model, served in self._serving.table.models.items()
            if model != besides and served.live and model in models and _may_go(models[model])
        ]
        return sorted(found, key=lambda model: (used_at.get(model, float("-inf")), model))

    def _wait_drained(self, served: ServedModel, waits: Iterator[int]) -> bool:
        predictors: list[Predictor] = [*served.predictors(), *served.standby]
        while not all(map(self._drained, predictors)):
            if next(waits, None) is None:
                return False
            time.sleep(WAIT_S)
        return True

    def _let_go(self, model: str, served: ServedModel, why: str) -> None:
        held = [self._fleet.get(spec) for spec in routed(self._desired.models[model])]
        for predictor in {*served.predictors(), *served.standby, *filter(None, held)}:
            self._fleet.unload(predictor.spec, why)

    def _show(self, model: str, served: ServedModel) -> None:
        table = self._serving.table
        self._serving.table = Table(table.generation, {**table.models, model: served})


def routed(routes: ModelRoutes) -> list[VersionSpec]:
    """The committed versions that get traffic, the stable one first."""
    return [route.version for route in routes.committed if route.weight > 0]


def _has_files(spec: VersionSpec) -> bool:
    return spec.kind is VersionKind.FILES


def _may_go(routes: ModelRoutes) -> bool:
    """Pinned ones stay, those on their way to new routes are busy, remote ones take no room."""
    is_settled = routes.generation == routes.committed_generation
    return is_settled and not routes.is_pinned and any(map(_has_files, routed(routes)))
