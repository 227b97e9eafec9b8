"""What the two planes cost, and what they cost each other: the figures behind the decision record.

    BELLWETHER_TEST_DATA=DIR python -m benchmarks.planes

The real server with a model, predicting while people read admin pages; then each HTTP layer alone,
without a model, server and generator on a core each. README.md says what each figure means.
"""

import argparse
import http.client
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from benchmarks import bellwether, interference
from benchmarks.cells import Cell, Summary, find, run_cell, summarise, table
from benchmarks.load import Plan
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import (
    ROOT,
    end_in_order_on_sigterm,
    free_port,
    is_listening,
    python,
    running,
)
from benchmarks.stats import ratio
from benchmarks.texts import load_sst2

LAYER_CLIENTS = (1, 32)
SERVER_CORE, LOAD_CORE = 0, 1
MODELS = "/api/v1/models"


class Layer(msgspec.Struct, frozen=True):
    """A row of the table: what runs (`name` in `peers.layers`), and what it is asked for."""

    title: str
    name: str
    method: str
    path: str


LAYERS = (
    Layer("bare ASGI callable", "bare", "POST", bellwether.PREDICT),
    Layer("predict, no model, not recording", "pipeline", "POST", bellwether.PREDICT),
    Layer("predict, no model, recording", "pipeline-recording", "POST", bellwether.PREDICT),
    Layer("plain Django view, threads", "django-threads", "GET", "/plain"),
    Layer("plain Django view, Django ASGI", "django-asgi", "GET", "/plain"),
    Layer("DRF list, threads", "django-threads", "GET", MODELS),
    Layer("DRF list, Django ASGI", "django-asgi", "GET", MODELS),
)


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured; interference cells have the side `what (beside what)`."""

    benchmark: str
    machine: Machine
    seconds: float
    rounds: int
    model: str
    layers: list[Cell]
    interference: list[Cell]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.planes", description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "starter" / "model")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of one cell")
    parser.add_argument("--rounds", type=int, default=3, help="times that all cells are measured")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    options = parser.parse_args(arguments)
    if not (options.model / "config.json").is_file():
        parser.error(f"--model: {options.model} is not a saved model directory")
    if options.seconds <= 0 or options.rounds < 1:
        parser.error("--seconds must be above 0 and --rounds at least 1")
    return options


def measure_layers(home: Path, key: str, *, seconds: float, rounds: int) -> Iterator[Cell]:
    """Measure each layer at each number of clients; the layers take turns within a round."""
    for number in range(1, rounds + 1):
        for layer in LAYERS:
            progress(f"round {number} of {rounds}: {layer.title}")
            yield from _measure_layer(layer, number, home, key, seconds)


def _measure_layer(
    layer: Layer, number: int, home: Path, key: str, seconds: float
) -> Iterator[Cell]:
    port = free_port()
    environ = bellwether.environment(home) | {"DJANGO_SETTINGS_MODULE": "benchmarks.peers.settings"}
    command = python("-m", "benchmarks.peers.layers", layer.name, str(port), str(SERVER_CORE))
    plan = _layer_plan(layer, port, key, 1, seconds)
    with running(
        command,
        environ=environ,
        log=home / "layer.log",
        is_ready=lambda: is_listening(port),
    ) as process:
        ask_once(plan)
        for clients in LAYER_CLIENTS:
            plan = _layer_plan(layer, port, key, clients, seconds)
            yield run_cell(layer.title, number, plan, home, pid=process.pid)


def ask_once(plan: Plan) -> None:
    """Send one request, however long the first takes. Raises RuntimeError unless it gets 200."""
    connection = http.client.HTTPConnection("127.0.0.1", plan.port, timeout=60)
    try:
        connection.request(plan.method, plan.path, plan.bodies[0], plan.headers)
        response = connection.getresponse()
        response.read()
    finally:
        connection.close()
    if response.status != 200:
        raise RuntimeError(f"{plan.path} answers {response.status}")


def _layer_plan(layer: Layer, port: int, key: str, clients: int, seconds: float) -> Plan:
    return Plan(
        port=port,
        method=layer.method,
        path=layer.path,
        clients=clients,
        seconds=seconds,
        headers={"Authorization": f"Bearer {key}"},
        bodies=[json.dumps({"inputs": "a " * 50})] if layer.method == "POST" else [""],
        core=LOAD_CORE,
    )


def layer_ratios(rows: Sequence[Summary]) -> list[str]:
    """Return what the layers say about the choice of planes: CPU time an answer, 32 clients."""

    def cpu(title: str) -> float:
        return find(rows, title, LAYER_CLIENTS[-1]).cpu_ms

    kept, plain = cpu("predict, no model, recording"), cpu("predict, no model, not recording")
    return [
        f"  predict without a model: {plain:.3f} ms CPU; recording adds {kept - plain:.3f} ms",
        *(
            f"  {what}: Django's ASGI handler / threads = "
            f"{ratio(cpu(f'{what}, Django ASGI'), cpu(f'{what}, threads')):.2f}"
            for what in ("plain Django view", "DRF list")
        ),
    ]


def measure(options: argparse.Namespace, home: Path) -> tuple[list[Cell], list[Cell]]:
    """Return the layers' cells and the interference cells."""
    texts = [example.text for example in load_sst2(seed=20)]
    progress("preparing a fresh home")
    bellwether.prepare(home, options.model)
    beside: list[Cell] = []
    with bellwether.serving(home) as server:
        cookie = bellwether.log_in(server)
        for number in range(1, options.rounds + 1):
            progress(f"round {number} of {options.rounds}: predictions beside admin pages")
            beside += interference.measure(server, cookie, texts, number, options.seconds)
    # The keys are the first run's; the server itself is gone by now.
    layers = measure_layers(home, server.key, seconds=options.seconds, rounds=options.rounds)
    return list(layers), beside


def progress(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    machine = load_machine()
    print("\n".join([*describe(machine), ""]), flush=True)
    with tempfile.TemporaryDirectory(prefix="bellwether-bench-") as home:
        layers, beside = measure(options, Path(home).resolve())
    rows, beside_rows = summarise(layers), summarise(beside)
    print("\n".join([*table([*rows, *beside_rows]), "", *layer_ratios(rows)]))
    print("\n".join(interference.ratios(beside_rows)))
    if options.json:
        report = Report(
            benchmark="planes",
            machine=machine,
            seconds=options.seconds,
            rounds=options.rounds,
            model=os.path.relpath(options.model),
            layers=layers,
            interference=beside,
        )
        options.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    has_errors = any(cell.load.n_errors or cell.load.n_incomplete for cell in [*layers, *beside])
    return int(has_errors)


if __name__ == "__main__":
    end_in_order_on_sigterm()
    sys.exit(main())
