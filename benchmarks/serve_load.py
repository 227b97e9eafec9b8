"""What serving costs: bare forward pass, real server and blog design, on one model in one run.

    BELLWETHER_TEST_DATA=DIR python -m benchmarks.serve_load

Exits 1 when a stated limit is missed. README.md says what each figure means.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks import bellwether, verdict
from benchmarks.bellwether import Server
from benchmarks.cells import Cell, run_cell, run_raw, summarise
from benchmarks.limits import Limit, has_missed
from benchmarks.load import Plan
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import (
    ROOT,
    answers,
    end_in_order_on_sigterm,
    free_port,
    python,
    running,
)
from benchmarks.raw import Raw, RawPlan
from benchmarks.texts import load_sst2
from benchmarks.verdict import Kept, Stages

CLIENTS = (1, 8, 32)
N_STAGES = 200
SERVER, BLOG = verdict.SERVER, verdict.BLOG


class Options(msgspec.Struct, frozen=True, kw_only=True):
    model: str
    seconds: float
    rounds: int
    seed: int
    peer: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured."""

    benchmark: str
    machine: Machine
    options: Options
    raw: list[Raw]
    cells: list[Cell]
    stages: Stages
    kept: Kept
    limits: list[Limit]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.serve_load", description=__doc__)
    parser.add_argument("--model", type=Path, default=ROOT / "starter" / "model")
    parser.add_argument("--seconds", type=float, default=8.0, help="length of one cell")
    parser.add_argument("--rounds", type=int, default=3, help="times that all cells are measured")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--peer", choices=("forward", "pipeline"), default="forward")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    parser.add_argument("--no-limits", action="store_true", help="print, and never fail")
    options = parser.parse_args(arguments)
    if not (options.model / "config.json").is_file():
        parser.error(f"--model: {options.model} is not a saved model directory")
    if options.seconds <= 0 or options.rounds < 1:
        parser.error("--seconds must be above 0 and --rounds at least 1")
    return options


@contextmanager
def blog(model: Path, design: str, log: Path) -> Iterator[tuple[int, int]]:
    """Run the blog design as its readers would; yields its pid and port."""
    port = free_port()
    environ = dict(os.environ) | {
        "BLOG_MODEL": str(model.resolve()),
        "BLOG_DESIGN": design,
        "HF_HUB_OFFLINE": "1",
    }
    app = ("benchmarks.peers.blog:app", "--host", "127.0.0.1", "--port", str(port))
    command = python("-m", "uvicorn", *app)
    with running(
        command, environ=environ, log=log, is_ready=lambda: answers(port, "/health")
    ) as process:
        yield process.pid, port


def plans(
    server: Server, blog_port: int, texts: Sequence[str], labels: Sequence[str], seconds: float
) -> Iterator[tuple[str, Plan]]:
    """Yield the cells of one round, the sides taking turns so that both see the same drift."""
    expect = [f'"label":{json.dumps(label)}' for label in labels]
    for clients in CLIENTS:
        yield (
            SERVER,
            Plan(
                port=server.port,
                path=bellwether.PREDICT,
                clients=clients,
                seconds=seconds,
                headers=bellwether.get_headers(server),
                bodies=[json.dumps({"inputs": text}) for text in texts],
                expect=expect,
                must_hold='"predictions":[{"id":"',
            ),
        )
        yield (
            BLOG,
            Plan(
                port=blog_port,
                path="/sentiment",
                clients=clients,
                seconds=seconds,
                bodies=[json.dumps({"text": text}) for text in texts],
                expect=expect,
            ),
        )


def measure(options: Options, home: Path) -> tuple[list[Raw], list[Cell], Stages, Kept]:
    """Run all rounds on a server and a peer that both stay up."""
    texts = [example.text for example in load_sst2(options.seed)]
    model, scratch = Path(options.model), home / "scratch"
    scratch.mkdir()
    progress("preparing a fresh home")
    bellwether.prepare(home, model)
    progress("starting both servers")
    with (
        bellwether.serving(home) as server,
        blog(model, options.peer, scratch / "blog.log") as (blog_pid, blog_port),
    ):
        raws: list[Raw] = []
        cells: list[Cell] = []
        for number in range(1, options.rounds + 1):
            progress(f"round {number} of {options.rounds}: bare forward pass")
            raws.append(measure_raw(options, texts, home, scratch))
            for side, plan in plans(server, blog_port, texts, raws[0].labels, options.seconds):
                progress(f"round {number} of {options.rounds}: {side}, {plan.clients} clients")
                pid, idle_pid = server.pid, blog_pid
                if side == BLOG:
                    pid, idle_pid = idle_pid, pid
                cells.append(run_cell(side, number, plan, scratch, pid=pid, idle_pid=idle_pid))
        n_sampled, stages = bellwether.predict_stages(server, texts[:N_STAGES])
        return raws, cells, verdict.stages_of(stages), kept(home, cells, n_sampled)


def measure_raw(options: Options, texts: list[str], home: Path, scratch: Path) -> Raw:
    plan = RawPlan(
        model=bellwether.MODEL,
        texts=texts,
        seconds=min(2.0, options.seconds / 4),
        seed=options.seed,
    )
    return run_raw(plan, scratch, bellwether.environment(home))


def kept(home: Path, cells: Sequence[Cell], n_sampled: int) -> Kept:
    loads = [cell.load for cell in cells if cell.side == SERVER]
    n_answers = n_sampled + sum(load.n_answers for load in loads)
    return Kept(
        n_answers=n_answers,
        n_rows=bellwether.wait_for_rows(home, n_answers),
        n_without_id=sum(load.n_incomplete for load in loads),
    )


def progress(what: str) -> None:
    print(f"... {what}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    given = parse(sys.argv[1:] if arguments is None else arguments)
    options = Options(
        model=os.path.relpath(given.model),
        seconds=given.seconds,
        rounds=given.rounds,
        seed=given.seed,
        peer=given.peer,
    )
    machine = load_machine()
    print("\n".join([*describe(machine), ""]), flush=True)
    with tempfile.TemporaryDirectory(prefix="bellwether-bench-") as home:
        raws, cells, stages, rows = measure(options, Path(home).resolve())
    limits = verdict.limits_of(raws, cells, rows)
    print("\n".join(verdict.describe(raws, cells, stages, rows, summarise(cells), limits)))
    if given.json:
        report = Report(
            benchmark="serve_load",
            machine=machine,
            options=options,
            raw=raws,
            cells=cells,
            stages=stages,
            kept=rows,
            limits=limits,
        )
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    return int(has_missed(limits) and not given.no_limits)


if __name__ == "__main__":
    end_in_order_on_sigterm()
    sys.exit(main())
