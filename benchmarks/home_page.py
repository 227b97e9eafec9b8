"""Does the home page come at once, with a million predictions in the database?

    python -m benchmarks.home_page --postgres postgres://user@127.0.0.1:5432/postgres

Predictions, labels, roll-ups, blocks and evaluations are really inserted, on SQLite and (with
`--postgres`, whose user may create databases) on PostgreSQL; then the page is rendered for an
administrator as the management plane renders it. README.md says what each figure means.
"""

import argparse
import sys
from collections.abc import Sequence

import msgspec

from benchmarks.each_database import add_options, conclude, measure
from benchmarks.home_here import Database, run_here
from benchmarks.limits import Limit
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import end_in_order_on_sigterm

N = 10**6
# A small house, then a full page of models.
N_MODELS, N_MORE = 10, 40
GOAL_MS = 300.0
CHILD_S = 3600.0


class Report(msgspec.Struct, frozen=True, kw_only=True):
    benchmark: str
    machine: Machine
    databases: list[Database]


def limits(report: Report) -> list[Limit]:
    found = []
    for database in report.databases:
        queries = {reading.n_queries for reading in database.readings if reading.what == "page"}
        found.append(
            Limit(
                name=f"{database.vendor}: queries that more models add to the page",
                value=max(queries) - min(queries),
                bound=0,
                is_floor=False,
            )
        )
        found += [
            Limit(
                name=f"{database.vendor}: p99 in ms of a {each.what} of {each.n_models} models",
                value=each.p99_ms,
                bound=GOAL_MS,
                is_floor=False,
                is_required=False,
            )
            for each in database.readings
        ]
    return found


def show(report: Report) -> list[str]:
    lines = [*describe(report.machine), ""]
    for database in report.databases:
        lines.append(
            f"{database.vendor}, {database.n_bytes / 1e9:.2f} GB, "
            f"inserted in {database.insert_s:.0f} s"
        )
        lines += [
            f"  {row.what:8} {row.n_models:3} models, {row.n_predictions:,} predictions: "
            f"p50 {row.p50_ms:6.1f} ms   p99 {row.p99_ms:6.1f} ms   longest "
            f"{row.longest_ms:6.1f} ms   CPU p50 {row.cpu_p50_ms:5.1f} ms   "
            f"{row.n_queries} queries, {row.n_bytes / 1e3:.0f} kB"
            for row in database.readings
        ]
    return [*lines, ""]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--n", type=lambda text: int(float(text)), default=N, help="as 1e6")
    parser.add_argument("--pages", type=int, default=200, help="how often the page is read")
    parser.add_argument("--evaluations", type=int, default=200, help="of each monitor")
    add_options(parser)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    if options.here:
        steps = ((N_MODELS, options.n), (N_MORE, options.n // 10))
        found = run_here(steps, n_evaluations=options.evaluations, n_pages=options.pages)
        options.here.write_bytes(msgspec.json.encode(found))
        return 0
    end_in_order_on_sigterm()
    machine = load_machine()
    names = ("n", "pages", "evaluations")
    passed_on = [word for name in names for word in (f"--{name}", str(getattr(options, name)))]
    report = Report(
        benchmark="home_page",
        machine=machine,
        databases=measure(
            "benchmarks.home_page", options, Database, timeout_s=CHILD_S, arguments=passed_on
        ),
    )
    return conclude(report, show(report), limits(report), options)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
