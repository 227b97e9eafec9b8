"""Does a year of hourly data come as fast as half an hour?

    python -m benchmarks.timelines --postgres postgres://user@127.0.0.1:5432/postgres

A year of three versions is inserted as roll-ups, profiles and evaluations, on SQLite and (with
`--postgres`, whose user may create databases) on PostgreSQL. Then windows from half an hour to the
year are asked for. README.md says what each figure means.
"""

import argparse
import sys
from collections.abc import Sequence

import msgspec

from benchmarks.each_database import add_options, conclude, measure
from benchmarks.limits import Limit
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import end_in_order_on_sigterm
from benchmarks.timelines_here import Database, run_here

MOST_MS = 300.0
CHILD_S = 1800.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    benchmark: str
    machine: Machine
    databases: list[Database]


def limits(report: Report) -> list[Limit]:
    """Every window within 300 ms: nearly always when warm, and mostly when cold."""
    return [
        Limit(name=f"{found.vendor}: {row.window}, {what}", value=ms, bound=MOST_MS, is_floor=False)
        for found in report.databases
        for row in found.readings
        for what, ms in (("p99 in ms", row.p99_ms), ("cold p99 in ms", row.cold_p99_ms))
    ]


def show(report: Report) -> list[str]:
    lines = [*describe(report.machine), ""]
    for database in report.databases:
        rows = ", ".join(f"{n:,} {table}" for table, n in database.n_rows.items())
        lines.append(f"{database.vendor}: {rows}; filled in {database.fill_s:.0f} s")
        lines += [
            f"  {row.window:7} {row.n_steps:4} steps of {row.step_s:7,} s, {row.n_bytes:8,} bytes"
            f"   p50 {row.p50_ms:6.1f} ms   p99 {row.p99_ms:6.1f} ms"
            f"   cold p50 {row.cold_p50_ms:6.1f} ms   p99 {row.cold_p99_ms:6.1f} ms"
            f"   CPU {row.cpu_ms:6.1f} ms"
            for row in database.readings
        ]
    return [*lines, ""]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    if options.here:
        options.here.write_bytes(msgspec.json.encode(run_here()))
        return 0
    end_in_order_on_sigterm()
    machine = load_machine()
    report = Report(
        benchmark="timelines",
        machine=machine,
        databases=measure("benchmarks.timelines", options, Database, timeout_s=CHILD_S),
    )
    return conclude(report, show(report), limits(report), options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
