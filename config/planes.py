"""The parts of one serving process, put together and started in order, stopped in reverse."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, cast

from a2wsgi import WSGIMiddleware
from django.conf import settings
from django.db import close_old_connections
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount

from access.asgi import admit
from access.entrance import get_gate
from access.errors import BellwetherError
from config import vitals
from config.labels import give_labels
from config.middleware import App, BufferedBody, Observed
from config.wsgi import application as django_application
from inference import metrics
from inference.caching import LocalMemory, Memory
from inference.describing import Describer
from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits
from inference.http.classic import ClassicDialect
from inference.http.classic_summaries import Summaries
from inference.http.endpoints import Endpoint, routes
from inference.http.errors import body_of, headers_of, status_of
from inference.http.guides import Guides
from inference.http.huggingface import HuggingFaceDialect
from inference.http.limits import RequestLimits
from inference.http.native import NativeDialect
from inference.http.oip import OipDialect
from inference.http.openai import OpenAIDialect
from inference.http.openai_text import OpenAIText
from inference.http.openai_writer import ServiceWriter
from inference.http.operations import Operations
from inference.http.tokenizing import Tokenizing
from inference.jobs import uploads as job_files
from inference.jobs.pace import Attention
from inference.jobs.runner import FileJobs, JobRunner
from inference.journal import Journal
from inference.passes import PassRunner
from inference.predictor import Predictor
from inference.reconciler import Reconciler
from inference.recording import MemoryRecorder
from inference.redaction import Redactor
from inference.redis_memory import RedisMemory
from inference.runtimes import loading
from inference.service import Service
from inference.serving import Serving
from inference.shadowing import Shadowing
from inference.swap.attempts import Attempts
from inference.swap.link import RegistryLink
from inference.swap.preparing import Preparer
from monitoring import metrics as monitor_metrics
from monitoring.recorder import JournalWriter
from monitoring.references.work import Texts
from registry import guides, uploads
from registry.hub import app as hub
from registry.hub.errors import ErrorTable

log = logging.getLogger(__name__)

# The first models may take this long; the server then starts and says why it is not ready.
FIRST_LOAD_S = 120.0
MANAGEMENT_THREADS = 10
# Remote versions: lanes that wait for the network. Nothing is padded; a call holds many texts.
FAR_LIMITS = EngineLimits(n_lanes=8, max_batch=64, max_batch_tokens=65_536, max_padding=0.99)
MAX_MANAGEMENT_BODY = 8 * 1024 * 1024


class Planes:
    """All that lives as long as the server: recorder, engine, reconciler, jobs, endpoints."""

    def __init__(self) -> None:
        self.journal = Journal.open(settings.BELLWETHER_HOME / "journal")
        self.writer = JournalWriter(self.journal)
        self.engine: Engine = Engine(
            _engine_limits(), observer=metrics.EngineObserver(), far_limits=FAR_LIMITS
        )
        self.serving = Serving()
        self.reconciler = _reconciler(self.serving, self.engine)
        self.shadowing = Shadowing(
            self.serving, self.writer, is_busy=lambda: self.service.n_running > 0
        )
        describer = _describer()
        attention = Attention(self.writer)
        self.service = Service(
            self.serving,
            self.engine,
            attention,
            describer=describer,
            shadowing=self.shadowing,
            memory=_memory(),
        )
        self.jobs = JobRunner(
            self.service, files=FileJobs(quiet_s=attention.quiet_s, give=give_labels)
        )
        unheard = MemoryRecorder()
        # Its answers are for references: no journal, no metrics, no shadows.
        self.aside = Service(
            self.serving,
            self.engine,
            unheard,
            describer=describer,
            is_counted=False,
        )
        self.of_monitor = monitor_metrics.register()
        self.passes = PassRunner(self.aside, unheard, Texts())

    def endpoints(self) -> list[Endpoint[Any]]:
        """Return what the inference plane answers; everything else is the management plane's."""
        limits = request_limits()
        model = settings.BELLWETHER_DEFAULT_MODEL
        operations = Operations(
            self.service,
            self.reconciler,
            model=model,
            metrics_open=settings.BELLWETHER_METRICS_OPEN,
            before_scrape=self._before_scrape,
        )
        return [
            *NativeDialect(self.service, limits).endpoints(),
            *Tokenizing(self.service, limits).endpoints(),
            *ClassicDialect(self.service, limits, self.jobs, model).endpoints(),
            *Summaries(self.service, limits, settings.BELLWETHER_SUMMARY_MODEL).endpoints(),
            *HuggingFaceDialect(self.service, limits).endpoints(),
            *OipDialect(self.service, limits, operations.reasons, operations.models).endpoints(),
            *OpenAIText(ServiceWriter(self.service), limits).endpoints(),
            *OpenAIDialect(self.service, limits).endpoints(),
            *operations.endpoints(),
        ]

    @asynccontextmanager
    async def running(self, app: Starlette) -> AsyncIterator[None]:
        self.writer.start()
        self.engine.start()
        self.reconciler.start()
        await asyncio.to_thread(self.reconciler.wait_reconciled, FIRST_LOAD_S)
        # Else the first request waits for the database, which is busiest just after a crash.
        await asyncio.to_thread(get_gate().ring.refresh)
        self.jobs.start()
        self.passes.start()
        vitals.register(self.engine, self.writer, self.journal, self.reconciler)
        guides.register(Guides(self.service, request_limits()).tell)
        try:
            yield
        finally:
            vitals.forget()
            guides.register(None)
            await self._stop()

    async def _stop(self) -> None:
        await self.passes.stop()
        await self.jobs.stop()
        self.reconciler.stop()
        if not await asyncio.to_thread(self.engine.close, settings.BELLWETHER_DRAIN_S):
            log.warning("some predictions could not finish within BELLWETHER_DRAIN_S")
        self.service.close()
        self.aside.close()
        await asyncio.to_thread(self.shadowing.stop)
        if not await asyncio.to_thread(self.writer.stop):
            log.warning(
                "some predictions are not in the database yet; the next start brings them there"
            )
        self.journal.close()

    def _before_scrape(self) -> None:
        """Runs in a thread: the monitor's numbers are in the database."""
        close_old_connections()
        try:
            self.of_monitor.refresh()
        finally:
            close_old_connections()
        metrics.RECORDER_LAG.set(self.writer.lag_s())
        metrics.JOURNAL_CORRUPT.set(self.writer.n_corrupt)
        served = self.serving.table.models.values()
        metrics.ASLEEP.set(sum(model.asleep is not None for model in served))
        metrics.QUEUE_DEPTH.set(self.engine.depth)
        metrics.QUEUE_TOKENS.set(self.engine.queued_tokens)


