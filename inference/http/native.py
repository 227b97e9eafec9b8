"""The native dialect: `POST /api/v1/models/{ns}/{name}/predict`."""

from typing import Annotated, Any

import msgspec

from access.scopes import Scope
from inference.calls import NO_PARAMETERS
from inference.http.endpoints import Endpoint, Received, Reply
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.steering import read_steering
from inference.service import Answer, Call, Prediction, Service
from inference.tasks.answers import PredictionReply
from inference.tasks.kinds import TaskKind

Subject = Annotated[str, msgspec.Meta(max_length=200)]
Segment = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9._:/-]*$")]


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`inputs`: one text (or what else the model's task takes), or a list of them; `segment` groups
    predictions in quality reports; `subject` is whom the texts are about or from, so that they can
    be forgotten: only a keyed hash of it is kept.
    """

    inputs: msgspec.Raw
    parameters: msgspec.Raw = msgspec.field(default_factory=lambda: NO_PARAMETERS)
    segment: Segment = ""
    subject: Subject = ""


class TimingReply(msgspec.Struct, frozen=True):
    """Milliseconds spent tokenising, waiting, in the forward pass, and in all."""

    tokenize: float
    queue: float
    inference: float
    total: float


class PredictReply(msgspec.Struct, frozen=True):
    """The answers in the order of the inputs, and the version that really gave them."""

    model: str
    version: int
    digest: str
    predictions: list[PredictionReply]
    timing_ms: TimingReply


class NativeDialect:
    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    def endpoints(self) -> list[Endpoint[Any]]:
        return [
            Endpoint(
                method="POST",
                path="/api/v1/models/{namespace}/{name}/predict",
                handler=self.predict,
                scope=Scope.PREDICT,
                body=PredictRequest,
                reply=PredictReply,
                summary="Predict",
                tag="predict",
                is_steered=True,
            )
        ]

    async def predict(self, received: Received[PredictRequest]) -> Reply:
        request = received.body
        kind = self._service.kind_of(received.model)
        inputs = self._limits.read(request.inputs, kind)
        answer = await self._service.predict(
            Call(
                model=received.model,
                inputs=inputs,
                parameters=request.parameters,
                request_id=received.request_id,
                dialect="native",
                key_id=received.key.id,
                segment=request.segment,
                subject=request.subject,
                timeout_s=self._limits.timeout_s,
                steering=read_steering(received),
            )
        )
        return Reply(_reply(answer, kind), headers=version_headers(answer.spec))


def _reply(answer: Answer, kind: TaskKind) -> PredictReply:
    return PredictReply(
        answer.spec.model,
        answer.spec.number,
        answer.spec.digest,
        [_prediction(prediction, kind) for prediction in answer.predictions],
        TimingReply(**{stage: _ms(seconds) for stage, seconds in answer.timing.by_stage().items()}),
    )


def _prediction(prediction: Prediction, kind: TaskKind) -> PredictionReply:
    return kind.reply(
        id=prediction.id,
        n_tokens=prediction.n_tokens,
        truncated=prediction.truncated,
        **prediction.decoded.fields,
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
