"""Several models of several tasks in one process that has room for some of them.

    python -m benchmarks.many_models

The real server, loading lazily, with a memory limit that leaves room for about half of the models;
one is pinned. Clients ask one model after another, some far more often than others. README.md says
what each figure means.
"""

import argparse
import http.client
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import bellwether
from benchmarks.bellwether import Server
from benchmarks.limits import Limit, has_missed
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import ROOT, call, end_in_order_on_sigterm, python
from benchmarks.stats import percentile

HEADS = {
    "text-classification": "SequenceClassification",
    "token-classification": "TokenClassification",
    "fill-mask": "MaskedLM",
    "question-answering": "QuestionAnswering",
}
QUESTION = {"question": "What is wonderful?", "context": "The film is wonderful, the plot thin."}
INPUTS: dict[str, Any] = {
    "text-classification": "It is wonderful.",
    "token-classification": "Ada Lovelace wrote to Charles Babbage in London.",
    "fill-mask": "The film is [MASK].",
    "question-answering": QUESTION,
}
# The starter's architecture, as heavy as a small model that people download: 33 million weights.
SIZE = {"num_hidden_layers": 12, "vocab_size": 30_522}
# What a load is counted with beyond its weights (`inference.swap.admission`), the room that must
# stay free, and some 25 MB for each kind of graph that is kept.
PEAK_COPIES = 1.5
SPARE_BYTES = 128 * 1024**2 + 5 * 25 * 10**6
LOOK_S = 0.05
TIMEOUT_S = 60.0


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `n_loads` of any model ended while it was on its way, 0 for most. `error` is
    empty for an answer.
    """

    model: str
    error: str
    ms: float
    n_loads: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured. `start_bytes` is the process with the pinned model alone,
    `peak_bytes` the most that it was seen with; `n_unloaded` counts models that made room.
    """

    benchmark: str
    machine: Machine
    n_models: int
    n_room: int
    model_bytes: int
    limit_bytes: int
    start_bytes: int
    peak_bytes: int
    n_unloaded: int
    pinned_unloaded: int
    asked: list[Asked]


def save_models(folder: Path, n: int) -> dict[str, tuple[Path, str]]:
    """`n` BERTs of random weights, whose tasks take turns; folder and task by model name."""
    import transformers
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    starter = ROOT / "starter" / "model"
    tasks, saved = sorted(HEADS), {}
    for at in range(n):
        task = tasks[at % len(tasks)]
        config = transformers.AutoConfig.from_pretrained(starter)
        config.update(SIZE)
        model = getattr(transformers, f"AutoModelFor{HEADS[task]}").from_config(config)
        path = folder / f"{task}-{at}"
        model.save_pretrained(path)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(starter / name, path)
        saved[f"bench/{path.name}"] = (path, task)
    return saved


