"""Bytes at the door: bounded bodies in, JSON out, and what no text may be."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

import msgspec

from inference.errors import (
    BodyTooLarge,
    BodyTooSlow,
    InvalidRequest,
    InvalidText,
    RequestCancelled,
    TextTooLong,
    TooManyInputs,
)
from inference.tasks.inputs import Input, texts_of

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
BODY_TIMEOUT_S = 30.0
_encoder = msgspec.json.Encoder()


def encode(message: Any) -> bytes:
    return _encoder.encode(message)


async def read_body(receive: Receive, headers: Iterable[tuple[bytes, bytes]], limit: int) -> bytes:
    """Return the whole body.

    Raises BodyTooLarge as soon as it is known to exceed `limit` bytes, BodyTooSlow after
    BODY_TIMEOUT_S, RequestCancelled when the client hangs up before the end.
    """
    announced = next((value for name, value in headers if name == b"content-length"), b"0")
    if announced.isdigit() and int(announced) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _read(receive, limit)
    except TimeoutError:
        raise BodyTooSlow(
            f"The request body did not arrive within {BODY_TIMEOUT_S:.0f} s."
        ) from None


async def _read(receive: Receive, limit: int) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestCancelled("The client hung up before its request was complete.")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _too_large(limit)
        if not message.get("more_body", False):
            return body


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"The request body is larger than {limit} bytes. Send fewer or shorter texts at once.",
        details={"limit_bytes": limit},
    )


def check_number(n: int, *, field: str, max_inputs: int, many_hint: str) -> None:
    """Raise InvalidRequest for no input at all, TooManyInputs for too many."""
    if not n:
        raise InvalidRequest(
            f"{field!r} is empty. Send at least one text.", details={"field": field}
        )
    if n > max_inputs:
        raise TooManyInputs(
            f"{field!r} holds {n} texts; {max_inputs} may come at once. {many_hint}",
            details={"field": field, "limit": max_inputs},
        )


def check_texts(
    inputs: Sequence[Input], *, field: str, max_inputs: int, max_chars: int, many_hint: str
) -> None:
    """Raise for an empty list, too many texts, or a text that no model should see.

    A NUL is refused because no tokenizer means anything by it and PostgreSQL cannot store it.
    """
    check_number(len(inputs), field=field, max_inputs=max_inputs, many_hint=many_hint)
    for index, item in enumerate(inputs):
        for text in texts_of(item):
            _check_text(text, field if len(inputs) == 1 else f"{field}[{index}]", max_chars)


def _check_text(text: str, field: str, max_chars: int) -> None:
    if not text or text.isspace():
        raise InvalidText(
            f"{field!r} holds no text. Send at least one character that is not a blank.",
            details={"field": field},
        )
    if len(text) > max_chars:
        raise TextTooLong(
            f"{field!r} has {len(text)} characters; {max_chars} are allowed. Shorten or split it.",
            details={"field": field, "limit": max_chars},
        )
    if (at := text.find("\0")) >= 0:
        raise InvalidText(
            f"{field!r} has a NUL character at position {at}. Remove it.", details={"field": field}
        )
