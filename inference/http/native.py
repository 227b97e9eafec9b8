"""The native dialect: `POST /api/v1/models/{ns}/{name}/predict`."""

from typing import Annotated, Any
from uuid import UUID

import msgspec

from access.scopes import Scope
from inference.http.endpoints import Endpoint, Received, Reply
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.steering import read_steering
from inference.service import Answer, Call, Prediction, Service
from inference.tasks.tokenizing import Pair

Subject = Annotated[str, msgspec.Meta(max_length=200)]
Segment = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z0-9._:/-]*$")]


NO_PARAMETERS = msgspec.Raw(b"{}")


class TextPair(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Two texts that the model reads together."""

    text: str
    text_pair: str


class PredictRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """`inputs`: one text, a pair, or a list of them; `segment` groups predictions in quality
    reports; `subject` is whom the texts are about or from, so that they can be forgotten: only a
    keyed hash of it is kept.
    """

    inputs: str | TextPair | list[str | TextPair]
    parameters: msgspec.Raw = msgspec.field(default_factory=lambda: NO_PARAMETERS)
    segment: Segment = ""
    subject: Subject = ""


class LabelScore(msgspec.Struct, frozen=True):
    label: str
    score: float


class PredictionReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """One answer. `scores` is there when `top_k` asked for it; `truncated` says that tokens were
    cut off.
    """

    id: UUID | None
    label: str
    score: float
    n_tokens: int
    truncated: bool
    scores: list[LabelScore] | None = None


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
        items = request.inputs if isinstance(request.inputs, list) else [request.inputs]
        inputs = [
            item if isinstance(item, str) else Pair(item.text, item.text_pair) for item in items
        ]
        self._limits.check(inputs, field="inputs")
        answer = await self._service.predict(
            Call(
                model=f"{received.path['namespace']}/{received.path['name']}",
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
        return Reply(_reply(answer), headers=version_headers(answer.spec))


def _reply(answer: Answer) -> PredictReply:
    return PredictReply(
        answer.spec.model,
        answer.spec.number,
        answer.spec.digest,
        [_prediction(prediction) for prediction in answer.predictions],
        TimingReply(**{stage: _ms(seconds) for stage, seconds in answer.timing.by_stage().items()}),
    )


def _prediction(prediction: Prediction) -> PredictionReply:
    fields = prediction.decoded.fields
    return PredictionReply(
        id=prediction.id,
        n_tokens=prediction.n_tokens,
        truncated=prediction.truncated,
        label=fields["label"],
        score=fields["score"],
        scores=fields.get("scores"),
    )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)
