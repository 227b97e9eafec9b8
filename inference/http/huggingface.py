"""The Hugging Face inference dialect: what `huggingface_hub.InferenceClient` sends and parses.

`POST /models/{namespace}/{name}` takes the task from the model, `…/pipeline/{task}` names it. An
answer is one list of `{"label", "score"}`, best first, for every input, also for a single one: the
client reads the first list. What this server does not know is ignored, and said in `X-HF-Warning`.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from access.scopes import Scope
from inference.calls import Call, Started
from inference.errors import InvalidRequest, ModelNotReady
from inference.http import huggingface_stream
from inference.http.endpoints import Endpoint, Received, Reply, reading
from inference.http.errors import version_headers
from inference.http.huggingface_tasks import SHAPES, Asked
from inference.http.ignored import WARNING, warn
from inference.http.limits import RequestLimits
from inference.http.sse import EventStream
from inference.http.steering import read_steering
from inference.service import Service
from inference.tasks.inputs import Input
from inference.tasks.kinds import TaskKind

OPTIONS = frozenset({"wait_for_model", "use_cache", "use_gpu"})
POLL_S = 0.1
# What TGI serves; a client that asks another task for a stream gets its answer at once.
STREAMED = frozenset({"text-generation", "text2text-generation"})


# Not `None`: a union with it would take nothing else.
_NOT_GIVEN: Any = msgspec.field(default_factory=msgspec.Raw)


class HuggingFaceRequest(msgspec.Struct, frozen=True):
    """`inputs`: one text (or what else the task takes), or a list of them; `parameters` are the
    task's. `stream` sends a text that is written token by token. `options.wait_for_model` waits for
    a model that is loading. Feature extraction has its parameters beside `inputs`.
    """

    inputs: msgspec.Raw
    parameters: dict[str, msgspec.Raw] | None = None
    options: dict[str, msgspec.Raw] | None = None
    stream: bool = False
    normalize: msgspec.Raw = _NOT_GIVEN
    truncate: msgspec.Raw = _NOT_GIVEN
    dimensions: msgspec.Raw = _NOT_GIVEN
    prompt_name: msgspec.Raw = _NOT_GIVEN
    pooling: msgspec.Raw = _NOT_GIVEN


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
            reply=list[Any],
            summary=summary,
            tag="huggingface",
            dialect="huggingface",
            is_steered=True,
        )

    async def predict_task(self, received: Received[HuggingFaceRequest]) -> Reply:
        task, kind = received.path["task"], await self._kind(received)
        if task != kind.name and task not in kind.names:
            raise InvalidRequest(
                f"The task {task!r:.80} is not what {received.model} does. Use {kind.name}.",
                details={"field": "task"},
            )
        return await self._predict(received, kind)

    async def predict(self, received: Received[HuggingFaceRequest]) -> Reply:
        return await self._predict(received, await self._kind(received))

    async def _predict(self, received: Received[HuggingFaceRequest], kind: TaskKind) -> Reply:
        body, shape = received.body, SHAPES[kind.name]
        inputs = self._limits.read(body.inputs, kind)
        given, ignored = shape.sort_out(body, kind)
        call = Call(
            model=received.model,
            inputs=inputs,
            parameters=msgspec.Raw(msgspec.json.encode(given)),
            request_id=received.request_id,
            dialect="huggingface",
            key_id=received.key.id,
            timeout_s=self._limits.timeout_s,
            steering=read_steering(received),
        )
        options = [f"options.{name}" for name in body.options or {} if name not in OPTIONS]
        warning = warn([*ignored, *options], kind.name)
        if warning:
            warning["X-HF-Warning"] = warning[WARNING]
        if body.stream and kind.name in STREAMED:
            _check_one(inputs, given)
            return await self._stream(call, warning)
        answer = await self._service.predict(call)
        client = received.headers.get("user-agent", "")
        rows = shape.shape(answer.predictions, Asked(inputs, _is_list(body.inputs), client))
        return Reply(rows, headers=version_headers(answer.spec) | warning)

    async def _stream(self, call: Call, warning: dict[str, str]) -> Reply:
        told = huggingface_stream.events(self._service, call)
        started = await anext(told)
        assert isinstance(started, Started)  # noqa: S101 - it comes first
        stream = await EventStream.begin(told, idle_s=self._limits.timeout_s)
        return Reply(stream, headers=version_headers(started.spec) | warning)

    async def _kind(self, received: Received[HuggingFaceRequest]) -> TaskKind:
        """What the model does; waits for a model that is loading where the caller asks for that."""
        deadline = time.monotonic() + self._limits.timeout_s
        while True:
            try:
                return self._service.kind_of(received.model)
            except ModelNotReady:
                if not _waits(received) or time.monotonic() + POLL_S >= deadline:
                    raise
            await asyncio.sleep(POLL_S)

    async def health(self, received: Received[None]) -> Reply:
        return await self.info(received)

    async def info(self, received: Received[None]) -> Reply:
        served = self._service.serving.look(received.model)
        spec = (
            served.choose(received.key.id).spec
            if served.live
            else self._service.serving.spec_of(received.model)
        )
        info = HuggingFaceInfo(spec.model, spec.digest, spec.task, spec.number, spec.labels)
        return Reply(info, headers=version_headers(spec))


def _check_one(inputs: Sequence[Input], given: dict[str, msgspec.Raw]) -> None:
    """Raise InvalidRequest where several texts would be told in one stream, which has no names for
    them.
    """
    if len(inputs) > 1:
        raise InvalidRequest(
            f"'inputs' holds {len(inputs)} texts; one can be streamed. Send each by itself.",
            details={"field": "inputs"},
        )
    if bytes(given.get("num_return_sequences", b"1")) not in (b"1", b"null"):
        raise InvalidRequest(
            "'parameters.num_return_sequences' must be 1 where the text is streamed.",
            details={"field": "parameters.num_return_sequences"},
        )


def _is_list(raw: msgspec.Raw) -> bool:
    return bytes(memoryview(raw)[:1]) == b"["


def _waits(received: Received[HuggingFaceRequest]) -> bool:
    asked = (received.body.options or {}).get("wait_for_model")
    header = received.headers.get("x-wait-for-model", "")
    return (asked is not None and bytes(asked) == b"true") or header.lower() in {"true", "1"}
