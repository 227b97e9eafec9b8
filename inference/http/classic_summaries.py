"""`POST /summarize` of the classic dialect: one text, one summary."""

from typing import Any
from uuid import UUID

import msgspec

from access.scopes import Scope
from inference.calls import Call
from inference.http.endpoints import Endpoint, Received, Reply
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.steering import read_steering
from inference.service import Service
from registry.errors import ModelNotFound

TASK = "summarization"


class SummarizeRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Lengths are in tokens, as transformers counts them; null leaves the model's own."""

    text: str
    max_length: int | None = None
    min_length: int | None = None
    do_sample: bool | None = None


class SummaryReply(msgspec.Struct, frozen=True):
    """A text over the model's limit is summarised in `n_chunks` pieces; `processing_time` is
    seconds.
    """

    summary: str
    model: str
    version: int
    n_tokens: int
    n_chunks: int
    prediction_id: UUID | None
    processing_time: float


class Summaries:
    """Summaries by `model`; where that is empty, by the first that is served and does them."""

    def __init__(self, service: Service, limits: RequestLimits, model: str) -> None:
        self._service, self._limits, self._model = service, limits, model

    def endpoints(self) -> list[Endpoint[Any]]:
        return [
            Endpoint(
                method="POST",
                path="/summarize",
                handler=self.summarize,
                scope=Scope.PREDICT,
                body=SummarizeRequest,
                reply=SummaryReply,
                summary="Summarise one text",
                tag="classic",
                dialect="classic",
                is_steered=True,
            )
        ]

    async def summarize(self, received: Received[SummarizeRequest]) -> Reply:
        request = received.body
        self._limits.check([request.text], field="text")
        asked = {
            "max_length": request.max_length,
            "min_length": request.min_length,
            "do_sample": request.do_sample,
        }
        given = {name: value for name, value in asked.items() if value is not None}
        answer = await self._service.predict(
            Call(
                model=self._model or self._first(),
                inputs=(request.text,),
                parameters=msgspec.Raw(msgspec.json.encode(given)),
                request_id=received.request_id,
                dialect="classic",
                key_id=received.key.id,
                timeout_s=self._limits.timeout_s,
                steering=read_steering(received),
            )
        )
        (prediction,) = answer.predictions
        fields = prediction.decoded.fields
        reply = SummaryReply(
            summary=fields["summary_text"],
            model=answer.spec.model,
            version=answer.spec.number,
            n_tokens=prediction.n_tokens,
            n_chunks=fields.get("n_chunks", 1),
            prediction_id=prediction.id,
            processing_time=answer.timing.total_s,
        )
        return Reply(reply, headers=version_headers(answer.spec))

    def _first(self) -> str:
        models = self._service.serving.table.models
        for name in sorted(models):
            spec = models[name].spec
            if spec is not None and spec.task == TASK:
                return name
        raise ModelNotFound(
            "No model that summarises is served. Register and promote one, or name it in "
            "BELLWETHER_SUMMARY_MODEL."
        )
