"""The Hugging Face inference dialect: what `huggingface_hub.InferenceClient` sends and parses.

`POST /models/{namespace}/{name}` takes the task from the model, `…/pipeline/{task}` names it. An
answer is one list of `{"label", "score"}`, best first, for every input, also for a single one: the
client reads the first list. What this server does not know is ignored, and said in `X-HF-Warning`.
"""

import asyncio
import time
from typing import Any

import msgspec

from access.scopes import Scope
from inference.errors import InvalidRequest, ModelNotReady
from inference.http.endpoints import Endpoint, Received, Reply, reading
from inference.http.errors import version_headers
from inference.http.limits import RequestLimits
from inference.http.native import LabelScore, TextPair
from inference.http.steering import read_steering
from inference.service import Answer, Call, Service
from inference.tasks.tokenizing import Pair

# Other names under which transformers knows the task.
TASKS = frozenset({"text-classification", "sentiment-analysis"})
PARAMETERS = ("top_k", "function_to_apply")
FIELDS = frozenset({"inputs", "parameters", "options"})
OPTIONS = frozenset({"wait_for_model", "use_cache", "use_gpu"})
MAX_NAMED = 5
POLL_S = 0.1

ALL = msgspec.Raw(b"null")
Text = str | TextPair


class HuggingFaceRequest(msgspec.Struct, frozen=True):
    """`inputs`: one text, a pair, or a list of them. `parameters`: `top_k` (all labels unless
    given) and `function_to_apply`. `options.wait_for_model` waits for a model that is loading.
    """

    inputs: Text | list[Text]
    parameters: dict[str, msgspec.Raw] | None = None
    options: dict[str, msgspec.Raw] | None = None


class HuggingFaceInfo(msgspec.Struct, frozen=True):
    """What answers for the model now."""

    model_id: str
    sha: str
    pipeline_tag: str
    version: int
    labels: tuple[str, ...]


class HuggingFaceDialect:
    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    def endpoints(self) -> list[Endpoint[Any]]:
        path = "/models/{namespace}/{name}"
        return [
            self._post(path, self.predict, "Predict, the task being the model's"),
            self._post(f"{path}/pipeline/{{task}}", self.predict_task, "Predict, naming the task"),
            reading(
                f"{path}/health",
                self.health,
                HuggingFaceInfo,
                "Whether a version of the model is loaded",
                Scope.PREDICT,
                tag="huggingface",
                dialect="huggingface",
            ),
            reading(
                f"{path}/info",
                self.info,
                HuggingFaceInfo,
                "What answers for the model now",
                Scope.PREDICT,
                tag="huggingface",
                dialect="huggingface",
            ),
        ]

    def _post(self, path: str, handler: Any, summary: str) -> Endpoint[Any]:
        return Endpoint(
            method="POST",
            path=path,
            handler=handler,
            scope=Scope.PREDICT,
            body=HuggingFaceRequest,
            reply=list[list[LabelScore]],
            summary=summary,
            tag="huggingface",
            dialect="huggingface",
            is_steered=True,
        )

    async def predict_task(self, received: Received[HuggingFaceRequest]) -> Reply:
        task = received.path["task"]
        if task not in TASKS:
            raise InvalidRequest(
                f"The task {task!r:.80} is not served here. Use text-classification.",
                details={"field": "task"},
            )
        return await self.predict(received)

    async def predict(self, received: Received[HuggingFaceRequest]) -> Reply:
        items = received.body.inputs if isinstance(received.body.inputs, list) else None
        inputs = [
            item if isinstance(item, str) else Pair(item.text, item.text_pair)
            for item in (items if items is not None else [received.body.inputs])
            if isinstance(item, str | TextPair)
        ]
        self._limits.check(inputs, field="inputs")
        answer = await self._answer(received, inputs)
        rows = [_row(prediction.decoded.fields) for prediction in answer.predictions]
        warning = _warning(received.body)
        headers = version_headers(answer.spec) | ({"X-HF-Warning": warning} if warning else {})
        return Reply(rows, headers=headers)

    async def health(self, received: Received[None]) -> Reply:
        return await self.info(received)

    async def info(self, received: Received[None]) -> Reply:
        spec = self._service.serving.choose(_model(received), received.key.id).spec
        info = HuggingFaceInfo(spec.model, spec.digest, spec.task, spec.number, spec.labels)
        return Reply(info, headers=version_headers(spec))

    async def _answer(
        self, received: Received[HuggingFaceRequest], inputs: list[str | Pair]
    ) -> Answer:
        given = received.body.parameters or {}
        known = {"top_k": ALL} | {name: given[name] for name in PARAMETERS if name in given}
        deadline = time.monotonic() + self._limits.timeout_s
        waits = _waits(received)
        while True:
            call = Call(
                model=_model(received),
                inputs=inputs,
                parameters=msgspec.Raw(msgspec.json.encode(known)),
                request_id=received.request_id,
                dialect="huggingface",
                key_id=received.key.id,
                timeout_s=max(0.001, deadline - time.monotonic()),
                steering=read_steering(received),
            )
            try:
                return await self._service.predict(call)
            except ModelNotReady:
                if not waits or time.monotonic() + POLL_S >= deadline:
                    raise
            await asyncio.sleep(POLL_S)


def _model(received: Received[Any]) -> str:
    return f"{received.path['namespace']}/{received.path['name']}"


def _waits(received: Received[HuggingFaceRequest]) -> bool:
    asked = (received.body.options or {}).get("wait_for_model")
    header = received.headers.get("x-wait-for-model", "")
    return (asked is not None and bytes(asked) == b"true") or header.lower() in {"true", "1"}


def _row(fields: dict[str, Any]) -> list[LabelScore]:
    shown = fields.get("scores") or [fields]
    return [LabelScore(each["label"], each["score"]) for each in shown]


def _warning(request: HuggingFaceRequest) -> str:
    """What was ignored, as the client logs it: topic, semicolon, text. Empty when nothing was."""
    ignored = [f"parameters.{name}" for name in request.parameters or {} if name not in PARAMETERS]
    ignored += [f"options.{name}" for name in request.options or {} if name not in OPTIONS]
    if not ignored:
        return ""
    shown = ", ".join(_printable(name) for name in sorted(ignored)[:MAX_NAMED])
    more = f" and {len(ignored) - MAX_NAMED} more" if len(ignored) > MAX_NAMED else ""
    return f"Ignored parameters; text-classification does not use {shown}{more}"


def _printable(name: str) -> str:
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in name)[:60]
