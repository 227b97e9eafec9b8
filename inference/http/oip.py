"""The Open Inference Protocol v2, as `tritonclient` speaks it: JSON, or bytes after the JSON.

`/v2/models/{namespace}/{name}` is a model. A version in the path is a pin. The registry decides
which versions answer: `load` waits until they are in memory, `unload` lets them sleep.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from access.scopes import Scope
from inference.http.endpoints import Endpoint, Received, Reply, reading
from inference.http.limits import RequestLimits
from inference.http.oip_generate import Generate
from inference.http.oip_inference import Inference
from inference.http.oip_messages import (
    IndexEntry,
    InferReply,
    InferRequest,
    Loaded,
    ModelConfig,
    ModelInfo,
    ModelNames,
    ModelReady,
    RepositoryRequest,
    ServerInfo,
    ServerLive,
    ServerReady,
    Statistics,
    read_infer,
    read_repository,
)
from inference.http.oip_repository import Repository
from inference.http.operations import ModelReply
from inference.service import Service

MODEL = "/v2/models/{namespace}/{name}"
REPOSITORY = "/v2/repository"


class OipDialect:
    """`reasons` and `models` are those of `inference.http.operations.Operations`."""

    def __init__(
        self,
        service: Service,
        limits: RequestLimits,
        reasons: Callable[[], Awaitable[Sequence[str]]],
        models: Callable[[], Sequence[ModelReply]],
    ) -> None:
        self._inference, self._generate = Inference(service, limits), Generate(service, limits)
        self._repository = Repository(service, limits, reasons, models)

    def endpoints(self) -> list[Endpoint[Any]]:
        # A model's own paths come first: `/v2/models/stats` has one part less, and is no model.
        versions = self._of_model(f"{MODEL}/versions/{{version}}")
        return [*self._server(), *self._of_model(MODEL), *versions, *self._of_repository()]

    def _server(self) -> list[Endpoint[Any]]:
        own = self._repository
        return [
            _get("/v2", own.server, ServerInfo, "What this server is", None),
            _get("/v2/health/live", own.live, ServerLive, "Whether the process runs", None),
            _get(
                "/v2/health/ready",
                own.ready,
                ServerReady,
                "Whether it can answer predictions (503 if not)",
                None,
            ),
            _get("/v2/models", own.names, ModelNames, "The models' names"),
            _get("/v2/models/stats", own.all_stats, Statistics, "What all versions here have done"),
        ]

    def _of_model(self, path: str) -> list[Endpoint[Any]]:
        own = self._repository
        return [
            _get(path, own.model, ModelInfo, "The model's tensors"),
            _get(f"{path}/ready", own.model_ready, ModelReady, "Whether it is loaded"),
            _get(f"{path}/config", own.config, ModelConfig, "The model's tensors, as Triton says"),
            _get(f"{path}/stats", own.stats, Statistics, "What it has done in this process"),
            Endpoint(
                method="POST",
                path=f"{path}/infer",
                handler=self._inference.infer,
                scope=Scope.PREDICT,
                body=InferRequest,
                read=read_infer,
                reply=InferReply,
                summary="Predict",
                tag="oip",
                dialect="oip",
                is_steered=True,
            ),
            *self._generate.endpoints(path),
        ]

    def _of_repository(self) -> list[Endpoint[Any]]:
        own, model = self._repository, f"{REPOSITORY}/models/{{namespace}}/{{name}}"
        return [
            _post(f"{REPOSITORY}/index", own.index, list[IndexEntry], "What is loaded"),
            _post(f"{model}/load", own.load, Loaded, "Wait until the model is loaded"),
            _post(
                f"{model}/unload",
                own.unload,
                Loaded,
                "Let the model sleep until it is asked",
                Scope.PROMOTE,
            ),
        ]


def _get(
    path: str,
    handler: Callable[[Received[Any]], Awaitable[Reply]],
    reply: Any,
    summary: str,
    scope: Scope | None = Scope.PREDICT,
) -> Endpoint[Any]:
    return reading(path, handler, reply, summary, scope, tag="oip", dialect="oip")


def _post(
    path: str,
    handler: Callable[[Received[Any]], Awaitable[Reply]],
    reply: Any,
    summary: str,
    scope: Scope = Scope.PREDICT,
) -> Endpoint[Any]:
    return Endpoint(
        method="POST",
        path=path,
        handler=handler,
        scope=scope,
        body=RepositoryRequest,
        read=read_repository,
        reply=reply,
        summary=summary,
        tag="oip",
        dialect="oip",
    )
