"""What programs share that measure one thing on SQLite and on PostgreSQL, in a process for each."""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks import databases
from benchmarks.limits import Limit, has_missed
from benchmarks.processes import ROOT

T = TypeVar("T")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--postgres", default="", help="URL of a server; none: SQLite alone")
    parser.add_argument("--no-sqlite", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--no-limits", action="store_true")
    parser.add_argument("--here", type=Path, help=argparse.SUPPRESS)


def measure(
    module: str,
    options: argparse.Namespace,
    found: type[T],
    *,
    timeout_s: float,
    arguments: Sequence[str] = (),
) -> list[T]:
    """What `python -m MODULE --here FILE` leaves as JSON for each database that is asked for.

    Each has a process of its own, since settings are read once.
    """
    servers = [*([] if options.no_sqlite else [""]), *filter(None, [options.postgres])]
    return [_child(module, server, found, timeout_s, arguments) for server in servers]


def _child(
    module: str, server: str, found: type[T], timeout_s: float, arguments: Sequence[str]
) -> T:
    with databases.fresh(server) as environ:
        out = Path(environ["BELLWETHER_HOME"]) / "measured.json"
        command = [sys.executable, "-m", module, "--here", str(out), *arguments]
        subprocess.run(command, cwd=ROOT, env=environ, check=True, timeout=timeout_s)
        return msgspec.json.decode(out.read_bytes(), type=found)


def conclude(
    report: msgspec.Struct,
    lines: Sequence[str],
    judged: Sequence[Limit],
    options: argparse.Namespace,
) -> int:
    """Print and keep the report; the exit status: 1 where a limit that is required was missed."""
    print("\n".join([*lines, *(limit.sentence() for limit in judged)]))
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(report), indent=1) + "\n")
    return 1 if has_missed(judged) and not options.no_limits else 0
