"""The generate extension: `POST …/generate` and `…/generate_stream`, a text in and a text out.

As Triton's extension and KServe's draft of it have it; for the tasks that write.
"""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import Headers

from access.scopes import Scope
from inference import decoding
from inference.calls import Call, Started
from inference.errors import InvalidRequest
from inference.generation.events import FinishEvent, TokenEvent
from inference.generation.options import SAMPLING
from inference.http.endpoints import Endpoint, Received, Reply
from inference.http.errors import version_headers
from inference.http.ignored import warn
from inference.http.limits import RequestLimits
from inference.http.oip_inference import check_version, steering_of
from inference.http.oip_tensors import Parameters
from inference.http.openai_messages import Count
from inference.http.sse import EventStream
from inference.service import Service
from inference.streams import stream
from inference.tasks.answers import SequenceDetails
from inference.tasks.kinds import TaskKind
from inference.tasks.writing import FIELDS
from registry.specs import VersionSpec


class GenerateRequest(msgspec.Struct, frozen=True):
    """`parameters` are the task's; they may stand beside `text_input`, too. `max_tokens` is another
    name of `max_new_tokens`, and a `temperature` of 0 takes the likeliest tokens.
    """

    text_input: str
    parameters: Parameters = {}


@dataclass(frozen=True, slots=True)
class GenerateBody:
    text: str
    parameters: Mapping[str, msgspec.Raw]


class GenerateReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """`details` is there where the parameter of that name asks for it."""

    model_name: str
    model_version: str
    text_output: str
    details: SequenceDetails | None = None


class GenerateEvent(msgspec.Struct, frozen=True):
    """What the text goes on with; the last event, which is `done`, has none of it."""

    model_name: str
    model_version: str
    text_output: str
    done: bool


class Generate:
    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    def endpoints(self, path: str) -> list[Endpoint[Any]]:
        """Those of the models under `path`."""
        return [
            _post(f"{path}/generate", self.generate, GenerateReply, "Write a text"),
            _post(
                f"{path}/generate_stream",
                self.generate_stream,
                GenerateEvent,
                "Write a text, sent piece by piece",
            ),
        ]

    async def generate(self, received: Received[GenerateBody]) -> Reply:
        kind, call, ignored = await self._read(received)
        answer = await self._service.predict(call)
        check_version(received, answer.spec)
        fields = answer.predictions[0].decoded.fields
        details = fields.get("details")
        reply = GenerateReply(
            answer.spec.model,
            str(answer.spec.number),
            fields[FIELDS[kind.name]],
            details[0] if details else None,
        )
        return Reply(reply, headers=version_headers(answer.spec) | ignored)

    async def generate_stream(self, received: Received[GenerateBody]) -> Reply:
        _, call, ignored = await self._read(received)
        told = _events(self._service, call)
        started = await anext(told)
        assert isinstance(started, VersionSpec)  # noqa: S101 - it comes first
        try:
            check_version(received, started)
        except BaseException:
            await told.aclose()
            raise
        events = await EventStream.begin(told, idle_s=self._limits.timeout_s)
        return Reply(events, headers=version_headers(started) | ignored)

    async def _read(
        self, received: Received[GenerateBody]
    ) -> tuple[TaskKind, Call, dict[str, str]]:
        body, model = received.body, received.model
        kind = self._service.kind_of(model)
        if kind.name not in FIELDS:
            raise InvalidRequest(
                f"{model} does {kind.name}, which writes no text. POST /v2/models/{model}/infer.",
                details={"field": "model", "task": kind.name},
            )
        self._limits.check([body.text], field="text_input")
        given = read_parameters(body.parameters)
        known = set(kind.parameters.__struct_fields__)
        ignored = [name for name in given if name not in known]
        own = {name: value for name, value in given.items() if name in known}
        served = await self._service.serving.awake(model, self._limits.timeout_s)
        call = Call(
            model=model,
            inputs=(body.text,),
            parameters=msgspec.Raw(msgspec.json.encode(own)),
            request_id=received.request_id,
            dialect="oip",
            key_id=received.key.id,
            timeout_s=self._limits.timeout_s,
            steering=steering_of(received, served),
        )
        return kind, call, warn([f"parameters.{name}" for name in ignored], kind.name)


def read_generate(body: bytes, headers: Mapping[str, str] | Headers) -> GenerateBody:
    """Return what a body says; raises as `decoding.decode` does."""
    request = decoding.decode(body, GenerateRequest)
    beside = decoding.decode(body, dict[str, msgspec.Raw])
    for name in GenerateRequest.__struct_fields__:
        beside.pop(name, None)
    return GenerateBody(request.text_input, beside | request.parameters)


def read_parameters(asked: Mapping[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The parameters by the names that tasks give them; raises InvalidRequest for a wrong one."""
    given = {name: value for name, value in asked.items() if bytes(value) != b"null"}
    # The path says it.
    given.pop("stream", None)
    if "max_tokens" in given:
        if "max_new_tokens" in given:
            raise _wrong("max_tokens", "is the same as 'max_new_tokens'; send one of the two")
        limit = decoding.convert(given.pop("max_tokens"), Count, "parameters.max_tokens")
        given["max_new_tokens"] = msgspec.Raw(msgspec.json.encode(limit))
    if given.get("num_return_sequences", b"1") != b"1":
        raise _wrong("num_return_sequences", "must be 1: one text is written here")
    if "temperature" in given:
        heat = decoding.convert(given["temperature"], float, "parameters.temperature")
        if heat == 0:
            given = {name: value for name, value in given.items() if name not in SAMPLING}
            given["do_sample"] = msgspec.Raw(b"false")
    return given


async def _events(
    service: Service, call: Call
) -> AsyncGenerator[VersionSpec | GenerateEvent, None]:
    """The version, then pieces of the text; raises as `stream` does."""
    spec: VersionSpec | None = None
    async with aclosing(stream(service, call)) as told:
        async for each in told:
            if isinstance(each, Started):
                spec = each.spec
                yield spec
            elif isinstance(each, TokenEvent | FinishEvent):
                assert spec is not None  # noqa: S101 - Started comes first
                is_done = isinstance(each, FinishEvent)
                if is_done or each.text:
                    text = "" if is_done else each.text
                    yield GenerateEvent(spec.model, str(spec.number), text, is_done)


def _wrong(name: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"'parameters.{name}' {what}.", details={"field": f"parameters.{name}"})


def _post(path: str, handler: Any, reply: Any, summary: str) -> Endpoint[Any]:
    return Endpoint(
        method="POST",
        path=path,
        handler=handler,
        scope=Scope.PREDICT,
        body=GenerateRequest,
        read=read_generate,
        reply=reply,
        summary=summary,
        tag="oip",
        dialect="oip",
        is_steered=True,
    )
