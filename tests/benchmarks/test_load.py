import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from benchmarks.load import LoadResult, Plan, answer_length, request_bytes, run_plan

OK = b'HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"id":"1"'
Answer = Callable[[int], bytes]


async def _serve(plan: Callable[[int], Plan], answer: Answer, *, closes: bool) -> LoadResult:
    """Run a plan against a server that gives `answer(n)` to the n-th request."""
    n = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal n
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                n += 1
                writer.write(answer(n))
                if closes:
                    break
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        return await run_plan(plan(server.sockets[0].getsockname()[1]))


def _run(answer: Answer = lambda n: OK, *, closes: bool = False, **fields: object) -> LoadResult:
    def plan(port: int) -> Plan:
        made = {"path": "/x", "clients": 2, "seconds": 0.1, "warmup_s": 0.05, **fields}
        return Plan(port=port, **made)  # type: ignore[arg-type]

    running: Awaitable[LoadResult] = _serve(plan, answer, closes=closes)
    return asyncio.run(running)  # type: ignore[arg-type]


def test_the_window_counts_and_the_warm_up_does_not() -> None:
    result = _run(bodies=["{}"])
    assert 0 < result.n < result.n_answers
    assert result.n_errors == 0
    assert result.per_s == pytest.approx(result.n / 0.1)
    assert 0 < result.p50_ms <= result.p95_ms <= result.p99_ms <= result.max_ms
    assert result.cores > 0


def test_bodies_are_sent_in_turn_and_answers_compared_with_theirs() -> None:
    result = _run(
        clients=1,
        bodies=["a", "b"],
        expect=['"id"', "never there"],
        must_hold='"id"',
    )
    assert result.n_unexpected == pytest.approx(result.n_answers / 2, abs=1)
    assert result.n_incomplete == 0


def test_an_answer_without_its_id_is_incomplete() -> None:
    result = _run(lambda n: OK.replace(b'"id"', b'"no"'), must_hold='"id"')
    assert result.n_incomplete == result.n_answers > 0


def test_refusals_are_errors_and_have_no_latency() -> None:
    result = _run(lambda n: b"HTTP/1.1 429 Too Many\r\nContent-Length: 0\r\n\r\n")
    assert result.n == result.n_answers == 0
    assert result.n_errors == result.statuses["429"] > 0


def test_a_server_that_closes_gets_a_new_connection() -> None:
    result = _run(closes=True)
    assert result.n_answers > 2


def test_an_answer_of_unknown_length_is_an_error() -> None:
    result = _run(lambda n: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    assert result.statuses["no Content-Length"] > 0
    assert result.n_answers == 0


def test_an_answer_cut_short_is_an_error() -> None:
    result = _run(lambda n: OK[:-1], closes=True)
    assert result.n_answers == 0
    assert result.statuses["connection lost"] > 0


def test_a_length_is_known_once_the_head_is_there() -> None:
    assert answer_length(OK[:30]) == 0
    assert answer_length(OK) == len(OK)
    assert answer_length(b"HTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n") == 37
    assert answer_length(b"HTTP/1.1 200 OK\r\n\r\ncontent-length: 5\r\n") == -1


def test_a_request_says_how_long_it_is_in_bytes() -> None:
    plan = Plan(port=80, path="/p", clients=1, seconds=1, headers={"X-Key": "k"})
    sent = request_bytes(plan, "é")
    assert sent.startswith(b"POST /p HTTP/1.1\r\nHost: 127.0.0.1:80\r\nX-Key: k\r\n")
    assert sent.endswith(b"Content-Length: 2\r\n\r\n\xc3\xa9")
    assert b"Content-Length" not in request_bytes(plan, "")