class Client:
    """One connection to a server that asks and reads."""

    def __init__(self, server: Server) -> None:
        self._headers = bellwether.get_headers(server) | {"Content-Type": "application/json"}
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_S)

    def send(self, method: str, path: str, body: Any = None) -> tuple[int, bytes]:
        content = None if body is None else json.dumps(body)
        self._connection.request(method, path, content, self._headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def unloaded(self) -> Counter[str]:
        """How often each model made room."""
        found: Counter[str] = Counter()
        for line in self.send("GET", "/metrics")[1].decode().splitlines():
            if line.startswith("bellwether_models_unloaded_total{"):
                found[line.split('"')[1]] = int(float(line.rpartition(" ")[2]))
        return found

    def n_loaded(self) -> int:
        """How many times a model was loaded: those in memory, and those that made room."""
        models = json.loads(self.send("GET", "/health/ready")[1])["models"]
        here = sum(each["version"] is not None for each in models)
        return here + sum(self.unloaded().values())


@contextmanager
def watching_memory(pid: int) -> Iterator[list[int]]:
    """Note the process's resident bytes again and again, from outside."""
    seen, stop = [read_rss(pid)], threading.Event()

    def watch() -> None:
        while not stop.wait(LOOK_S):
            seen.append(read_rss(pid))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        stop.set()
        thread.join()


def read_rss(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def ask_all(server: Server, models: dict[str, tuple[Path, str]], n: int) -> list[Asked]:
    """One request after another: the k-th model is asked in proportion to 1/k."""
    client, draw = Client(server), random.Random(1)
    names = list(models)
    weights = [1 / (rank + 1) for rank in range(len(names))]
    asked, before = [], client.n_loaded()
    for name in draw.choices(names, weights, k=n):
        started = time.perf_counter()
        path = f"/api/v1/models/{name}/predict"
        status, body = client.send("POST", path, {"inputs": INPUTS[models[name][1]]})
        ms = (time.perf_counter() - started) * 1000
        error = "" if status == 200 else body.decode()
        after = client.n_loaded()
        asked.append(Asked(model=name, error=error, ms=ms, n_loads=after - before))
        before = after
    return asked


def measure(home: Path, folder: Path, n_models: int, n_room: int, n: int) -> Report:
    machine = load_machine()
    models = save_models(folder, n_models)
    pinned = next(reversed(models))
    environ = bellwether.environment(home)
    call(python("manage.py", "migrate", "--verbosity", "0"), environ=environ, timeout_s=120)
    for name, (path, _) in models.items():
        register = python("manage.py", "register", str(path), name, "--promote")
        call(register, environ=environ, timeout_s=120)
    model_bytes = (next(iter(models.values()))[0] / "model.safetensors").stat().st_size
    lazy = {"BELLWETHER_LOADING": "lazy"}
    call(python("manage.py", "pin", pinned), environ=environ, timeout_s=120)
    # The first to start loads what was promoted, to prove it; the second only what is pinned, and
    # with it the libraries.
    with bellwether.serving(home, **lazy):
        pass
    with bellwether.serving(home, **lazy) as server:
        start_bytes = read_rss(server.pid)
    limit = int(start_bytes + (n_room - 1 + PEAK_COPIES) * model_bytes + SPARE_BYTES)
    lazy["BELLWETHER_MEMORY_LIMIT_BYTES"] = str(limit)
    with bellwether.serving(home, **lazy) as server, watching_memory(server.pid) as seen:
        asked = ask_all(server, models, n)
        unloaded = Client(server).unloaded()
    return Report(
        benchmark="many_models",
        machine=machine,
        n_models=n_models,
        n_room=n_room,
        model_bytes=model_bytes,
        limit_bytes=limit,
        start_bytes=start_bytes,
        peak_bytes=max(seen),
        n_unloaded=sum(unloaded.values()),
        pinned_unloaded=unloaded[pinned],
        asked=asked,
    )


def limits(report: Report) -> list[Limit]:
    n_failed = sum(bool(each.error) for each in report.asked)
    figures = {
        "requests that were not answered": (n_failed, 0),
        "times that the pinned model made room": (report.pinned_unloaded, 0),
        "most memory / limit": (report.peak_bytes / report.limit_bytes, 1),
    }
    return [
        Limit(name=name, value=float(value), bound=bound, is_floor=False)
        for name, (value, bound) in figures.items()
    ]


def show(report: Report) -> list[str]:
    awake = sorted(each.ms for each in report.asked if not each.n_loads)
    woken = sorted(each.ms for each in report.asked if each.n_loads)
    return [
        *describe(report.machine),
        "",
        f"{report.n_models} models of {_mb(report.model_bytes)}, room for {report.n_room} and one "
        f"that is loading; with the pinned one {_mb(report.start_bytes)}, limit "
        f"{_mb(report.limit_bytes)}, most seen {_mb(report.peak_bytes)}",
        f"{len(report.asked)} requests, {len(woken)} of them woke a model, "
        f"{report.n_unloaded} times one made room",
        f"in memory   p50 {percentile(awake, 0.5):8.1f} ms   p99 {percentile(awake, 0.99):8.1f} ms",
        f"asleep      p50 {percentile(woken, 0.5):8.1f} ms   p99 {percentile(woken, 0.99):8.1f} ms",
        "",
    ]


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.0f} MB"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.many_models", description=__doc__)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--room", type=int, default=4, help="models that fit beside a loading one")
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--json", type=Path, help="file to write everything to")
    parser.add_argument("--no-limits", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    end_in_order_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="bellwether-many-") as name:
        home, folder = Path(name, "home"), Path(name, "models")
        home.mkdir()
        report = measure(home, folder, options.models, options.room, options.requests)
    if options.json:
        options.json.write_bytes(msgspec.json.encode(report) + b"\n")
    judged = limits(report)
    print("\n".join([*show(report), *(limit.sentence() for limit in judged)]))
    return int(not options.no_limits and has_missed(judged))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
