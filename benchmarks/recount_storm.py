"""Roll-ups equal the rows after a storm of events, however often the writers were killed.

    python -m benchmarks.recount_storm --n 1000000

Processes predict, label, correct and label late, at random, through the product's own journal,
writer and feedback service; again and again one is killed by SIGKILL at a random moment and another
takes its place. In the end every counter is compared with a recount from the rows: by the product's
`recount`, and by SQL that shares no code with it.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from benchmarks import databases, storm_counts, storm_events
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import ROOT, end_in_order_on_sigterm

N_WRITERS = 2
SHORTEST_LIFE_S, LONGEST_LIFE_S = 0.3, 4.0
CHILD_S = 7200.0


class Storm(msgspec.Struct, frozen=True, kw_only=True):
    """What happened, and how many counters were found to be wrong by each way of counting."""

    vendor: str
    n_events: int
    n_kills: int
    n_predictions: int
    n_feedback: int
    n_labelled: int
    n_revised: int
    n_weights: int
    n_counters: int
    seconds: float
    n_differ_by_recount: int
    n_differ_by_sql: int
    n_negative: int


class Report(msgspec.Struct, frozen=True, kw_only=True):
    benchmark: str
    machine: Machine
    storms: list[Storm]


def run_here(home: Path, n: int, n_kills: int, seed: int) -> Storm:
    """Storm over the database of this process's settings."""
    import django

    django.setup()
    start = storm_events.start_of(datetime.now(UTC))
    # Children do everything that needs a connection: none may be open when a process forks.
    _wait(_fork(storm_events.register))
    began = time.perf_counter()
    n_done = _kill_again_and_again(home, n, n_kills, seed, start)
    seconds = time.perf_counter() - began
    return _judged(n, n_done, seconds, start)


def _kill_again_and_again(home: Path, n: int, n_kills: int, seed: int, start: datetime) -> int:
    """Run the writers to their end; how many were killed before."""

    def begin(writer: int) -> int:
        share = n // N_WRITERS + (writer < n % N_WRITERS)
        return _fork(lambda: storm_events.write(home, writer, share, seed, start))

    rng = random.Random(seed)
    running = {writer: begin(writer) for writer in range(N_WRITERS)}
    n_done = 0
    while running and n_done < n_kills:
        time.sleep(rng.uniform(SHORTEST_LIFE_S, LONGEST_LIFE_S))
        for writer in [writer for writer, pid in running.items() if _has_ended(pid)]:
            del running[writer]
        if running:
            victim = rng.choice(sorted(running))
            os.kill(running[victim], signal.SIGKILL)
            os.waitpid(running[victim], 0)
            running[victim] = begin(victim)
            n_done += 1
    for pid in running.values():
        _wait(pid)
    # What the last one left behind, and what waited for somebody else's journal.
    _wait(_fork(lambda: storm_events.write(home, 0, 0, seed, start)))
    return n_done


def _fork(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # No clean-up of the parent's in the child.
        os._exit(status)


def _has_ended(pid: int) -> bool:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended and status:
        raise RuntimeError("A writer failed by itself; its traceback is above.")
    return bool(ended)


def _wait(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    if status:
        raise RuntimeError("A writer failed by itself; its traceback is above.")


def _judged(n: int, n_kills: int, seconds: float, start: datetime) -> Storm:
    from django.db import connection
    from django.db.models import Q

    from monitoring.models import ConfusionCell, Feedback, Prediction, PredictionCount

    wrong = Q(n__lt=0) | Q(weight__lt=0) | Q(weight_squared__lt=0)
    return Storm(
        vendor=connection.vendor,
        n_events=n,
        n_kills=n_kills,
        n_predictions=Prediction.objects.count(),
        n_feedback=Feedback.objects.count(),
        n_labelled=Feedback.objects.values("prediction").distinct().count(),
        n_revised=Feedback.objects.filter(revision__gt=1).count(),
        n_weights=Feedback.objects.values("weight").distinct().count(),
        n_counters=PredictionCount.objects.count() + ConfusionCell.objects.count(),
        seconds=seconds,
        n_differ_by_recount=storm_counts.differ_by_recount(start),
        n_differ_by_sql=storm_counts.differ_by_sql(),
        n_negative=ConfusionCell.objects.filter(wrong).count(),
    )


def show(report: Report) -> list[str]:
    lines = [*describe(report.machine), ""]
    for each in report.storms:
        lines.append(
            f"{each.vendor}: {each.n_events:,} events in {each.seconds:.0f} s, "
            f"{each.n_kills} writers killed; {each.n_predictions:,} predictions, "
            f"{each.n_labelled:,} labelled, {each.n_revised:,} corrections, {each.n_weights:,} "
            f"weights, {each.n_counters:,} counters"
        )
        lines.append(
            f"  differ by the recount {each.n_differ_by_recount}, by SQL {each.n_differ_by_sql}; "
            f"below zero {each.n_negative}"
        )
    return lines


def is_wrong(storm: Storm) -> bool:
    return bool(storm.n_differ_by_recount or storm.n_differ_by_sql or storm.n_negative)


def _child(server: str, options: argparse.Namespace) -> Storm:
    """Run in a process of its own: settings are read once."""
    with databases.fresh(server) as environ:
        out = Path(environ["BELLWETHER_HOME"]) / "storm.json"
        command = [sys.executable, "-m", "benchmarks.recount_storm", "--here", str(out)]
        command += ["--n", str(options.n), "--kills", str(options.kills)]
        command += ["--seed", str(options.seed)]
        subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=CHILD_S)
        return msgspec.json.decode(out.read_bytes(), type=Storm)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=int, default=1_000_000, help="events")
    parser.add_argument("--kills", type=int, default=100, help="at most; fewer where it ends first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", default="", help="URL of a server; none: SQLite")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    if options.here:
        storm = run_here(options.here.parent, options.n, options.kills, options.seed)
        options.here.write_bytes(msgspec.json.encode(storm))
        return 0
    end_in_order_on_sigterm()
    machine = load_machine()
    report = Report(
        benchmark="recount_storm", machine=machine, storms=[_child(options.postgres, options)]
    )
    print("\n".join(show(report)))
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(report), indent=1) + "\n")
    return int(any(map(is_wrong, report.storms)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
