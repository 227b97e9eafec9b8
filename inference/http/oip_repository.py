"""What there is, by the Open Inference Protocol: the server, its models, what they have done."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal

from inference.errors import InvalidRequest, ModelNotReady
from inference.http.endpoints import Received, Reply
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.oip_inference import chosen_spec
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
from inference.service import Service
from inference.swap.states import IN_MEMORY, SwapState
from inference.tally import VersionTally
from inference.tasks.kinds import KINDS
from registry.errors import NotSupported
from registry.specs import VersionKind, VersionSpec

EXTENSIONS = ["binary_tensor_data", "model_configuration", "model_repository", "statistics"]
POLL_S = 0.1
ASLEEP = "it sleeps, and is loaded when somebody asks it"
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
        served = self._service.serving.look(received.model)
        spec = chosen_spec(received, served)
        kind = KINDS[spec.task]
        versions = [spec] if "version" in received.path else served.specs()
        info = ModelInfo(
            spec.model,
            [str(number) for number in sorted({each.number for each in versions})],
            _platform(spec),
            [tensor for tensor, _ in describe_inputs(kind)],
            describe_outputs(kind, spec.labels),
        )
        return Reply(info, headers=version_headers(spec))

    async def model_ready(self, received: Received[None]) -> Reply:
        model = received.model
        # One that sleeps is ready, too: whoever asks it has to wait, and is answered.
        spec = chosen_spec(received, self._service.serving.look(model))
        return Reply(ModelReady(model, True), headers=version_headers(spec))

    async def config(self, received: Received[None]) -> Reply:
        spec = chosen_spec(received, self._service.serving.look(received.model))
        kind = KINDS[spec.task]
        config = ModelConfig(
            name=spec.model,
            platform=_platform(spec),
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
        served = self._service.serving.look(received.model)
        asked = chosen_spec(received, served)
        specs = [asked] if "version" in received.path else served.specs()
        return Reply(Statistics(list(map(self._stats, specs))))

    async def all_stats(self, received: Received[None]) -> Reply:
        models = self._service.serving.table.models
        here = [spec for name in sorted(models) for spec in models[name].specs()]
        return Reply(Statistics(list(map(self._stats, here))))

    def _stats(self, spec: VersionSpec) -> ModelStats:
        own = self._service.tally.of(spec)
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
        model, serving = received.model, self._service.serving
        deadline = time.monotonic() + self._limits.timeout_s
        while True:
            try:
                served = await serving.awake(model, deadline - time.monotonic())
                return Reply(Loaded(), headers=version_headers(served.live[0].predictor.spec))
            except ModelNotReady:
                if serving.look(model).asleep or time.monotonic() + POLL_S >= deadline:
                    raise
            await asyncio.sleep(POLL_S)

    async def unload(self, received: Received[RepositoryRequest]) -> Reply:
        """Let a model sleep in this process, until somebody asks it."""
        model, serving = received.model, self._service.serving
        if serving.look(model).is_pinned:
            raise NotSupported(
                f"{model} is pinned: it stays in memory. To end that, run: "
                f"manage.py pin --off {model}.",
                details={"model": model},
            )
        deadline = time.monotonic() + self._limits.timeout_s
        while serving.look(model).live:
            serving.dismiss(model)
            if time.monotonic() + POLL_S >= deadline:
                raise ModelNotReady(
                    f"{model} cannot be unloaded now: it is in use, or being routed anew. Ask "
                    "again, or delete the model.",
                    details={"model": model},
                    retry_after_s=1,
                )
            await asyncio.sleep(POLL_S)
        return Reply(Loaded())


def _platform(spec: VersionSpec) -> str:
    is_far = spec.kind is VersionKind.REMOTE
    return "bellwether_remote" if is_far else "pytorch_safetensors"


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
        why = ASLEEP if model.asleep else model.failure or "nothing is loaded"
        return [IndexEntry(model.model, "", "UNAVAILABLE", why)]
    return [
        IndexEntry(model.model, str(each.version), _state(each), each.reason or _why(model))
        for each in model.versions
    ]


def _why(model: ModelReply) -> str:
    return ASLEEP if model.asleep else ""


def _state(version: VersionReply) -> Literal["READY", "LOADING", "UNAVAILABLE"]:
    state: Any = version.state
    if state in IN_MEMORY:
        return "READY"
    return "UNAVAILABLE" if state in _OUT_OF_MEMORY else "LOADING"
