"""Promotions under load: does anybody notice, other than by the version named in the answer?

    BELLWETHER_TEST_DATA=DIR python -m benchmarks.swap_storm [--quick]

The real server holds two versions of one model whose answers differ for every text. While clients
ask without a pause, one is promoted, then the other, and so on. Each answer must be the golden
answer of the version that it names. Exits 1 when a stated limit is missed.
"""

import argparse
import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import bellwether
from benchmarks.bellwether import PREDICT, Server
from benchmarks.limits import Limit, has_missed
from benchmarks.load import Plan
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import ROOT, call, end_in_order_on_sigterm, python
from benchmarks.stats import percentile, ratio
from benchmarks.storm_load import TOLERANCE, Golden, StormLoad, StormPlan
from benchmarks.texts import load_sst2

N_TEXTS = 64
MAX_TAIL = 1.5
MAX_COPIES = 2.0
SWAP_S = 30.0
VERSIONS = (1, 2)


class Options(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    promotions: int
    clients: int
    steady_s: float
    seed: int


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """`swap_ms` are from the request to promote to the first answer by the new version, one at a
    time beside the clients; memory is the server process's resident set, in MB.
    """

    promotions: int
    answers: int
    answers_in_storm: int
    by_version: dict[str, int]
    statuses: dict[str, int]
    failed: int
    wrong: int
    wrong_examples: list[str]
    steady_p50_ms: float
    steady_p99_ms: float
    storm_p50_ms: float
    storm_p99_ms: float
    storm_max_ms: float
    swap_p50_ms: float
    swap_p99_ms: float
    swap_max_ms: float
    rss_one_copy_mb: float
    rss_peak_mb: float
    rss_end_mb: float


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured."""

    benchmark: str
    machine: Machine
    options: Options
    result: Result
    limits: list[Limit]


def make_variant(model: Path, target: Path) -> Path:
    """Copy `model` to `target` with the rows of its classification head in reverse order."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(model, target)
    weights = load_file(target / "model.safetensors")
    heads = [name for name in weights if name.startswith("classifier")]
    if not heads:
        raise SystemExit("The model has no tensor called classifier…; give another with --model.")
    for name in heads:
        weights[name] = weights[name][::-1].copy()
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.swap_storm", description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "starter" / "model")
    parser.add_argument("--promotions", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--steady", type=float, default=20.0, help="seconds without promotions")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--quick", action="store_true", help="20 promotions, 3 steady seconds")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    parser.add_argument("--no-limits", action="store_true", help="print, and never fail")
    options = parser.parse_args(arguments)
    if options.quick:
        options.promotions, options.steady = 20, 3.0
    if options.promotions < 2 or options.clients < 1 or options.steady <= 0:
        parser.error("--promotions from 2, --clients from 1, --steady above 0")
    return options


def measure(options: Options, home: Path) -> Result:
    """Run the storm on a server in `home`."""
    texts = [example.text for example in load_sst2(options.seed)][:N_TEXTS]
    model = Path(options.model)
    progress("preparing a fresh home with two versions")
    bellwether.prepare(home, model)
    variant = make_variant(model, home / "variant")
    environ = bellwether.environment(home)
    call(
        python("manage.py", "register", str(variant), bellwether.MODEL),
        environ=environ,
        timeout_s=120,
    )
    with bellwether.serving(home) as server, closing(Teller(server)) as teller:
        return _measure(options, server, teller, texts, home)


def _measure(
    options: Options, server: Server, teller: "Teller", texts: list[str], home: Path
) -> Result:
    one_copy = _rss_mb(server.pid)
    progress("asking both versions for their golden answers")
    golden = {"1": teller.golden(texts)}
    teller.promote(2)
    golden["2"] = teller.golden(texts)
    _check_differ(golden)
    teller.promote(1)
    watch = MemoryWatch(server.pid)
    with Clients(options, server, texts, golden, home / "storm.json") as clients:
        progress(f"{options.clients} clients, no promotions")
        time.sleep(2)
        first = time.perf_counter()
        time.sleep(options.steady_s / 2)
        storm = time.perf_counter()
        progress(f"{options.promotions} promotions")
        swaps = [teller.promote(VERSIONS[(n + 1) % 2]) for n in range(options.promotions)]
        calm = time.perf_counter()
        progress("no promotions again")
        time.sleep(options.steady_s / 2)
        end = time.perf_counter()
        load = clients.stop()
    watch.stop()
    steady = _times(load, (first, storm), (calm + 0.5, end))
    return _result(options, load, steady, _times(load, (storm, calm)), swaps, one_copy, watch)


def _times(load: StormLoad, *windows: tuple[float, float]) -> list[float]:
    return sorted(
        took_s * 1000
        for at, took_s in load.answers
        if any(start <= at < end for start, end in windows)
    )


def _result(
    options: Options,
    load: StormLoad,
    steady: list[float],
    storm: list[float],
    swaps: list[float],
    one_copy: float,
    watch: "MemoryWatch",
) -> Result:
    swaps = sorted(swap * 1000 for swap in swaps)
    return Result(
        promotions=options.promotions,
        answers=len(load.answers),
        answers_in_storm=len(storm),
        by_version=load.by_version,
        statuses=load.statuses,
        failed=sum(load.statuses.values()) - load.statuses.get("200", 0),
        wrong=load.n_wrong,
        wrong_examples=load.wrong,
        steady_p50_ms=percentile(steady, 0.5),
        steady_p99_ms=percentile(steady, 0.99),
        storm_p50_ms=percentile(storm, 0.5),
        storm_p99_ms=percentile(storm, 0.99),
        storm_max_ms=percentile(storm, 1.0),
        swap_p50_ms=percentile(swaps, 0.5),
        swap_p99_ms=percentile(swaps, 0.99),
        swap_max_ms=percentile(swaps, 1.0),
        rss_one_copy_mb=one_copy,
        rss_peak_mb=watch.peak_mb,
        rss_end_mb=watch.last_mb,
    )


class Teller:
    """One connection that promotes and asks, and sees what answers."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)

    def close(self) -> None:
        self._connection.close()

    def golden(self, texts: Sequence[str]) -> list[Golden]:
        answers = [self._post(PREDICT, {"inputs": text})["predictions"][0] for text in texts]
        return [Golden(answer["label"], answer["score"]) for answer in answers]

    def promote(self, number: int) -> float:
        """Promote and wait until that version answers; return the seconds it took."""
        started = time.perf_counter()
        self._post(f"/api/v1/models/{bellwether.MODEL}/versions/{number}/promote", {})
        while self._post(PREDICT, {"inputs": "Fine."})["version"] != number:
            if time.perf_counter() - started > SWAP_S:
                raise SystemExit(f"version {number} did not answer within {SWAP_S:.0f} s")
            time.sleep(0.005)
        return time.perf_counter() - started

    def _post(self, path: str, body: object) -> Any:
        headers = {"Content-Type": "application/json", **bellwether.get_headers(self._server)}
        self._connection.request("POST", path, json.dumps(body), headers)
        response = self._connection.getresponse()
        content = response.read()
        if response.status != 200:
            raise SystemExit(f"{path}: {response.status} {content[:300]!r}")
        return json.loads(content)


class Clients:
    """The load, in a process of its own."""

    def __init__(
        self,
        options: Options,
        server: Server,
        texts: Sequence[str],
        golden: dict[str, list[Golden]],
        file: Path,
    ) -> None:
        plan = Plan(
            port=server.port,
            path=PREDICT,
            clients=options.clients,
            seconds=1,
            headers=bellwether.get_headers(server),
            bodies=[json.dumps({"inputs": text}) for text in texts],
        )
        file.write_bytes(msgspec.json.encode(StormPlan(plan=plan, golden=golden)))
        self._file = file

    def __enter__(self) -> "Clients":
        self._process = subprocess.Popen(
            python("-m", "benchmarks.storm_load", str(self._file)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *error: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> StormLoad:
        out, _ = self._process.communicate(timeout=90)
        return msgspec.json.decode(out, type=StormLoad)


class MemoryWatch:
    """Reads a process's resident set ten times a second."""

    def __init__(self, pid: int) -> None:
        self._pid, self._end = pid, threading.Event()
        self.peak_mb = self.last_mb = _rss_mb(pid)
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._end.wait(0.1):
            self.last_mb = _rss_mb(self._pid)
            self.peak_mb = max(self.peak_mb, self.last_mb)

    def stop(self) -> None:
        self._end.set()
        self._thread.join(2)


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _check_differ(golden: dict[str, list[Golden]]) -> None:
    pairs = zip(golden["1"], golden["2"], strict=True)
    alike = [one for one, other in pairs if one.label == other.label and _close(one, other)]
    if alike:
        raise SystemExit(f"{len(alike)} texts have the same answer from both versions")


def _close(one: Golden, other: Golden) -> bool:
    return abs(one.score - other.score) <= 2 * TOLERANCE


def limits_of(result: Result) -> list[Limit]:
    tail = ratio(result.storm_p99_ms, result.steady_p99_ms)
    copies = ratio(result.rss_peak_mb, result.rss_one_copy_mb)
    return [
        Limit(name="failed requests", value=result.failed, bound=0, is_floor=False),
        Limit(
            name="answers unlike the version they name",
            value=result.wrong,
            bound=0,
            is_floor=False,
        ),
        Limit(name="p99 in the storm / steady p99", value=tail, bound=MAX_TAIL, is_floor=False),
        Limit(name="peak memory / with one copy", value=copies, bound=MAX_COPIES, is_floor=False),
    ]


def describe_result(result: Result) -> list[str]:
    per_version = ", ".join(f"v{n}: {count}" for n, count in sorted(result.by_version.items()))
    return [
        f"{result.promotions} promotions; {result.answers} answers, {result.answers_in_storm} of "
        f"them during the storm ({per_version})",
        f"steady p50 {result.steady_p50_ms:.1f} ms, p99 {result.steady_p99_ms:.1f} ms",
        f"storm  p50 {result.storm_p50_ms:.1f} ms, p99 {result.storm_p99_ms:.1f} ms, "
        f"max {result.storm_max_ms:.1f} ms",
        f"from the request to the first answer by the new version: p50 {result.swap_p50_ms:.0f} ms,"
        f" p99 {result.swap_p99_ms:.0f} ms, max {result.swap_max_ms:.0f} ms",
        f"memory: {result.rss_one_copy_mb:.0f} MB with one copy, peak {result.rss_peak_mb:.0f} MB, "
        f"at the end {result.rss_end_mb:.0f} MB",
        *result.wrong_examples,
        "",
    ]


def progress(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(sys.argv[1:] if arguments is None else arguments)
    options = Options(
        model=os.path.relpath(given.model),
        promotions=given.promotions,
        clients=given.clients,
        steady_s=given.steady,
        seed=given.seed,
    )
    machine = load_machine()
    print("\n".join([*describe(machine), ""]), flush=True)
    with tempfile.TemporaryDirectory(prefix="bellwether-storm-") as home:
        result = measure(options, Path(home).resolve())
    limits = limits_of(result)
    print("\n".join([*describe_result(result), *(limit.sentence() for limit in limits)]))
    if given.json:
        report = Report(
            benchmark="swap_storm", machine=machine, options=options, result=result, limits=limits
        )
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return int(has_missed(limits) and not given.no_limits)


if __name__ == "__main__":
    end_in_order_on_sigterm()
    sys.exit(main())
