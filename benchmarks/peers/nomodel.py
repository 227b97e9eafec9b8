"""The whole prediction pipeline without a model: what the service itself costs a request."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from starlette.applications import Starlette

from access.asgi import admit
from benchmarks.bellwether import MODEL
from config.middleware import Observed
from inference.engine.engine import Engine
from inference.engine.limits import EngineLimits
from inference.http.endpoints import routes
from inference.http.limits import RequestLimits
from inference.http.native import NativeDialect
from inference.journal import Journal
from inference.predictor import Predictor
from inference.recording import Recorder
from inference.records import PredictionRecord
from inference.service import Service
from inference.serving import LiveRoute, ServedModel, Serving, Table
from inference.tasks.ports import Decoded, Encoded, Forwarded, Prepared
from monitoring.recorder import JournalWriter
from registry.specs import Pooling, VersionSpec

N_TOKENS, WIDTH = 25, 384
_ENCODED = Encoded(list(range(N_TOKENS)), None, False)
_FORWARDED = Forwarded(np.zeros(2, np.float32), np.zeros(WIDTH, np.float32))
_DECODED = Decoded(
    {"label": "POSITIVE", "score": 0.99}, "POSITIVE", 0.99, {"NEGATIVE": 0.01, "POSITIVE": 0.99}
)


class NoParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Nothing to choose."""


class ConstantTask:
    """Every text is the same 25 tokens, every answer POSITIVE."""

    accepts = (str,)
    parameters_type = NoParameters
    defaults = NoParameters()
    max_tokens = None

    def example(self, text: str) -> str:
        return text

    def encode(
        self, inputs: Sequence[Any], parameters: NoParameters, *, short: bool
    ) -> list[Encoded]:
        return [_ENCODED] * len(inputs)

    def decode(
        self, prepared: Prepared, outputs: Sequence[Forwarded], parameters: NoParameters
    ) -> Decoded:
        return _DECODED


class ConstantRuntime:
    """A forward pass that takes no time."""

    device = "none"

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        return [_FORWARDED] * len(batch)


class NoRecorder:
    """Keeps nothing."""

    def record(self, records: Sequence[PredictionRecord]) -> None:
        """Forget them."""


def build(home: Path, *, is_recording: bool) -> Observed:
    """Return the inference plane as `config.planes` builds it, around a model that is none."""
    writer = JournalWriter(Journal.open(home / "journal")) if is_recording else None
    recorder: Recorder = writer or NoRecorder()
    engine: Engine = Engine(EngineLimits(n_lanes=2, max_batch=8))
    service = Service(_serving(home), engine, recorder, stores_text=True)

    @asynccontextmanager
    async def running(app: Starlette) -> Any:
        engine.start()
        if writer:
            writer.start()
        yield
        engine.close(5)
        if writer:
            writer.stop()

    limits = RequestLimits(
        max_body_bytes=1 << 20,
        max_inputs=256,
        max_job_inputs=10_000,
        max_text_chars=100_000,
        timeout_s=30,
    )
    endpoints = NativeDialect(service, limits).endpoints()
    return Observed(
        Starlette(routes=routes(endpoints, admit, max_body_bytes=1 << 20), lifespan=running)
    )


def _serving(home: Path) -> Serving:
    spec = VersionSpec(
        model=MODEL,
        number=1,
        digest="0" * 64,
        task="text-classification",
        labels=("NEGATIVE", "POSITIVE"),
        pooling=Pooling.CLS,
        view=home,
        n_bytes=0,
    )
    serving = Serving()
    predictor = Predictor(spec=spec, task=ConstantTask(), runtime=ConstantRuntime())
    serving.table = Table(0, {MODEL: ServedModel(live=(LiveRoute(predictor, 100),))})
    return serving
