"""What there is, by the Open Inference Protocol: the server, its models, what they have done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from inference.errors import InvalidRequest, ModelNotReady
from inference.http.endpoints import Received, Reply
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.oip_inference import in_memory, predictor_of
from inference.http.oip_messages import (
    ConfigTensor,
    IndexEntry,
    Loaded,
    ModelConfig,
    ModelInfo,
    ModelNames,
    ModelReady,
    ModelStats,
    RepositoryRequest,
    ServerInfo,
    ServerLive,
    ServerReady,
    Statistics,
)
from inference.http.oip_models import describe_inputs, describe_outputs
from inference.http.operations import ModelReply, VersionReply
from inference.predictor import Predictor
from inference.service import Service
from inference.swap.states import IN_MEMORY, SwapState
from inference.tally import VersionTally
from inference.tasks.kinds import KINDS
from registry.errors import NotSupported

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
POLL_S = 0.1
_OUT_OF_MEMORY = frozenset({SwapState.FAILED, SwapState.UNLOADED})


class Repository:
    """`reasons` says why this process cannot answer, `models` what it has."""

    def __init__(
        self,
        service: Service,
        limits: RequestLimits,
        reasons: Callable[[], Awaitable[Sequence[str]]],
        models: Callable[[], Sequence[ModelReply]],
    ) -> None:
        self._service, self._limits = service, limits
        self._reasons, self._models = reasons, models

    async def server(self, received: Received[None]) -> Reply:
        return Reply(ServerInfo("bellwether", "2", EXTENSIONS))

    async def live(self, received: Received[None]) -> Reply:
        return Reply(ServerLive(True))

    async def ready(self, received: Received[None]) -> Reply:
        is_ready = not await self._reasons()
        return Reply(ServerReady(is_ready), status=200 if is_ready else 503)

    async def names(self, received: Received[None]) -> Reply:
        return Reply(ModelNames(sorted(self._service.serving.table.models)))

    async def model(self, received: Received[None]) -> Reply:
        served = self._service.serving.find(received.model)
        chosen = predictor_of(received, served)
        kind, spec = KINDS[chosen.spec.task], chosen.spec
        versions = [spec] if "version" in received.path else [p.spec for p in in_memory(served)]
        info = ModelInfo(
            spec.model,
            [str(number) for number in sorted({each.number for each in versions})],
            _platform(chosen),
            [tensor for tensor, _ in describe_inputs(kind)],
            describe_outputs(kind, spec.labels),
        )
        return Reply(info, headers=version_headers(spec))

    async def model_ready(self, received: Received[None]) -> Reply:
        model = received.model
        spec = predictor_of(received, self._service.serving.find(model)).spec
        return Reply(ModelReady(model, True), headers=version_headers(spec))

    async def config(self, received: Received[None]) -> Reply:
        chosen = predictor_of(received, self._service.serving.find(received.model))
        kind, spec = KINDS[chosen.spec.task], chosen.spec
        config = ModelConfig(
            name=spec.model,
            platform=_platform(chosen),
            backend="bellwether",
            max_batch_size=0,
            input=[
                ConfigTensor(each.name, _config_type(each.datatype), each.shape, is_optional)
                for each, is_optional in describe_inputs(kind)
            ],
            output=[
                ConfigTensor(each.name, _config_type(each.datatype), each.shape)
                for each in describe_outputs(kind, spec.labels)
            ],
            parameters={
                "task": {"string_value": kind.name},
                "digest": {"string_value": spec.digest},
            },
        )
        return Reply(config, headers=version_headers(spec))

    async def stats(self, received: Received[None]) -> Reply:
        served = self._service.serving.find(received.model)
        if "version" in received.path:
            return Reply(Statistics([self._stats(predictor_of(received, served))]))
        return Reply(Statistics([self._stats(each) for each in in_memory(served)]))

    async def all_stats(self, received: Received[None]) -> Reply:
        models = self._service.serving.table.models
        here = [each for name in sorted(models) for each in in_memory(models[name])]
        return Reply(Statistics([self._stats(each) for each in here]))

    def _stats(self, predictor: Predictor) -> ModelStats:
        spec, own = predictor.spec, self._service.tally.of(predictor.spec)
        return ModelStats(
            name=spec.model,
            version=str(spec.number),
            last_inference=round(own.last_at * 1000),
            inference_count=own.n_inputs - own.n_cached,
            execution_count=round(own.n_passes),
            inference_stats=_stages(own),
        )

    async def index(self, received: Received[RepositoryRequest]) -> Reply:
        entries = [entry for model in self._models() for entry in _entries(model)]
        if received.body.ready:
            entries = [entry for entry in entries if entry.state == "READY"]
        return Reply(entries)

    async def load(self, received: Received[RepositoryRequest]) -> Reply:
        """Wait until what the registry has a model answer with is loaded; nothing else is."""
        if received.body.parameters:
            raise InvalidRequest(
                "What is loaded comes from the registry: a load takes no parameters. "
                "manage.py register brings a new version in.",
                details={"field": "parameters"},
            )
        model = received.model
        deadline = time.monotonic() + self._limits.timeout_s
        while True:
            try:
                spec = self._service.serving.find(model).live[0].predictor.spec
                return Reply(Loaded(), headers=version_headers(spec))
            except ModelNotReady:
                if time.monotonic() + POLL_S >= deadline:
                    raise
            await asyncio.sleep(POLL_S)

    async def unload(self, received: Received[RepositoryRequest]) -> Reply:
        model = received.model
        self._service.serving.find(model)
        raise NotSupported(
            "The registry says what is loaded. To have another version answer instead, "
            f"run: manage.py promote {model} NUMBER. To remove the model, run: "
            f"manage.py delete_model {model}.",
            details={"model": model},
        )


def _platform(predictor: Predictor) -> str:
    return "bellwether_remote" if predictor.is_far else "pytorch_safetensors"


def _config_type(datatype: str) -> str:
    return {"BYTES": "TYPE_STRING"}.get(datatype, f"TYPE_{datatype}")


def _stages(own: VersionTally) -> dict[str, dict[str, int]]:
    """Only what was measured: decoding has no clock, so it says 0 times; what was remembered is
    counted by inputs, without a time.
    """
    n = own.n_answered
    return {
        "success": _duration(n, own.answered_s),
        "fail": _duration(own.n_failed, own.failed_s),
        "queue": _duration(n, own.queue_s),
        "compute_input": _duration(n, own.tokenize_s),
        "compute_infer": _duration(n, own.inference_s),
        "compute_output": _duration(0, 0),
        "cache_hit": _duration(own.n_cached, 0),
        "cache_miss": _duration(0, 0),
    }


def _duration(count: int, seconds: float) -> dict[str, int]:
    return {"count": count, "ns": round(seconds * 1e9)}


def _entries(model: ModelReply) -> list[IndexEntry]:
    if not model.versions:
        if model.version is not None:
            return [IndexEntry(model.model, str(model.version), "READY")]
        return [IndexEntry(model.model, "", "UNAVAILABLE", model.failure or "nothing is loaded")]
    return [
        IndexEntry(model.model, str(each.version), _state(each), each.reason or "")
        for each in model.versions
    ]


def _state(version: VersionReply) -> Literal["READY", "LOADING", "UNAVAILABLE"]:
    state: Any = version.state
    if state in IN_MEMORY:
        return "READY"
    return "UNAVAILABLE" if state in _OUT_OF_MEMORY else "LOADING"
