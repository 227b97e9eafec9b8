"""Registry → engine: polls the registry's generation and makes this process serve what it says.

A version is loaded and warmed up on this thread, off the path of requests; only then is the table
replaced, in one assignment. A version that does not load never gets into the table: what served
before goes on serving, and the reason is in `failures`.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from inference.predictor import Predictor
from inference.serving import NOTHING_LOADED, LiveRoute, ServedModel, Serving, Table
from registry.specs import DesiredState, ModelRoutes, RouteMode, RouteSpec, VersionSpec

log = logging.getLogger(__name__)

POLL_S = 0.1
RETRY_S = (1.0, 5.0, 30.0, 120.0)
Identity = tuple[str, int, str]


class Registry(Protocol):
    """What the reconciler reads; `registry.queries` is one."""

    def load_generation(self) -> int: ...
    def load_desired_state(self) -> DesiredState: ...


class Reconciler:
    """One thread that keeps `serving` equal to the registry.

    `load` turns a version into a warmed-up predictor. `previous` predictors stay in memory, one a
    model, so that a roll-back needs no loading.
    """

    def __init__(
        self,
        serving: Serving,
        registry: Registry,
        load: Callable[[VersionSpec], Predictor],
        *,
        clock: Callable[[], float] = time.monotonic,
        after_change: Callable[[list[VersionSpec]], None] = lambda served: None,
    ) -> None:
        self._serving, self._registry, self._load, self._clock = serving, registry, load, clock
        self._after_change = after_change
        self._loaded: dict[Identity, Predictor] = {}
        self._previous: dict[str, Identity] = {}
        self._retries: dict[Identity, tuple[int, float]] = {}
        self._stop = threading.Event()
        self._reconciled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        self.failures: dict[str, str] = {}
        self.is_registry_reachable = False

    def start(self) -> None:
        self._thread.start()

    def wait_reconciled(self, timeout_s: float) -> bool:
        """Wait until the registry has been followed once; False if that took longer than
        `timeout_s`.
        """
        return self._reconciled.wait(timeout_s)

    def stop(self, timeout_s: float = 5) -> None:
        self._stop.set()
        self._thread.join(timeout_s)

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

    def reconcile(self) -> None:
        """Follow the registry once: nothing to do costs one tiny query."""
        is_current = self._registry.load_generation() == self._serving.table.generation
        if is_current and not self._is_retry_due():
            self._reconciled.set()
            return
        desired = self._registry.load_desired_state()
        self._announce(desired)
        models = {model: self._served(model, routes) for model, routes in desired.models.items()}
        self._remember_previous(models)
        self._serving.table = Table(desired.generation, models)
        self._forget_unused()
        self._after_change([predictor.spec for predictor in self._serving.table.predictors()])
        self._reconciled.set()

    def _announce(self, desired: DesiredState) -> None:
        """Make new models known before they load: until then they are not ready, not missing."""
        known = self._serving.table
        unknown = dict.fromkeys(desired.models, NOTHING_LOADED)
        self._serving.table = Table(known.generation, unknown | known.models)

    def _served(self, model: str, routes: ModelRoutes) -> ServedModel:
        return ServedModel(
            live=self._live_routes(model, routes.desired),
            salt=routes.salt,
            stickiness=routes.stickiness,
        )

    def _live_routes(self, model: str, specs: tuple[RouteSpec, ...]) -> tuple[LiveRoute, ...]:
        live = [spec for spec in specs if spec.mode is RouteMode.LIVE and spec.weight > 0]
        found = [(self._predictor(spec.version), spec.weight) for spec in live]
        loaded = tuple(LiveRoute(predictor, weight) for predictor, weight in found if predictor)
        if live and not loaded:
            return self._serving.table.models.get(model, NOTHING_LOADED).live
        if len(loaded) == len(live):
            self.failures.pop(model, None)
        return loaded

    def _predictor(self, spec: VersionSpec) -> Predictor | None:
        identity = _identity(spec)
        if identity in self._loaded:
            return self._loaded[identity]
        n_tried, not_before = self._retries.get(identity, (0, 0.0))
        if self._clock() < not_before:
            return None
        started = self._clock()
        try:
            predictor = self._load(spec)
        except Exception as error:
            self._retries[identity] = (
                n_tried + 1,
                self._clock() + RETRY_S[min(n_tried, len(RETRY_S) - 1)],
            )
            self.failures[spec.model] = f"v{spec.number}: {type(error).__name__}: {error}"
            log.exception(
                "cannot load %s v%s; what served before goes on serving", spec.model, spec.number
            )
            return None
        self._retries.pop(identity, None)
        self._loaded[identity] = predictor
        seconds = self._clock() - started
        log.info(
            "loaded %s v%s on %s in %.2f s",
            spec.model,
            spec.number,
            predictor.runtime.device,
            seconds,
        )
        return predictor

    def _is_retry_due(self) -> bool:
        return any(self._clock() >= not_before for _, not_before in self._retries.values())

    def _remember_previous(self, models: dict[str, ServedModel]) -> None:
        for model, before in self._serving.table.models.items():
            now = {id(route.predictor) for route in models.get(model, NOTHING_LOADED).live}
            for route in before.live:
                if id(route.predictor) not in now:
                    self._previous[model] = _identity(route.predictor.spec)

    def _forget_unused(self) -> None:
        """Drop what is neither served nor the previous version; a batch still running holds its
        own reference.
        """
        keep = {_identity(predictor.spec) for predictor in self._serving.table.predictors()}
        keep |= set(self._previous.values())
        self._loaded = {
            identity: predictor for identity, predictor in self._loaded.items() if identity in keep
        }
        self._retries = {
            identity: retry
            for identity, retry in self._retries.items()
            if identity[0] in self.failures
        }


def _identity(spec: VersionSpec) -> Identity:
    return (spec.model, spec.number, spec.digest)