def build() -> Observed:
    """Return the one ASGI application: the inference plane's routes before the management plane."""
    planes = Planes()
    # The two libraries spell the types of one standard differently.
    wsgi = cast(App, WSGIMiddleware(cast(Any, django_application), MANAGEMENT_THREADS))
    management = BufferedBody(wsgi, MAX_MANAGEMENT_BODY)
    inference = routes(planes.endpoints(), admit, max_body_bytes=settings.BELLWETHER_MAX_BODY_BYTES)
    of_hub = hub.Hub(hub.routes(), admit, ErrorTable(status_of, headers_of))
    streamed = [*uploads.routes(admit, _refuse), *job_files.routes(admit, _refuse)]
    app = Starlette(
        routes=[*inference, of_hub, *streamed, Mount("/", management)], lifespan=planes.running
    )
    return Observed(app)


def _refuse(error: BellwetherError) -> Response:
    return JSONResponse(body_of(error), status_of(error), headers_of(error))


def request_limits() -> RequestLimits:
    return RequestLimits(
        max_body_bytes=settings.BELLWETHER_MAX_BODY_BYTES,
        max_inputs=settings.BELLWETHER_MAX_INPUTS,
        max_job_inputs=settings.BELLWETHER_MAX_JOB_INPUTS,
        max_text_chars=settings.BELLWETHER_MAX_TEXT_CHARS,
        timeout_s=settings.BELLWETHER_TIMEOUT_S,
    )


def _memory() -> Memory | None:
    """Where outputs are remembered; nowhere unless the settings give them room."""
    if not settings.BELLWETHER_CACHE_BYTES:
        return None
    if settings.REDIS_URL:
        return RedisMemory(settings.REDIS_URL, settings.BELLWETHER_CACHE_S)
    return LocalMemory(settings.BELLWETHER_CACHE_BYTES, settings.BELLWETHER_CACHE_S)


def _describer() -> Describer:
    return Describer(
        secret=settings.SECRET_KEY,
        stores_text=settings.BELLWETHER_STORE_TEXT,
        redactor=Redactor(settings.BELLWETHER_REDACT, settings.BELLWETHER_REDACT_PATTERNS),
    )


def _reconciler(serving: Serving, engine: Engine) -> Reconciler:
    link = RegistryLink()
    preparer = Preparer(
        loading.load_predictor,
        desk=link,
        room=loading.ModelRoom(),
        attempts=Attempts(settings.BELLWETHER_HOME / "loading"),
    )
    return Reconciler(
        serving,
        link,
        loading.load_predictor,
        preparer=preparer,
        desk=link,
        drained=partial(_is_drained, engine),
        rollback_window_s=settings.BELLWETHER_ROLLBACK_WINDOW_S,
        is_lazy=settings.BELLWETHER_LOADING == "lazy",
        after_change=metrics.show_versions,
    )


def _is_drained(engine: Engine, predictor: Predictor) -> bool:
    """Whether nothing of it waits or runs, in the engine or in threads of its own."""
    return engine.drained(predictor) and (predictor.writer is None or predictor.writer.is_drained)


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
