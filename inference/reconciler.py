"""Registry → engine: polls the registry's generation and makes this process serve what it says.

Two phases. What is *desired* is prepared: loaded, tried out and warmed up on this thread, off the
path of requests. What is *committed* answers: the table is replaced, in one assignment. The
registry commits once every process has prepared. A version that fails on the way never gets into
the table: what served before goes on serving, and the reason stands in its track.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from inference.predictor import Predictor
from inference.serving import NOTHING_LOADED, LiveRoute, ServedModel, Serving, Table
from inference.swap import memory
from inference.swap.fleet import Drained, Fleet, identity_of
from inference.swap.ports import Desk, NullDesk, Registry, ReplicaReport
from inference.swap.preparing import Preparer
from inference.swap.progress import RETRY_S, Board, Tries
from inference.swap.replica import Replica
from inference.swap.states import CannotServe
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
    waits or runs in the engine; `clock` is monotonic, both clocks give seconds.
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
        self._board, self._tries = Board(), Tries(clock)
        self._replica = Replica(
            self._desk,
            describe=self.describe,
            pending=self._board.pending,
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
        """Wait until the registry has been followed once; False if that took longer than
        `timeout_s`.
        """
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
            states=self._board.states(self._fleet.facts()),
        )

    def reconcile(self) -> None:
        """Follow the registry once: nothing to do costs one tiny query."""
        if self._fleet.tend():
            self._show_standbys()
        self._fleet.release()
        is_current = self._registry.load_generation() == self._serving.table.generation
        if not is_current or self._is_unfinished or self._tries.is_due():
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
        self._announce(desired)
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

    def _announce(self, desired: DesiredState) -> None:
        """Make new models known before they load: until then they are not ready, not missing."""
        known = self._serving.table
        unknown = dict.fromkeys(desired.models, NOTHING_LOADED)
        self._serving.table = Table(known.generation, unknown | known.models)

    def _serve(self, desired: DesiredState) -> None:
        before = self._serving.table
        models = {model: self._served(model, routes) for model, routes in desired.models.items()}
        self._mark_roles(before, models)
        standbys = {m: replace(s, standby=self._fleet.standby(m)) for m, s in models.items()}
        self._serving.table = Table(desired.generation, standbys)
        self._after_change([predictor.spec for predictor in self._serving.table.predictors()])

    def _served(self, model: str, routes: ModelRoutes) -> ServedModel:
        generation = routes.committed_generation
        wanted = _of_mode(routes.committed, RouteMode.LIVE)
        before = self._serving.table.models.get(model, NOTHING_LOADED).live
        if before and not all(self._fleet.get(each.version) for each in wanted):
            # The others went on without this process: it must not answer as before meanwhile.
            self._replica.fall_behind(model)
        live = self._loaded(wanted, routes.committed, generation)
        if len(live) == len(wanted):
            self._board.applied(model, generation)
        else:
            self._board.not_applied(model, self._reason(routes.committed))
        if wanted and not live:
            live = before
        shadows = _of_mode(routes.committed, RouteMode.SHADOW)
        return ServedModel(
            live=live,
            shadows=self._loaded(shadows, routes.committed, generation),
            salt=routes.salt,
            stickiness=routes.stickiness,
            generation=generation,
        )

    def _loaded(
        self, wanted: list[RouteSpec], routes: tuple[RouteSpec, ...], generation: int
    ) -> tuple[LiveRoute, ...]:
        found = [
            (self._predictor(each.version, routes, generation, is_committed=True), each.weight)
            for each in wanted
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
            self._show_standbys()
            self._fleet.release()
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
        self._tries.succeeded(spec)
        self._fleet.add(predictor)
        device = predictor.runtime.device
        log.info("%s v%s is ready on %s: %s", spec.model, spec.number, device, track.evidence)
        return predictor

    def _show_standbys(self) -> None:
        table = self._serving.table
        models = {m: replace(s, standby=self._fleet.standby(m)) for m, s in table.models.items()}
        self._serving.table = Table(table.generation, models)

    def _mark_roles(self, before: Table, models: dict[str, ServedModel]) -> None:
        for served in models.values():
            for role, routes in (("live", served.live), ("shadow", served.shadows)):
                for route in routes:
                    self._fleet.activate(route.predictor, role)
        for model, served in before.models.items():
            now = {id(each) for each in models.get(model, NOTHING_LOADED).predictors()}
            # The stable one last: of several that go, it is the one to return to.
            for predictor in reversed(served.predictors()):
                if id(predictor) not in now:
                    is_live = any(route.predictor is predictor for route in served.live)
                    self._fleet.retire(predictor, keep=is_live and model in models)

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


def _of_mode(routes: tuple[RouteSpec, ...], mode: RouteMode) -> list[RouteSpec]:
    return [route for route in routes if route.mode is mode and route.weight > 0]
