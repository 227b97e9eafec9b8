"""`POST /v2/models/{ns}/{name}[/versions/{v}]/infer`: tensors in, tensors out."""

import re
from typing import Any

import msgspec

from inference.errors import InvalidRequest, VersionNotLoaded
from inference.http import codec
from inference.http.endpoints import Received, Reply
from inference.http.errors import version_headers
from inference.http.ignored import warn
from inference.http.limits import RequestLimits
from inference.http.oip_messages import InferBody, InferReply
from inference.http.oip_models import describe_outputs, inputs_of, outputs_of
from inference.http.oip_options import Options, check_outputs, read_options, select
from inference.http.oip_tensors import LENGTH_HEADER, Output, read_texts, write
from inference.http.steering import check_may_pin, read_steering
from inference.routing import Steering
from inference.service import Answer, Call, Service
from inference.serving import ServedModel, not_ready
from inference.tasks.kinds import TaskKind
from registry.specs import VersionSpec

_NUMBER = re.compile("[1-9][0-9]{0,8}")


class Inference:
    def __init__(self, service: Service, limits: RequestLimits) -> None:
        self._service, self._limits = service, limits

    async def infer(self, received: Received[InferBody]) -> Reply:
        body, model = received.body, received.model
        kind = self._service.kind_of(model)
        served = await self._service.serving.awake(model, self._limits.timeout_s)
        labels = served.live[0].predictor.spec.labels
        check_outputs(body.request.outputs, [o.name for o in describe_outputs(kind, labels)])
        options = read_options(body.request, kind)
        inputs = inputs_of(read_texts(body.request.inputs, body.raw), kind)
        self._limits.check(inputs, field="inputs")
        answer = await self._service.predict(
            Call(
                model=model,
                inputs=inputs,
                parameters=msgspec.Raw(msgspec.json.encode(options.given)),
                request_id=received.request_id,
                dialect="oip",
                key_id=received.key.id,
                priority=options.priority,
                timeout_s=min(self._limits.timeout_s, options.timeout_s or self._limits.timeout_s),
                steering=steering_of(received, served),
            )
        )
        check_version(received, answer.spec)
        return _reply(body, answer, kind, options)


def version_of(received: Received[Any]) -> int | None:
    """The version in the path; None where there is none. Raises InvalidRequest for no number."""
    asked = received.path.get("version")
    if asked is None:
        return None
    if not _NUMBER.fullmatch(asked):
        raise InvalidRequest(
            f"A version is a number: 1, 2, 3 …, not {asked!r:.40}.", details={"field": "version"}
        )
    return int(asked)


def steering_of(received: Received[Any], served: ServedModel) -> Steering:
    """A version in the path is a pin, unless it is the one that answers everybody anyway.

    Raises ScopeMissing for a pin by a key that may not promote, InvalidRequest for two pins.
    """
    steering, number = read_steering(received), version_of(received)
    if number is None:
        return steering
    if steering.pin not in (None, number):
        raise InvalidRequest(
            f"The path asks for version {number}, X-Model-Pin for {steering.pin}. Leave one out.",
            details={"field": "X-Model-Pin"},
        )
    if steering.pin is None and {route.predictor.spec.number for route in served.live} == {number}:
        return steering
    check_may_pin(received, "A version in the path that does not answer everybody")
    return Steering(steering.route_key, number)


def chosen_spec(received: Received[Any], served: ServedModel) -> VersionSpec:
    """The version that the path names, or else the stable one, be it asleep; raises ModelNotReady
    or VersionNotLoaded.
    """
    number, here = version_of(received), {each.number: each for each in served.specs()}
    if served.spec is None:
        raise not_ready(received.model)
    if number is None:
        return served.spec
    if number not in here:
        raise _not_loaded(number, sorted(here))
    return here[number]


def check_version(received: Received[Any], spec: VersionSpec) -> None:
    """Raise VersionNotLoaded where another version has begun to answer everybody since the path was
    read.
    """
    number = version_of(received)
    if number not in (None, spec.number):
        assert number is not None  # noqa: S101 - for the type checker
        raise _not_loaded(number, [spec.number])


def _not_loaded(number: int, loaded: list[int]) -> VersionNotLoaded:
    return VersionNotLoaded(
        f"Version {number} is not in memory here; ask for one of {', '.join(map(str, loaded))}, or "
        "for none.",
        details={"version": number, "loaded": loaded},
    )


def _reply(body: InferBody, answer: Answer, kind: TaskKind, options: Options) -> Reply:
    found = outputs_of(answer, kind)
    _check_found(body, found)
    tensors, blob = write(select(found, body.request.outputs, is_binary=options.is_binary))
    spec = answer.spec
    message = InferReply(spec.model, str(spec.number), tensors, body.request.id)
    headers = version_headers(spec) | warn(options.ignored, kind.name)
    if not blob:
        return Reply(message, headers=headers)
    text = codec.encode(message)
    headers[LENGTH_HEADER] = str(len(text))
    return Reply(text + blob, headers=headers, media_type="application/octet-stream")


def _check_found(body: InferBody, found: dict[str, Output]) -> None:
    for output in body.request.outputs:
        if output.name not in found:
            raise InvalidRequest(
                f"The output {output.name!r} does not come with these inputs; "
                f"{', '.join(found)} do.",
                details={"field": "outputs"},
            )
