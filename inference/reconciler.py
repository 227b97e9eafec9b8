"""Registry → engine: polls the registry's generation and makes this process serve what it says.

Two phases. What is *desired* is prepared: loaded, tried out and warmed up on this thread, off the
path of requests. What is *committed* answers: the table is replaced, in one assignment. The
registry commits once every process has prepared. A version that fails on the way never gets into
the table: what served before goes on serving, and the reason stands in its track. What is committed
may also sleep: `inference.swap.residency` says what is in memory.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from inference.predictor import Predictor
from inference.serving import LiveRoute, ServedModel, Serving, Table
from inference.swap import memory
from inference.swap.fleet import Drained, Fleet
from inference.swap.ports import Desk, NullDesk, Registry, ReplicaReport
from inference.swap.preparing import Preparer
from inference.swap.progress import RETRY_S, Board, Tries
from inference.swap.replica import Replica
from inference.swap.residency import Residency
from inference.swap.states import CannotServe, identity_of
from registry.specs import (
    DesiredState,
    ModelRoutes,
    RouteMode,
    RouteSpec,
    VersionKind,
    VersionSpec,
)

__all__ = ["RETRY_S", "Reconciler"]

log = logging.getLogger(__name__)

POLL_S = 0.1
ROLLBACK_WINDOW_S = 3600.0
# Each pass can end in a commit that the next one applies.
MAX_PASSES = 4


class Reconciler:
    """One thread that keeps `serving` equal to what the registry committed.

    Without a `preparer` versions are only loaded. `drained` says whether nothing of a predictor
    waits or runs any more; `is_lazy` loads a model at its first request unless it is pinned.
    `clock` is monotonic, both clocks give seconds.
    """

    def __init__(
        self,
        serving: Serving,
        registry: Registry,
        load: Callable[[VersionSpec], Predictor],
        *,
        preparer: Preparer | None = None,
        desk: Desk | None = None,
        drained: Drained = lambda predictor: True,
        rollback_window_s: float = ROLLBACK_WINDOW_S,
        is_lazy: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        after_change: Callable[[list[VersionSpec]], None] = lambda served: None,
    ) -> None:
        self._serving, self._registry, self._load = serving, registry, load
        self._after_change = after_change
        self._desk = desk or NullDesk()
        self._preparer = preparer or Preparer(lambda spec: self._load(spec), tries_out=False)
        self._fleet = Fleet(
            clock=clock,
            wall_clock=wall_clock,
            drained=drained,
            rollback_window_s=rollback_window_s,
        )
        self._residency = Residency(
            serving, self._fleet, self._preparer, drained=drained, is_lazy=is_lazy, clock=clock
        )
        self._board, self._tries = Board(), Tries(clock)
        self._replica = Replica(
            self._desk,
            describe=self.describe,
            pending=self._board.pending,
            prepared=self._board.prepared_generations,
            applied=self._board.applied_generations,
            clock=clock,
        )
        self._is_unfinished = False
        self._stop = threading.Event()
        self._reconciled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        self.is_registry_reachable = False

    def start(self) -> None:
        self._replica.start()
        self._thread.start()

    def wait_reconciled(self, timeout_s: float) -> bool:
        """Wait until the registry has been followed once; False if that took longer."""
        return self._reconciled.wait(timeout_s)

    def stop(self, timeout_s: float = 5) -> None:
        self._stop.set()
        self._thread.join(timeout_s)
        self._replica.stop(timeout_s)

    @property
    def failures(self) -> dict[str, str]:
        """By model, why what should answer does not load."""
        return self._board.failures

    def reasons(self) -> list[str]:
        """Why this process should get no traffic now; empty when it should."""
        reasons = self._board.reasons(self._replica.lagging())
        if not any(served.live for served in self._serving.table.models.values()):
            # One model that cannot begin is its own trouble; nothing at all to answer with is ours.
            reasons += self._board.waiting()
        return reasons

    def describe(self) -> ReplicaReport:
        """This process as others see it; may be called by any thread."""
        return ReplicaReport(
            is_ready=self._reconciled.is_set() and not self.reasons(),
            rss_bytes=memory.read_rss(),
            states=self._board.states(self._fleet.facts(), self._residency.asleep),
        )

    def reconcile(self) -> None:
        """Follow the registry once: nothing to do costs one tiny query."""
        if self._fleet.tend():
            self._residency.show_standbys()
        self._fleet.release()
        is_current = self._registry.load_generation() == self._serving.table.generation
        is_asked = self._is_unfinished or self._tries.is_due() or self._serving.has_wishes
        if is_asked or not is_current:
            self._is_unfinished = True
            for _ in range(MAX_PASSES):
                if not self._follow(self._registry.load_desired_state()):
                    break
            self._is_unfinished = False
        self._reconciled.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.reconcile()
                self.is_registry_reachable = True
            except Exception:
                # A registry that cannot be read changes nothing: the table goes on serving.
                if self.is_registry_reachable:
                    log.exception(
                        "the registry cannot be read; serving goes on with what is loaded"
                    )
                self.is_registry_reachable = False
            self._stop.wait(POLL_S)
        self._desk.hang_up()

    def _follow(self, desired: DesiredState) -> bool:
        """Serve what is committed, prepare what is desired; True if that led to a commit, which is
        to be followed at once.
        """
        self._serving.announce(desired.models)
        self._board.see(desired)
        self._serve(desired)
        self._fleet.release()
        waiting = [
            self._prepare(model, routes)
            for model, routes in desired.models.items()
            if routes.generation != routes.committed_generation
        ]
        if any(waiting):
            return True
        self._forget(desired)
        self._fleet.release()
        self._replica.report()
        return False

    def _serve(self, desired: DesiredState) -> None:
        for model in self._serving.take_dismissals():
            self._residency.put_to_sleep(model, "somebody unloaded it")
        for model in self._residency.see(desired):
            if not self._residency.is_to_sleep(model):
                self._load_committed(model, desired.models[model])
        before = self._serving.table
        models = {model: self._served(model, routes) for model, routes in desired.models.items()}
        self._fleet.assign_roles(before.models, models)
        standbys = {m: replace(s, standby=self._fleet.standby(m)) for m, s in models.items()}
        self._serving.table = Table(desired.generation, standbys)
        # Only now: others are told that this process answers with it.
        for model, routes in desired.models.items():
            self._note(model, routes)
        self._after_change([predictor.spec for predictor in self._serving.table.predictors()])

    def _load_committed(self, model: str, routes: ModelRoutes) -> None:
        """Have what answers in memory; a model that requests wait for sleeps on where it fails."""
        live = [each.version for each in routes.committed if _is_live(each)]
        is_called = self._residency.is_called(model)
        if self._serving.look(model).live and not all(map(self._fleet.get, live)):
            # The others went on without this process: it must not answer as before meanwhile.
            self._replica.fall_behind(model)
        for each in routes.committed:
            if each.weight > 0:
                if is_called:
                    self._tries.forget(each.version)
                generation = routes.committed_generation
                self._predictor(each.version, routes.committed, generation, is_committed=True)
        if is_called and not all(map(self._fleet.get, live)):
            self._residency.failed(model, self._reason(routes.committed))
            for each in routes.committed:
                self._tries.forget(each.version)

    def _served(self, model: str, routes: ModelRoutes) -> ServedModel:
        """The table's entry, of what is in memory."""
        if self._residency.is_to_sleep(model):
            return self._residency.sleeping(model)
        live = self._held(routes, RouteMode.LIVE)
        if not live and any(map(_is_live, routes.committed)):
            live = self._serving.look(model).live
        return ServedModel(
            live=live,
            shadows=self._held(routes, RouteMode.SHADOW),
            salt=routes.salt,
            stickiness=routes.stickiness,
            generation=routes.committed_generation,
            is_pinned=routes.is_pinned,
        )

    def _note(self, model: str, routes: ModelRoutes) -> None:
        """Keep whether this process does what is committed, be it by sleeping."""
        wanted = [each for each in routes.committed if _is_live(each)]
        is_asleep = model in self._residency.asleep
        if is_asleep or len(self._held(routes, RouteMode.LIVE)) == len(wanted):
            self._board.applied(model, routes.committed_generation)
        else:
            self._board.not_applied(model, self._reason(routes.committed))

    def _held(self, routes: ModelRoutes, mode: RouteMode) -> tuple[LiveRoute, ...]:
        """The committed routes of `mode` that are in memory."""
        found = [
            (self._fleet.get(each.version), each.weight)
            for each in routes.committed
            if each.mode is mode and each.weight > 0
        ]
        return tuple(LiveRoute(predictor, weight) for predictor, weight in found if predictor)

    def _prepare(self, model: str, routes: ModelRoutes) -> bool:
        """Have every desired version in memory, then commit if the others have, too."""
        wanted = [each.version for each in routes.desired if each.weight > 0]
        generation = routes.generation
        found = [self._predictor(spec, routes.desired, generation) for spec in wanted]
        if all(found):
            self._board.prepared(model, generation)
        elif self._tries.is_over(wanted):
            self._board.not_prepared(model, generation, self._reason(routes.desired))
        self._replica.report()
        return self._desk.commit(model)

    def _predictor(
        self,
        spec: VersionSpec,
        routes: tuple[RouteSpec, ...],
        generation: int,
        *,
        is_committed: bool = False,
    ) -> Predictor | None:
        held = self._fleet.get(spec)
        if held is not None:
            return held
        if not self._tries.may_try(spec, generation):
            return None
        if self._fleet.make_room(spec.model, [route.version for route in routes]):
            self._residency.show_standbys()
            self._fleet.release()
        self._residency.make_room(spec)
        track = self._fleet.open_track(spec)
        try:
            predictor = self._preparer.prepare(track, generation)
        except CannotServe as refusal:
            # What was served once and lies elsewhere comes back when its network does.
            for_ever = is_committed and spec.kind is VersionKind.REMOTE
            will_try = self._tries.failed(spec, refusal, for_ever=for_ever)
            again = "tried again soon" if will_try else "not tried again"
            log.error("%s v%s: %s; %s", spec.model, spec.number, track.reason, again)
            return None
        self._tries.forget(spec)
        self._fleet.add(predictor)
        device = predictor.runtime.device
        log.info("%s v%s is ready on %s: %s", spec.model, spec.number, device, track.evidence)
        return predictor

    def _forget(self, desired: DesiredState) -> None:
        needed = {
            identity_of(route.version)
            for routes in desired.models.values()
            for route in (*routes.committed, *routes.desired)
        }
        self._fleet.drop(needed, desired.models.keys())
        self._tries.keep(needed)

    def _reason(self, routes: tuple[RouteSpec, ...]) -> str:
        reasons = [self._fleet.reason(route.version) for route in routes]
        return "; ".join(filter(None, reasons)) or "not loaded yet"


def _is_live(route: RouteSpec) -> bool:
    return route.mode is RouteMode.LIVE and route.weight > 0
