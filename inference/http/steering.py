"""The headers by which a caller says who shall answer: `X-Route-Key` and `X-Model-Pin`."""

import re
from typing import Any

from access.errors import ScopeMissing
from access.scopes import Scope, has_scope
from inference.errors import InvalidRequest
from inference.http.endpoints import Received
from inference.routing import UNSTEERED, Steering

MAX_KEY_BYTES = 200
_NUMBER = re.compile(rb"[1-9][0-9]{0,8}")
DOCUMENTED = (
    (
        "X-Route-Key",
        "Stands for the caller while several versions are live: the same key, the same version.",
        {"type": "string", "maxLength": MAX_KEY_BYTES},
    ),
    (
        "X-Model-Pin",
        "The number of the version that shall answer; needs the scope promote or admin.",
        {"type": "integer", "minimum": 1},
    ),
)


def read_steering(received: Received[Any]) -> Steering:
    """What the request's headers ask for.

    Raises InvalidRequest for a key that is too long or a pin that is no version number, and
    ScopeMissing for a pin by a key that may not promote.
    """
    route_key, pin = b"", None
    for name, value in received.headers.raw:
        if name == b"x-route-key":
            route_key = value
        elif name == b"x-model-pin":
            pin = value
    if not route_key and pin is None:
        return UNSTEERED
    if len(route_key) > MAX_KEY_BYTES:
        raise _invalid("X-Route-Key", f"has {len(route_key)} bytes; {MAX_KEY_BYTES} are allowed")
    return Steering(route_key.decode("latin-1"), None if pin is None else _pin(pin, received))


def check_may_pin(received: Received[Any], asked: str) -> None:
    """Raise ScopeMissing where the key may not choose the version, as `asked` does."""
    if not (received.key.may_pin or has_scope(received.key.scopes, Scope.PROMOTE)):
        raise ScopeMissing(
            f"{asked} needs a key with the scope promote. Leave it out, or use another key.",
            details={"needed": Scope.PROMOTE.value},
        )


def _pin(value: bytes, received: Received[Any]) -> int:
    check_may_pin(received, "X-Model-Pin")
    if not _NUMBER.fullmatch(value):
        raise _invalid("X-Model-Pin", "must be a version number: 1, 2, 3 …")
    return int(value)


def _invalid(header: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(f"{header} {remedy}.", details={"field": header})
