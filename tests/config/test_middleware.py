"""Around both planes: ids, whole bodies, bounds."""

import asyncio
from typing import Any

import pytest

from config.middleware import BufferedBody, Observed
from inference.http import codec


async def _run(app: Any, *, headers: list[tuple[bytes, bytes]], messages: list[dict[str, Any]]):
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop(0)
        await asyncio.sleep(60)
        raise AssertionError("asked for more than was sent")

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/x", "headers": headers}
    await app(scope, receive, send)
    return sent


class Echo:
    """Keeps what it was handed and answers 204."""

    def __init__(self) -> None:
        self.scope: Any = None
        self.body: bytes | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        message = await receive()
        self.body = message["body"]
        assert not message["more_body"]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def parts(*bodies: bytes) -> list[dict[str, Any]]:
    last = len(bodies) - 1
    return [
        {"type": "http.request", "body": body, "more_body": at < last}
        for at, body in enumerate(bodies)
    ]


def test_a_chunked_body_arrives_whole_with_its_length():
    inner = Echo()
    headers = [(b"transfer-encoding", b"chunked"), (b"x-other", b"1")]
    asyncio.run(_run(BufferedBody(inner, 100), headers=headers, messages=parts(b"ab", b"cd", b"e")))
    assert inner.body == b"abcde"
    assert dict(inner.scope["headers"]) == {b"content-length": b"5", b"x-other": b"1"}


@pytest.mark.parametrize("headers", [[(b"content-length", b"101")], []])
def test_a_body_over_the_limit_is_refused_before_django_sees_it(headers):
    inner = Echo()
    sent = asyncio.run(
        _run(BufferedBody(inner, 100), headers=headers, messages=parts(b"a" * 60, b"b" * 41))
    )
    assert sent[0]["status"] == 413
    assert b"body_too_large" in sent[1]["body"]
    assert inner.body is None


def test_a_body_that_does_not_come_is_given_up(monkeypatch):
    monkeypatch.setattr(codec, "BODY_TIMEOUT_S", 0.05)
    inner = Echo()
    waiting = [{"type": "http.request", "body": b"half", "more_body": True}]
    sent = asyncio.run(_run(BufferedBody(inner, 100), headers=[], messages=waiting))
    assert sent[0]["status"] == 408
    assert inner.body is None


def test_a_client_that_leaves_meanwhile_reaches_nobody():
    inner = Echo()
    sent = asyncio.run(
        _run(BufferedBody(inner, 100), headers=[], messages=[{"type": "http.disconnect"}])
    )
    assert sent[0]["status"] == 499
    assert inner.body is None


@pytest.mark.parametrize(
    ("given", "is_kept"),
    [
        (b"abc-1.2_X", True),
        (b"a" * 64, True),
        (b"a" * 65, False),
        (b"a b", False),
        (b"a\nb", False),
    ],
)
def test_a_usable_request_id_is_kept_and_any_other_replaced(given, is_kept):
    sent = asyncio.run(
        _run(Observed(Echo()), headers=[(b"x-request-id", given)], messages=parts(b""))
    )
    shown = dict(sent[0]["headers"])[b"x-request-id"]
    assert (shown == given) == is_kept
    assert shown
