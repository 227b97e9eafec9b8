"""OpenAI's dialect, as the `openai` package speaks it: models and embeddings.

Text that is made has a module of its own, `openai_text`.
"""

from functools import partial
from typing import Any, Literal

import msgspec

from access.scopes import Scope
from inference.errors import InvalidRequest
from inference.http.endpoints import Endpoint, Received, Reply, reading
from inference.http.errors import version_headers
from inference.http.ignored import warn
from inference.http.limits import RequestLimits
from inference.http.openai_embeddings import (
    EmbeddingData,
    EmbeddingsReply,
    EmbeddingsRequest,
    EmbeddingUsage,
    reduced,
    shown,
)
from inference.http.openai_input import detokenizer, read_items, texts_of
from inference.http.openai_request import Asked, reader
from inference.http.steering import read_steering
from inference.service import Answer, Call, Service
from inference.tasks.kinds import TaskKind

# OpenAI's vectors have length one, and a text that is too long is refused there.
IMPLIED = {"normalize": msgspec.Raw(b"true"), "truncate": msgspec.Raw(b"false")}


class ModelCard(msgspec.Struct, frozen=True):
    """`created` is always 0: this plane does not know when."""

    id: str
    owned_by: str
    created: int = 0
    object: Literal["model"] = "model"


class ModelCards(msgspec.Struct, frozen=True):
    data: list[ModelCard]
    object: Literal["list"] = "list"


class OpenAIDialect:
    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    def endpoints(self) -> list[Endpoint[Any]]:
        return [
            reading(
                "/v1/models",
                self.models,
                ModelCards,
                "The models that answer",
                Scope.PREDICT,
                tag="openai",
                dialect="openai",
            ),
            reading(
                "/v1/models/{namespace}/{name}",
                self.model,
                ModelCard,
                "One model",
                Scope.PREDICT,
                tag="openai",
                dialect="openai",
            ),
            Endpoint(
                method="POST",
                path="/v1/embeddings",
                handler=self.embeddings,
                scope=Scope.PREDICT,
                body=EmbeddingsRequest,
                read=reader(EmbeddingsRequest),
                reply=EmbeddingsReply,
                summary="Turn texts into vectors",
                tag="openai",
                dialect="openai",
                is_steered=True,
            ),
        ]

    async def models(self, received: Received[None]) -> Reply:
        found = self._service.serving.table.models
        return Reply(ModelCards([_card(name) for name in sorted(found) if found[name].spec]))

    async def model(self, received: Received[None]) -> Reply:
        name = received.model
        spec = self._service.serving.spec_of(name)
        return Reply(_card(name), headers=version_headers(spec))

    async def embeddings(self, received: Received[Asked[EmbeddingsRequest]]) -> Reply:
        request = received.body.request
        kind = self._service.kind_of(request.model)
        if "embedding" not in kind.reply.__struct_fields__:
            raise InvalidRequest(
                f"{request.model} does {kind.name} and gives no embeddings. GET /v1/models lists "
                "the models.",
                details={"field": "model"},
            )
        items = read_items(request.input, "input", max_items=self._limits.max_inputs)
        steering = read_steering(received)
        inputs = await texts_of(
            items,
            "input",
            partial(
                detokenizer,
                self._service.serving,
                request.model,
                timeout_s=self._limits.timeout_s,
                key_id=received.key.id,
                request_id=received.request_id,
                steering=steering,
            ),
        )
        self._limits.check(inputs, field="input")
        own, ignored = received.body.sort_out(kind)
        answer = await self._service.predict(
            Call(
                model=request.model,
                inputs=inputs,
                parameters=msgspec.Raw(msgspec.json.encode(_implied(kind) | own)),
                request_id=received.request_id,
                dialect="openai",
                key_id=received.key.id,
                subject=request.user,
                timeout_s=self._limits.timeout_s,
                steering=steering,
            )
        )
        return Reply(
            _reply(answer, request),
            headers=version_headers(answer.spec) | warn(ignored, request.model),
        )


def _implied(kind: TaskKind) -> dict[str, msgspec.Raw]:
    own = set(kind.parameters.__struct_fields__)
    return {name: value for name, value in IMPLIED.items() if name in own}


def _card(model: str) -> ModelCard:
    return ModelCard(model, model.split("/", 1)[0])


def _reply(answer: Answer, request: EmbeddingsRequest) -> EmbeddingsReply:
    vectors = [
        reduced(prediction.decoded.fields["embedding"], request.dimensions)
        for prediction in answer.predictions
    ]
    n_tokens = sum(prediction.n_tokens for prediction in answer.predictions)
    return EmbeddingsReply(
        answer.spec.model,
        [
            EmbeddingData(index, shown(vector, request.encoding_format))
            for index, vector in enumerate(vectors)
        ],
        EmbeddingUsage(n_tokens, n_tokens),
    )
