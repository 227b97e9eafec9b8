"""What a job on a file costs the people beside it, and how fast it is.

    BELLWETHER_TEST_DATA=DIR python -m benchmarks.jobs

The real server with a model, asked by a few clients, alone and while a job works on a large file;
then the job alone. README.md says what each figure means.
"""

import argparse
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import bellwether
from benchmarks.bellwether import Server
from benchmarks.cells import run_load
from benchmarks.interference import predict_plan
from benchmarks.limits import Limit, has_missed
from benchmarks.load import LoadResult
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import ROOT, end_in_order_on_sigterm
from benchmarks.stats import median_of, ratio
from benchmarks.texts import load_sst2

CLIENTS = (1, 8)
MAX_SLOWER = 1.5
# More rows than any run of this program works through.
N_COPIES = 400
START_S = 30.0


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One number of clients without and with a job; `rows_per_s` are the job's meanwhile."""

    clients: int
    alone: LoadResult
    beside: LoadResult
    rows_per_s: float

    @property
    def slower(self) -> float:
        return ratio(self.beside.p99_ms, self.alone.p99_ms)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured; `alone_rows_per_s` are a job's with nobody beside it."""

    benchmark: str
    machine: Machine
    seconds: float
    rounds: list[Round]
    alone_rows_per_s: list[float]


def call(server: Server, method: str, path: str, body: bytes = b"") -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        headers = {"Content-Type": "text/plain", **bellwether.get_headers(server)}
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        found: dict[str, Any] = json.loads(response.read())
        if response.status >= 400:
            raise SystemExit(f"{path}: {found}")
        return found
    finally:
        connection.close()


class Job:
    """A job on a file that is long enough, until `end`."""

    def __init__(self, server: Server, data: bytes) -> None:
        self._server = server
        made = call(server, "POST", f"/api/v1/models/{bellwether.MODEL}/jobs", data)
        self._path = f"/api/v1/jobs/{made['id']}"
        deadline = time.monotonic() + START_S
        while not self.n_rows() and time.monotonic() < deadline:
            time.sleep(0.05)

    def n_rows(self) -> int:
        found = call(self._server, "GET", self._path)
        return int(found["n_done"]) + int(found["n_failed"])

    def end(self) -> None:
        call(self._server, "POST", f"{self._path}/cancel")
        while call(self._server, "GET", self._path)["state"] != "cancelled":
            time.sleep(0.1)


def measure(
    server: Server, texts: Sequence[str], data: bytes, seconds: float, rounds: int
) -> Iterator[Round]:
    for _ in range(rounds):
        for clients in CLIENTS:
            plan = predict_plan(server, texts, clients, seconds)
            alone = run_load(plan, server.home)
            job = Job(server, data)
            # Of the time that the load ran, its own start and end included.
            before, started = job.n_rows(), time.monotonic()
            beside = run_load(plan, server.home)
            rows_per_s = (job.n_rows() - before) / (time.monotonic() - started)
            job.end()
            yield Round(clients=clients, alone=alone, beside=beside, rows_per_s=rows_per_s)


def measure_alone(server: Server, data: bytes, seconds: float) -> float:
    """Rows a second of a job that nobody is beside of any more."""
    time.sleep(6.0)
    job = Job(server, data)
    before, started = job.n_rows(), time.monotonic()
    time.sleep(seconds)
    rate = (job.n_rows() - before) / (time.monotonic() - started)
    job.end()
    return rate


def limits(report: Report) -> list[Limit]:
    return [
        Limit(
            name=f"p99 of {clients} clients beside a job / alone",
            value=median_of(_of(report, clients), lambda each: each.slower),
            bound=MAX_SLOWER,
            is_floor=False,
        )
        for clients in CLIENTS
    ]


def show(report: Report) -> list[str]:
    lines = [*describe(report.machine), ""]
    for clients in CLIENTS:
        of = _of(report, clients)
        lines.append(f"{clients} clients, alone         {_told([each.alone for each in of])}")
        lines.append(f"{clients} clients, beside a job  {_told([each.beside for each in of])}")
        rows = median_of(of, lambda each: each.rows_per_s)
        lines.append(f"  the job meanwhile: {rows:.1f} rows/s")
    alone = median_of(report.alone_rows_per_s, lambda rate: rate)
    return [*lines, f"a job alone: {alone:.1f} rows/s", ""]


def _told(loads: Sequence[LoadResult]) -> str:
    p50 = median_of(loads, lambda load: load.p50_ms)
    p99 = median_of(loads, lambda load: load.p99_ms)
    per_s = median_of(loads, lambda load: load.per_s)
    return f"p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   {per_s:7.1f} answers/s"


def _of(report: Report, clients: int) -> list[Round]:
    return [each for each in report.rounds if each.clients == clients]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.jobs", description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "starter" / "model")
    parser.add_argument("--seconds", type=float, default=10.0, help="length of one cell")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file to write everything to")
    parser.add_argument("--no-limits", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    end_in_order_on_sigterm()
    texts = [example.text for example in load_sst2(seed=1)]
    data = "".join(f"{text.strip()}\n" for text in texts * N_COPIES).encode()
    machine = load_machine()
    with tempfile.TemporaryDirectory(prefix="bellwether-jobs-") as folder:
        home = Path(folder)
        bellwether.prepare(home, options.model)
        with bellwether.serving(home) as server:
            rounds = list(measure(server, texts, data, options.seconds, options.rounds))
            alone = [measure_alone(server, data, options.seconds) for _ in range(options.rounds)]
    report = Report(
        benchmark="jobs",
        machine=machine,
        seconds=options.seconds,
        rounds=rounds,
        alone_rows_per_s=alone,
    )
    judged = limits(report)
    print("\n".join([*show(report), *(limit.sentence() for limit in judged)]))
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(report), indent=1) + "\n")
    return 1 if has_missed(judged) and not options.no_limits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
