"""A closed-loop HTTP/1.1 load generator that costs little: its CPU shares the server's machine.

    python -m benchmarks.load PLAN.json

prints one `LoadResult` as JSON. Each client is one kept-alive connection that sends its next
request when the answer to the last one is complete. All request bytes are made before the first
is sent; of an answer only the status, `Content-Length` and the presence of given bytes are looked
at.
"""

import asyncio
import math
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import cast

import msgspec

from benchmarks.stats import percentile

DRAIN_S = 60.0
_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length:"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: `bodies` in turn, by all clients together. An answer is as expected when it
    holds `expect[i]` (if given), and complete when it holds `must_hold`. The warm-up is never
    longer than `seconds`. `core` pins the process.
    """

    port: int
    path: str
    clients: int
    seconds: float
    warmup_s: float = 1.0
    method: str = "POST"
    headers: dict[str, str] = {}
    bodies: list[str] = msgspec.field(default_factory=lambda: [""])
    expect: list[str] = []
    must_hold: str = ""
    core: int | None = None


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """`n` answers with status 200 arrived within `seconds` and make the latencies; `n_answers`
    counts those before and after, too. `cores` is this process's own CPU time per second.
    """

    clients: int
    seconds: float
    n: int
    n_answers: int
    n_errors: int
    statuses: dict[str, int]
    n_incomplete: int
    n_unexpected: int
    per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    cores: float


class Run:
    """What all clients share: the requests, the clock and the counts."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.wires = [request_bytes(plan, body) for body in plan.bodies]
        self.expect = [text.encode() for text in plan.expect]
        self.must_hold = plan.must_hold.encode()
        self.statuses: Counter[str] = Counter()
        self.latencies: list[float] = []
        self.n_incomplete = self.n_unexpected = 0
        self.turn = 0
        self.starts_at = self.ends_at = math.inf

    def take(self) -> int:
        turn = self.turn
        self.turn = turn + 1
        return turn % len(self.wires)

    def answered(self, index: int, status: bytes, answer: bytes, sent_at: float) -> None:
        now = time.perf_counter()
        self.statuses[status.decode("ascii", "replace")] += 1
        if status != b"200":
            return
        if self.starts_at <= now < self.ends_at:
            self.latencies.append(now - sent_at)
        if self.must_hold and self.must_hold not in answer:
            self.n_incomplete += 1
        if self.expect and self.expect[index] not in answer:
            self.n_unexpected += 1


class Client(asyncio.Protocol):
    """One connection; `gone` is done when it is closed."""

    def __init__(self, run: Run, gone: "asyncio.Future[None]") -> None:
        self._run, self._gone = run, gone
        self._buffer, self._wanted = b"", 0
        self._is_waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are not subclasses of asyncio's.
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def _send(self) -> None:
        if time.perf_counter() >= self._run.ends_at:
            self._transport.close()
            return
        self._index = self._run.take()
        self._buffer, self._wanted, self._is_waiting = b"", 0, True
        self._sent_at = time.perf_counter()
        self._transport.write(self._run.wires[self._index])

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if not self._wanted:
            self._wanted = answer_length(self._buffer)
        if self._wanted < 0:
            self._fail("no Content-Length")
        elif self._wanted and len(self._buffer) >= self._wanted:
            self._is_waiting = False
            self._run.answered(self._index, self._buffer[9:12], self._buffer, self._sent_at)
            self._send()

    def _fail(self, why: str) -> None:
        self._is_waiting = False
        self._run.statuses[why] += 1
        self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_waiting:
            self._run.statuses["connection lost"] += 1
        if not self._gone.done():
            self._gone.set_result(None)


def request_bytes(plan: Plan, body: str) -> bytes:
    content = body.encode()
    lines = [f"{plan.method} {plan.path} HTTP/1.1", f"Host: 127.0.0.1:{plan.port}"]
    lines += [f"{name}: {value}" for name, value in plan.headers.items()]
    if content:
        lines += ["Content-Type: application/json", f"Content-Length: {len(content)}"]
    return "\r\n".join([*lines, "", ""]).encode() + content


def answer_length(received: bytes) -> int:
    """Return the length of the whole answer that begins `received`; 0 while its head is not
    complete, -1 if the head does not tell.
    """
    end = received.find(_HEAD_END)
    if end < 0:
        return 0
    head = received[: end + 2].lower()
    at = head.find(_LENGTH)
    if at < 0:
        return -1
    line_end = head.index(b"\r\n", at)
    return end + len(_HEAD_END) + int(head[at + len(_LENGTH) : line_end])


async def run_plan(plan: Plan) -> LoadResult:
    """Run `plan` and return what came back, after the last answer or DRAIN_S without it."""
    run = Run(plan)
    clients = [asyncio.create_task(keep_connected(run)) for _ in range(plan.clients)]
    await asyncio.sleep(min(plan.warmup_s, plan.seconds))
    run.starts_at, cpu = time.perf_counter(), time.process_time()
    run.ends_at = run.starts_at + plan.seconds
    await asyncio.sleep(plan.seconds)
    cores = (time.process_time() - cpu) / plan.seconds
    _, late = await asyncio.wait(clients, timeout=DRAIN_S)
    for task in late:
        run.statuses["no answer"] += 1
        task.cancel()
    return _result(run, cores)


async def keep_connected(run: Run) -> None:
    """Be one client until the end, with a new connection whenever the server closes the last."""
    loop = asyncio.get_running_loop()
    while time.perf_counter() < run.ends_at:
        gone: asyncio.Future[None] = loop.create_future()
        try:
            await loop.create_connection(lambda g=gone: Client(run, g), "127.0.0.1", run.plan.port)  # type: ignore[misc]
        except OSError:
            run.statuses["refused"] += 1
            await asyncio.sleep(0.05)
            continue
        await gone


def _result(run: Run, cores: float) -> LoadResult:
    times = sorted(run.latencies)
    n_answers = run.statuses["200"]
    return LoadResult(
        clients=run.plan.clients,
        seconds=run.plan.seconds,
        n=len(times),
        n_answers=n_answers,
        n_errors=run.statuses.total() - n_answers,
        statuses=dict(run.statuses),
        n_incomplete=run.n_incomplete,
        n_unexpected=run.n_unexpected,
        per_s=len(times) / run.plan.seconds,
        p50_ms=percentile(times, 0.5) * 1000,
        p95_ms=percentile(times, 0.95) * 1000,
        p99_ms=percentile(times, 0.99) * 1000,
        max_ms=percentile(times, 1.0) * 1000,
        cores=cores,
    )


def main() -> None:
    plan = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Plan)
    if plan.core is not None:
        os.sched_setaffinity(0, {plan.core})
    import uvloop

    result = uvloop.run(run_plan(plan))
    if not result.n:
        sys.exit(f"{plan.path} gave no answer with status 200 in time, but {result.statuses}")
    sys.stdout.buffer.write(msgspec.json.encode(result))


if __name__ == "__main__":
    main()
