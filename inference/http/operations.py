"""Health and metrics: what orchestrators and Prometheus ask."""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Literal
from weakref import WeakKeyDictionary

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from access.scopes import Scope
from inference.errors import InferenceError
from inference.http.endpoints import Endpoint, Received, Reply, reading
from inference.metrics import READY
from inference.predictor import Predictor
from inference.probing import prepare
from inference.reconciler import Reconciler
from inference.service import Service
from inference.serving import NOTHING_LOADED
from inference.tasks.ports import flatten

log = logging.getLogger(__name__)

# Older proof than this, and readiness runs a real forward pass.
PROOF_S = 15.0
PROBE_TIMEOUT_S = 5.0
PROBE_TEXT = "ready"
# What must be read for a scrape may take so long; then the numbers of the last one are shown.
SCRAPE_TIMEOUT_S = 3.0


_get = partial(reading, tag="operations")


class Live(msgspec.Struct, frozen=True):
    status: Literal["live"]


class VersionReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a version stands in this process; `reason` is there once it has failed."""

    version: int
    state: str
    reason: str | None = None


class ModelReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """`version` is null while nothing of the model is loaded, as of one that is `asleep`: that is
    loaded when somebody asks it. `failure` says why what should answer does not load; `versions`
    are those that this process has, had or tried.
    """

    model: str
    version: int | None
    device: str | None
    failure: str | None = None
    asleep: bool = False
    versions: list[VersionReply] = []


class Ready(msgspec.Struct, frozen=True):
    """`reasons` is empty when ready."""

    status: Literal["ready", "not_ready"]
    reasons: list[str]
    models: list[ModelReply]


class ClassicHealth(msgspec.Struct, frozen=True):
    status: Literal["healthy", "unhealthy"]
    model_loaded: bool
    model: str
    version: int | None
    device: str | None


class Operations:
    def __init__(
        self,
        service: Service,
        reconciler: Reconciler,
        *,
        model: str,
        metrics_open: bool,
        before_scrape: Callable[[], None],
    ) -> None:
        """`before_scrape` brings metrics up to date; it runs in a thread, and may block."""
        self._service, self._reconciler, self._model = service, reconciler, model
        self._metrics_open, self._before_scrape = metrics_open, before_scrape
        self._proved_at: WeakKeyDictionary[Predictor, float] = WeakKeyDictionary()

    def endpoints(self) -> list[Endpoint[Any]]:
        return [
            _get("/health/live", self.live, Live, "Whether the process runs", None),
            _get(
                "/health/ready",
                self.ready,
                Ready,
                "Whether it can answer predictions (503 if not)",
                None,
            ),
            _get("/health", self.classic, ClassicHealth, "The classic health answer", None),
            _get(
                "/metrics",
                self.metrics,
                str,
                "Prometheus metrics",
                None if self._metrics_open else Scope.READ,
            ),
        ]

    async def live(self, received: Received[None]) -> Reply:
        return Reply(Live("live"))

    async def ready(self, received: Received[None]) -> Reply:
        reasons = await self.reasons()
        READY.set(not reasons)
        reply = Ready("not_ready" if reasons else "ready", reasons, self.models())
        return Reply(reply, status=503 if reasons else 200)

    async def classic(self, received: Received[None]) -> Reply:
        reasons = await self.reasons()
        served = self._service.serving.table.models.get(self._model, NOTHING_LOADED)
        routes = served.live
        predictor = routes[0].predictor if routes else None
        reply = ClassicHealth(
            status="unhealthy" if reasons else "healthy",
            model_loaded=predictor is not None,
            model=self._model,
            version=predictor.spec.number if predictor else None,
            device=predictor.runtime.device if predictor else None,
        )
        return Reply(reply, status=503 if reasons else 200)

    async def metrics(self, received: Received[None]) -> Reply:
        try:
            await asyncio.wait_for(asyncio.to_thread(self._before_scrape), SCRAPE_TIMEOUT_S)
        except TimeoutError:
            log.warning("some metrics are as old as the last scrape: the database is slow")
        return Reply(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    async def reasons(self) -> list[str]:
        """Why this process cannot answer predictions; empty when it can."""
        table = self._service.serving.table
        reasons = self._reconciler.reasons()
        if table.generation < 0:
            reasons.append("the registry has not been read yet")
        if not self._service.engine.is_healthy:
            reasons.append("a lane of the engine has died and is starting again")
        for predictor in table.answering():
            # What ails another machine does not make this one unready.
            if not predictor.is_far and (reason := await self._disproof(predictor)):
                reasons.append(reason)
        return reasons

    async def _disproof(self, predictor: Predictor) -> str | None:
        """Run a forward pass unless one was proven lately; return why it failed, if it did."""
        if predictor.writer is not None:
            # Its threads say how they are; a pass would wait behind whatever is being written.
            is_well = predictor.writer.is_healthy
            return None if is_well else f"{predictor.spec.model}: its generator does not go on"
        now = time.monotonic()
        if now - self._proved_at.get(predictor, -PROOF_S) < PROOF_S:
            return None
        pieces = flatten(prepare(predictor, [PROBE_TEXT], short=True))
        try:
            results = await self._service.engine.submit(
                predictor, pieces, deadline=now + PROBE_TIMEOUT_S
            )
        except InferenceError as error:
            return f"{predictor.spec.model}: {error.message}"
        if isinstance(results[0], InferenceError):
            return f"{predictor.spec.model}: {results[0].message}"
        self._proved_at[predictor] = now
        return None

    def models(self) -> list[ModelReply]:
        """What this process has of every model."""
        failures, states = self._reconciler.failures, self._reconciler.describe().states
        return [
            ModelReply(
                model,
                served.live[0].predictor.spec.number if served.live else None,
                served.live[0].predictor.runtime.device if served.live else None,
                served.trouble.reason if served.trouble else failures.get(model),
                served.asleep is not None,
                [
                    VersionReply(each["version"], each["state"], each["reason"])
                    for each in states.get(model, {}).get("versions", ())
                ],
            )
            for model, served in sorted(self._service.serving.table.models.items())
        ]
