"""Does the quality of a model cost the same to read, however much was predicted?

    python -m benchmarks.quality_scale --postgres postgres://user@127.0.0.1:5432/postgres

Predictions and labels are really inserted, on SQLite and (with `--postgres`, whose user may create
databases) on PostgreSQL. Then the quality of random windows is read as the API reads it: every
class's F1 with its interval. README.md says what each figure means.
"""

import argparse
import sys
from collections.abc import Sequence

import msgspec

from benchmarks.each_database import add_options, conclude, measure
from benchmarks.limits import Limit
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import end_in_order_on_sigterm
from benchmarks.quality_here import DAYS, Database, run_here
from benchmarks.stats import ratio

SIZES = (10**5, 10**6, 10**7)
EXTRAPOLATED = 10**8
GOAL_P99_MS = {"sqlite": 10.0, "postgresql": 5.0}
GOAL_GROWTH = 1.3
CHILD_S = 3600.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    benchmark: str
    machine: Machine
    days: int
    databases: list[Database]
    extrapolated: dict[str, float]


def extrapolate(database: Database) -> float:
    """p99 in ms at 10^8, on the line through the last two sizes over the number of roll-up rows.

    Roll-up rows, not predictions, are what is read; a bucket's rows are limited by its versions,
    segments, sources and pairs of labels, however much is predicted.
    """
    a, b = database.sizes[-2:] if len(database.sizes) > 1 else (database.sizes[-1],) * 2
    rows_a, rows_b = a.n_cells + a.n_counts, b.n_cells + b.n_counts
    p99_a, p99_b = a.readings[0].p99_ms, b.readings[0].p99_ms
    slope = (p99_b - p99_a) / (rows_b - rows_a) if rows_b > rows_a else 0.0
    # At most every bucket holds every cell: ten times as many rows at the very most.
    most_rows = min(10 * rows_b, _saturated_rows())
    return max(p99_b, p99_b + slope * (most_rows - rows_b))


def _saturated_rows() -> int:
    """Rows when every bucket holds every cell that it can: versions follow each other."""
    from benchmarks import bulk

    buckets = DAYS * (24 * 60 + 24 + 1)
    k, segments, sources = len(bulk.LABELS), len(bulk.SEGMENTS), len(bulk.SOURCES)
    return buckets * segments * (k + 2 * sources * k**2)


def limits(report: Report) -> list[Limit]:
    found = []
    for database in report.databases:
        last = database.sizes[-1]
        before = database.sizes[-2] if len(database.sizes) > 1 else last
        name, p99 = database.vendor, last.readings[0].p99_ms
        growth = ratio(p99, before.readings[0].p99_ms)
        different = sum(size.n_different for size in database.sizes)
        found += [
            Limit(
                name=f"{name}: counters that a recount finds to differ",
                value=different,
                bound=0,
                is_floor=False,
            ),
            Limit(
                name=f"{name}: p99 in ms at {last.n:.0e}",
                value=p99,
                bound=GOAL_P99_MS.get(name, 10.0),
                is_floor=False,
                is_required=False,
            ),
            Limit(
                name=f"{name}: p99 at {last.n:.0e} / at {before.n:.0e}",
                value=growth,
                bound=GOAL_GROWTH,
                is_floor=False,
                is_required=False,
            ),
        ]
    return found


def show(report: Report) -> list[str]:
    lines = [*describe(report.machine), ""]
    for database in report.databases:
        lines.append(f"{database.vendor}, {database.n_bytes / 1e9:.2f} GB, {report.days} days")
        for size in database.sizes:
            lines.append(
                f"  n = {size.n:,} ({size.n_labelled:,} labelled, {size.n_counts:,} + "
                f"{size.n_cells:,} roll-up rows): inserted in {size.insert_s:.1f} s, rolled up in "
                f"{size.roll_up_s:.1f} s; {size.n_different} counters differ from "
                f"{size.n_recounted:,} rows of a day; a week from the rows {size.raw_s:.2f} s"
            )
            for row in size.readings:
                lines.append(
                    f"    {row.what:26} p50 {row.p50_ms:7.2f} ms   p99 {row.p99_ms:7.2f} ms   "
                    f"longest {row.longest_ms:7.2f} ms"
                )
        p99 = report.extrapolated[database.vendor]
        lines += [f"  n = {EXTRAPOLATED:,}, extrapolated, not measured: p99 {p99:.1f} ms", ""]
    return lines


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(int(float(part)) for part in text.split(","))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--sizes", type=_sizes, default=SIZES, help="as 1e5,1e6,1e7")
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    if options.here:
        options.here.write_bytes(msgspec.json.encode(run_here(options.sizes)))
        return 0
    end_in_order_on_sigterm()
    machine = load_machine()
    measured = measure(
        "benchmarks.quality_scale",
        options,
        Database,
        timeout_s=CHILD_S,
        arguments=["--sizes", ",".join(map(str, options.sizes))],
    )
    report = Report(
        benchmark="quality_scale",
        machine=machine,
        days=DAYS,
        databases=measured,
        extrapolated={each.vendor: extrapolate(each) for each in measured},
    )
    return conclude(report, show(report), limits(report), options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
