"""One cell of a comparison: one load on one side, with what it cost everybody."""

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.load import DRAIN_S, LoadResult, Plan
from benchmarks.processes import call, cpu_s, python
from benchmarks.raw import Raw, RawPlan
from benchmarks.stats import median_of, ratio

T = TypeVar("T")


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu_ms` is the server process's CPU time an answer; `idle_cores` what the other side, which
    nobody asked anything, used meanwhile (0 without one).
    """

    side: str
    round: int
    load: LoadResult
    cpu_ms: float
    idle_cores: float = 0.0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """Medians over the rounds of one side at one number of clients."""

    side: str
    clients: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    per_s: float
    cpu_ms: float
    load_cores: float
    n_errors: int


def run_load(plan: Plan, scratch: Path) -> LoadResult:
    """Run one load in a process of its own."""
    seconds = plan.warmup_s + plan.seconds + DRAIN_S + 30
    return _measured("benchmarks.load", plan, LoadResult, scratch, environ={}, timeout_s=seconds)


def run_raw(plan: RawPlan, scratch: Path, environ: dict[str, str]) -> Raw:
    """Run the bare forward pass in a process of its own, in the home that `environ` names."""
    return _measured("benchmarks.raw", plan, Raw, scratch, environ=environ, timeout_s=1800)


def _measured(
    module: str,
    plan: msgspec.Struct,
    result: type[T],
    scratch: Path,
    *,
    environ: dict[str, str],
    timeout_s: float,
) -> T:
    path = scratch / f"{module}-{time.monotonic_ns()}.json"
    path.write_bytes(msgspec.json.encode(plan))
    answer = call(python("-m", module, str(path)), environ=environ, timeout_s=timeout_s)
    return msgspec.json.decode(answer, type=result)


def run_cell(
    side: str, round_: int, plan: Plan, scratch: Path, *, pid: int, idle_pid: int | None = None
) -> Cell:
    """Load `pid`'s server by `plan` and note its CPU time, and `idle_pid`'s."""
    started, before = time.monotonic(), cpu_s(pid)
    idle_before = cpu_s(idle_pid) if idle_pid else 0.0
    load = run_load(plan, scratch)
    idle = (cpu_s(idle_pid) - idle_before) if idle_pid else 0.0
    return Cell(
        side=side,
        round=round_,
        load=load,
        cpu_ms=ratio(cpu_s(pid) - before, load.n_answers) * 1000,
        idle_cores=idle / (time.monotonic() - started),
    )


def summarise(cells: Sequence[Cell]) -> list[Summary]:
    """Return one summary for each side and number of clients, in the order of first appearance."""
    keys = list(dict.fromkeys((cell.side, cell.load.clients) for cell in cells))
    return [
        _summary(side, clients, [c for c in cells if (c.side, c.load.clients) == (side, clients)])
        for side, clients in keys
    ]


def _summary(side: str, clients: int, cells: Sequence[Cell]) -> Summary:
    return Summary(
        side=side,
        clients=clients,
        p50_ms=median_of(cells, lambda cell: cell.load.p50_ms),
        p95_ms=median_of(cells, lambda cell: cell.load.p95_ms),
        p99_ms=median_of(cells, lambda cell: cell.load.p99_ms),
        per_s=median_of(cells, lambda cell: cell.load.per_s),
        cpu_ms=median_of(cells, lambda cell: cell.cpu_ms),
        load_cores=median_of(cells, lambda cell: cell.load.cores),
        n_errors=sum(cell.load.n_errors for cell in cells),
    )


def find(summaries: Sequence[Summary], side: str, clients: int) -> Summary:
    return next(s for s in summaries if (s.side, s.clients) == (side, clients))


def table(summaries: Sequence[Summary]) -> list[str]:
    """Return the summaries as lines for people."""
    head = f"{'side':<34}{'clients':>8}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}"
    lines = [f"{head}{'answers/s':>11}{'CPU ms/answer':>15}{'load cores':>12}{'errors':>8}"]
    lines += [
        f"{s.side:<34}{s.clients:>8}{s.p50_ms:>9.2f}{s.p95_ms:>9.2f}{s.p99_ms:>9.2f}"
        f"{s.per_s:>11.1f}{_shown(s.cpu_ms):>15}{s.load_cores:>12.3f}{s.n_errors:>8}"
        for s in summaries
    ]
    return lines


def _shown(milliseconds: float) -> str:
    return "-" if math.isnan(milliseconds) else f"{milliseconds:.3f}"
