"""The parts of one serving process, put together and started in order, stopped in reverse."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.conf import settings
from starlette.applications import Starlette
from starlette.routing import Mount

from access.asgi import admit
from config.middleware import App, BufferedBody, Observed
from config.wsgi import application as django_application
from inference import metrics
from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits
from inference.http.classic import ClassicDialect
from inference.http.endpoints import Endpoint, routes
from inference.http.limits import RequestLimits
from inference.http.native import NativeDialect
from inference.http.operations import Operations
from inference.jobs.runner import JobRunner
from inference.journal import Journal
from inference.reconciler import Reconciler
from inference.runtimes import loading
from inference.service import Service
from inference.serving import Serving
from monitoring.recorder import JournalWriter
from registry import queries

log = logging.getLogger(__name__)

# The first models may take this long; the server then starts and says why it is not ready.
FIRST_LOAD_S = 120.0
MANAGEMENT_THREADS = 10
MAX_MANAGEMENT_BODY = 8 * 1024 * 1024


class Planes:
    """All that lives as long as the server: recorder, engine, reconciler, jobs, endpoints."""

    def __init__(self) -> None:
        self.journal = Journal.open(settings.BELLWETHER_HOME / "journal")
        self.writer = JournalWriter(self.journal)
        self.engine: Engine = Engine(_engine_limits(), observer=metrics.EngineObserver())
        self.serving = Serving()
        self.reconciler = Reconciler(
            self.serving, queries, loading.load_predictor, after_change=metrics.show_versions
        )
        self.service = Service(
            self.serving, self.engine, self.writer, stores_text=settings.BELLWETHER_STORE_TEXT
        )
        self.jobs = JobRunner(self.service)

    def endpoints(self) -> list[Endpoint[Any]]:
        """Return what the inference plane answers; everything else is the management plane's."""
        limits = request_limits()
        model = settings.BELLWETHER_DEFAULT_MODEL
        return [
            *NativeDialect(self.service, limits).endpoints(),
            *ClassicDialect(self.service, limits, self.jobs, model).endpoints(),
            *Operations(
                self.service,
                self.reconciler,
                model=model,
                metrics_open=settings.BELLWETHER_METRICS_OPEN,
                before_scrape=self._before_scrape,
            ).endpoints(),
        ]

    @asynccontextmanager
    async def running(self, app: Starlette) -> AsyncIterator[None]:
        self.writer.start()
        self.engine.start()
        self.reconciler.start()
        await asyncio.to_thread(self.reconciler.wait_reconciled, FIRST_LOAD_S)
        self.jobs.start()
        try:
            yield
        finally:
            await self._stop()

    async def _stop(self) -> None:
        await self.jobs.stop()
        self.reconciler.stop()
        if not await asyncio.to_thread(self.engine.close, settings.BELLWETHER_DRAIN_S):
            log.warning("some predictions could not finish within BELLWETHER_DRAIN_S")
        self.service.close()
        if not await asyncio.to_thread(self.writer.stop):
            log.warning(
                "some predictions are not in the database yet; the next start brings them there"
            )
        self.journal.close()

    def _before_scrape(self) -> None:
        metrics.RECORDER_LAG.set(self.writer.lag_s())
        metrics.JOURNAL_CORRUPT.set(self.writer.n_corrupt)
        metrics.QUEUE_DEPTH.set(self.engine.depth)
        metrics.QUEUE_TOKENS.set(self.engine.queued_tokens)


def build() -> Observed:
    """Return the one ASGI application: the inference plane's routes before the management plane."""
    planes = Planes()
    # The two libraries spell the types of one standard differently.
    wsgi = cast(App, WSGIMiddleware(cast(Any, django_application), MANAGEMENT_THREADS))
    management = BufferedBody(wsgi, MAX_MANAGEMENT_BODY)
    inference = routes(planes.endpoints(), admit, max_body_bytes=settings.BELLWETHER_MAX_BODY_BYTES)
    app = Starlette(routes=[*inference, Mount("/", management)], lifespan=planes.running)
    return Observed(app)


def request_limits() -> RequestLimits:
    return RequestLimits(
        max_body_bytes=settings.BELLWETHER_MAX_BODY_BYTES,
        max_inputs=settings.BELLWETHER_MAX_INPUTS,
        max_job_inputs=settings.BELLWETHER_MAX_JOB_INPUTS,
        max_text_chars=settings.BELLWETHER_MAX_TEXT_CHARS,
        timeout_s=settings.BELLWETHER_TIMEOUT_S,
    )


def _engine_limits() -> EngineLimits:
    chosen = loading.load_batch_shape()
    return EngineLimits(
        n_lanes=chosen.n_lanes,
        max_batch=chosen.max_batch,
        max_batch_tokens=chosen.max_batch_tokens,
        max_padding=chosen.max_padding,
        max_queue=settings.BELLWETHER_MAX_QUEUE,
        max_queue_tokens=settings.BELLWETHER_MAX_QUEUE_TOKENS,
    )
