"""JSON → messages: msgspec's decoding errors as ours, naming the field they concern. Pure."""

import re
from typing import TypeVar

import msgspec

from inference.errors import InvalidJson, InvalidRequest, UnknownParameter

T = TypeVar("T")
_UNKNOWN_FIELD = re.compile(r"Object contains unknown field `(?P<name>[^`]*)`")
_AT = re.compile(r" - at `\$\.?(?P<path>[^`]*)`")
_LONE_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB]..)\\u[dD][c-fC-F]"
)


def decode(body: bytes, kind: type[T]) -> T:
    """Return `body` as a `kind`; raises InvalidJson, InvalidRequest or UnknownParameter."""
    return convert(body, kind, "")


def convert(value: bytes | msgspec.Raw, kind: type[T], field: str) -> T:
    """Return the JSON `value` under `field` as a `kind`; raises as `decode` does."""
    try:
        return msgspec.json.decode(value, type=kind)
    except msgspec.ValidationError as error:
        raise _invalid(error, field) from None
    except UnicodeDecodeError as error:
        raise InvalidJson(
            f"The body is not UTF-8: byte {error.object[error.start]:#04x} cannot be read."
        ) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise InvalidJson(f"The body is not JSON: {_reason(bytes(value), error)}") from None


def _reason(body: bytes, error: Exception) -> str:
    if not body:
        return "it is empty."
    if _LONE_SURROGATE.search(body):
        return "it holds half of a surrogate pair (\\ud800-\\udfff), no character; remove it."
    if isinstance(error, RecursionError):
        return "it is nested too deeply."
    return f"{error}."


def _invalid(error: msgspec.ValidationError, prefix: str = "") -> InvalidRequest | UnknownParameter:
    text = str(error)
    found = _AT.search(text)
    field = ".".join(part for part in (prefix, found["path"] if found else "") if part)
    field = field.replace(".[", "[")
    if unknown := _UNKNOWN_FIELD.match(text):
        name = ".".join(part for part in (field, unknown["name"]) if part)
        return UnknownParameter(
            f"{name!r} is not known here. Remove it or check its spelling.", details={"field": name}
        )
    reason = _AT.sub("", text)
    place = f"In {field!r}: " if field else ""
    return InvalidRequest(f"{place}{reason}.", details={"field": field} if field else None)
