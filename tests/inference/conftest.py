"""The inference plane on predictors without a model: everything real but the weights."""

import asyncio
import socket
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette

from access.gate import Gate
from access.keyring import KeyFacts, KeyRing, digest_of
from access.ratelimit import make_limiter
from access.scopes import Scope
from config.middleware import Observed
from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits
from inference.http.classic import ClassicDialect
from inference.http.classic_summaries import Summaries
from inference.http.endpoints import routes
from inference.http.huggingface import HuggingFaceDialect
from inference.http.limits import RequestLimits
from inference.http.native import NativeDialect
from inference.http.oip import OipDialect
from inference.http.openai import OpenAIDialect
from inference.http.openai_text import OpenAIText
from inference.http.openai_writer import ServiceWriter
from inference.http.operations import Operations
from inference.http.tokenizing import Tokenizing
from inference.http.writing import Event, Order
from inference.jobs.runner import JobRunner
from inference.predictor import Predictor
from inference.reconciler import Reconciler
from inference.recording import MemoryRecorder
from inference.service import Service
from inference.serving import Serving
from registry.specs import VersionSpec
from tests.inference.doubles import FakeRegistry, ScriptedWriter, a_predictor, a_spec

LIMITS = RequestLimits(
    max_body_bytes=1024 * 1024,
    max_inputs=64,
    max_job_inputs=1000,
    max_text_chars=100_000,
    timeout_s=5.0,
)


class Plane:
    """A whole inference plane in this process; `call` sends one request through its ASGI door."""

    def __init__(
        self,
        *,
        gate: threading.Event | None = None,
        max_queue: int = 100,
        predictor: Predictor | None = None,
        others: Sequence[Predictor] = (),
    ) -> None:
        """`others` are served, too, each as a model of its own."""
        self.registry, self.serving, self.recorder = FakeRegistry(), Serving(), MemoryRecorder()
        self.predictor = predictor or a_predictor(a_spec(1), gate)
        self.engine = Engine(EngineLimits(n_lanes=1, max_batch=8, max_queue=max_queue))
        self.reconciler = Reconciler(self.serving, self.registry, self._load)
        self.writer = ScriptedWriter()
        self.service = Service(self.serving, self.engine, self.recorder, stores_text=True)
        self.keys = {
            "good-key": KeyFacts(id="good", name="good", scopes=frozenset({Scope.ADMIN})),
            "reader": KeyFacts(id="reader", name="reader", scopes=frozenset({Scope.READ})),
            "asker": KeyFacts(id="asker", name="asker", scopes=frozenset({Scope.PREDICT})),
            "hasty": KeyFacts(
                id="hasty", name="hasty", scopes=frozenset({Scope.ADMIN}), rate="2/minute"
            ),
        }
        self.loaded: list[str] = []
        self._others = {each.spec.model: each for each in others}
        for spec in (self.predictor.spec, *(each.spec for each in others)):
            self.registry.route((spec, 100), model=spec.model)
        self.reconciler.reconcile()
        self.app = self._build()

    def _load(self, spec: VersionSpec) -> Predictor:
        self.loaded.append(spec.model)
        return self._others.get(spec.model, self.predictor)

    def _build(self) -> Any:
        gate = Gate(
            KeyRing(lambda: {digest_of(key): facts for key, facts in self.keys.items()}),
            make_limiter("100000/minute", ""),
        )

        async def admit(headers: Any, required: Scope) -> KeyFacts:
            found = {name.decode(): value.decode("latin-1") for name, value in headers}
            return gate.admit(found.get("authorization"), found.get("x-api-key"), required)

        operations = Operations(
            self.service,
            self.reconciler,
            model="team/model",
            metrics_open=False,
            before_scrape=lambda: None,
        )
        # Versions that write speak for themselves; where there are none a script does.
        writers = [each for each in (self.predictor, *self._others.values()) if each.writer]
        writer: Any = _ByModel(self.writer, ServiceWriter(self.service)) if writers else self.writer
        endpoints = [
            *NativeDialect(self.service, LIMITS).endpoints(),
            *Tokenizing(self.service, LIMITS).endpoints(),
            *ClassicDialect(
                self.service, LIMITS, JobRunner(self.service), "team/model"
            ).endpoints(),
            *Summaries(self.service, LIMITS, "").endpoints(),
            *HuggingFaceDialect(self.service, LIMITS).endpoints(),
            *OipDialect(self.service, LIMITS, operations.reasons, operations.models).endpoints(),
            *OpenAIDialect(self.service, LIMITS).endpoints(),
            *OpenAIText(writer, LIMITS, clock=lambda: 1_700_000_000.5).endpoints(),
            *operations.endpoints(),
        ]
        return Observed(
            Starlette(routes=routes(endpoints, admit, max_body_bytes=LIMITS.max_body_bytes))
        )

    async def acall(self, method: str, path: str, **options: Any) -> httpx.Response:
        options.setdefault("headers", {"Authorization": "Bearer good-key"})
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://plane") as client:
            return await client.request(method, path, **options)

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return asyncio.run(self.acall(method, path, **options))

    def predict(self, inputs: Any, **more: Any) -> httpx.Response:
        path = f"/api/v1/models/{self.predictor.spec.model}/predict"
        return self.call("POST", path, json={"inputs": inputs, **more})


class _ByModel:
    """Has team/script written by a script, every other model by itself."""

    def __init__(self, script: ScriptedWriter, service: ServiceWriter) -> None:
        self._script, self._service = script, service

    def write(self, order: Order) -> AsyncGenerator[Event, None]:
        writer = self._script if order.model == "team/script" else self._service
        return writer.write(order)


@contextmanager
def a_plane(**options: Any) -> Iterator[Plane]:
    plane = Plane(**options)
    plane.engine.start()
    try:
        yield plane
    finally:
        plane.engine.close(5)
        plane.service.close()


@contextmanager
def behind_socket(plane: Plane) -> Iterator[str]:
    """The plane behind a real socket; gives its address."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    server = uvicorn.Server(uvicorn.Config(plane.app, lifespan="off", log_level="error"))
    thread = threading.Thread(
        target=lambda: asyncio.run(server.serve([sock])), name="plane", daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(5)


@pytest.fixture
def plane() -> Iterator[Plane]:
    with a_plane() as plane:
        yield plane
