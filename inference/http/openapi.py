"""The inference plane's half of the OpenAPI document, from the same endpoints that run."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from inference.http import steering
from inference.http.endpoints import Endpoint
from inference.http.errors import WITHOUT_422, Dialect
from inference.tasks.kinds import KINDS

_REF = "#/components/schemas/{name}"
_SECURITY: list[dict[str, list[str]]] = [{"bearerKey": []}, {"headerKey": []}]


class ErrorDetail(msgspec.Struct):
    """`code` is stable and listed in docs/reference/errors.md; `message` names the field and the
    remedy.
    """

    code: str
    message: str
    details: dict[str, Any] | None = None


class ErrorReply(msgspec.Struct):
    error: ErrorDetail


class ClassicErrorReply(msgspec.Struct):
    detail: str
    error: ErrorDetail


class HuggingFaceErrorReply(msgspec.Struct):
    """`estimated_time` (seconds) comes while the model is loading."""

    error: str
    error_code: str
    details: dict[str, Any] | None = None
    estimated_time: float | None = None


class OipErrorReply(msgspec.Struct):
    error: str
    error_code: str
    details: dict[str, Any] | None = None


class OpenAIErrorDetail(msgspec.Struct):
    """`param` names the field that is wrong; `code` is that of docs/reference/errors.md."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIErrorReply(msgspec.Struct):
    error: OpenAIErrorDetail


_ERRORS: dict[Dialect, type[Any]] = {
    "native": ErrorReply,
    "classic": ClassicErrorReply,
    "huggingface": HuggingFaceErrorReply,
    "oip": OipErrorReply,
    "openai": OpenAIErrorReply,
}


def describe(endpoints: Sequence[Endpoint[Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return (`paths`, `components.schemas`) that document `endpoints`."""
    types: list[Any] = [*_ERRORS.values()]
    for kind in KINDS.values():
        types += [kind.inputs, kind.parameters, kind.reply]
    for endpoint in endpoints:
        types += [
            kind for kind in (endpoint.body, endpoint.reply) if kind is not None and kind is not str
        ]
    _, components = msgspec.json.schema_components(types, ref_template=_REF)
    asked = components["PredictRequest"]["properties"]
    asked["inputs"] = _any_of(kind.inputs for kind in KINDS.values())
    asked["parameters"] = _any_of(kind.parameters for kind in KINDS.values())
    answers = components["PredictReply"]["properties"]["predictions"]
    answers["items"] = _any_of(kind.reply for kind in KINDS.values())
    paths: dict[str, Any] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return paths, components


def _operation(endpoint: Endpoint[Any]) -> dict[str, Any]:
    error = _json(_ref(_ERRORS[endpoint.dialect]))
    names = re.findall(r"{(\w+)}", endpoint.path)
    of_version = "_of_version" if "version" in names else ""
    operation: dict[str, Any] = {
        "operationId": f"{endpoint.tag}_{endpoint.handler.__name__}{of_version}",
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "responses": {
            str(endpoint.status): {"description": "Done.", "content": _content(endpoint.reply)},
            **{
                status: {"description": text, "content": error}
                for status, text in _failures(endpoint).items()
            },
        },
        "security": _SECURITY if endpoint.scope else [{}],
    }
    if endpoint.scope:
        operation["description"] = f"Needs the scope `{endpoint.scope}`."
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in names
    ]
    if endpoint.is_steered:
        parameters += [
            {"name": name, "in": "header", "required": False, "description": text, "schema": schema}
            for name, text, schema in steering.DOCUMENTED
        ]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        operation["requestBody"] = {"required": True, "content": _json(_ref(endpoint.body))}
    return operation


def _failures(endpoint: Endpoint[Any]) -> dict[str, str]:
    failures: dict[str, str] = {}
    if endpoint.scope:
        failures |= {"401": "No key, or not a good one.", "403": "The key lacks the scope."}
    if endpoint.body is not None:
        failures |= {
            "400": "The body is not JSON.",
            "413": "The body is too large.",
            "422": "A field is wrong; the message names it.",
            "429": "Too many requests, or the queue is full: see Retry-After.",
            "503": "The model is not loaded, or the server is stopping.",
            "504": "No answer was ready in time.",
        }
    if endpoint.dialect in WITHOUT_422 and failures.pop("422", ""):
        failures["400"] = "The body is not JSON, or a field is wrong; the message names it."
    if "{" in endpoint.path:
        failures["404"] = "There is no such thing."
    return failures


def _content(kind: Any) -> dict[str, Any]:
    if kind is str:
        return {"text/plain": {"schema": {"type": "string"}}}
    return _json(_ref(kind))


def _ref(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components((kind,), ref_template=_REF)
    return schema


def _any_of(kinds: Iterable[Any]) -> dict[str, Any]:
    """The schemas of `kinds`, each once."""
    distinct = {msgspec.json.encode(schema): schema for schema in map(_ref, kinds)}
    schemas = list(distinct.values())
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
