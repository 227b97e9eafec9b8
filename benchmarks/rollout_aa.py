"""How often a rollout aborts a candidate that is no worse, and how soon one that is.

    python -m benchmarks.rollout_aa

Rollouts are played through the product's own evidence and decisions, a look a minute, on drawn
traffic whose rate goes up and down over the day. A/A: both versions are the same. README.md says
what each figure means.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from benchmarks.machine import Machine, describe, load_machine
from monitoring.drift import grids
from monitoring.quality.intervals import proportion
from monitoring.rollouts.deciding import Decision, Step, decide
from monitoring.rollouts.evidence import Evidence, Totals, look
from monitoring.rollouts.options import DEFAULT_STEPS, Metric, Options
from monitoring.rollouts.sequential import Tally

LOOK_S = 60
PER_MINUTE = 300
LABELLED_SHARE = 0.05
LONGEST_MINUTES = 12 * 60
OPTIONS = Options(max_step_s=LONGEST_MINUTES * LOOK_S)
WITH_FEEDBACK = Options(
    max_step_s=LONGEST_MINUTES * LOOK_S, required=(*OPTIONS.required, Metric.FEEDBACK)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """What a version's answers are like: shares, and seconds as the middle of a lognormal."""

    failing: float = 0.002
    seconds: float = 0.010
    positive: float = 0.5
    unsure: float = 0.0
    wrong: float = 0.12


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`n` rollouts of one kind: how they ended, and the candidate's requests until then.

    `low` and `high` are the exact 95 % interval of the share that was aborted.
    """

    what: str
    n: int
    n_aborted: int
    n_promoted: int
    n_open: int
    low: float
    high: float
    requests_to_abort: float | None
    minutes_to_end: float
    by: dict[str, int]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured; `alpha` is the promised share of false aborts."""

    benchmark: str
    machine: Machine
    alpha: float
    outcomes: list[Outcome]


STABLE = Behaviour()
MORE_WRONG = replace(STABLE, wrong=STABLE.wrong + 0.05)
KINDS: tuple[tuple[str, Behaviour, Options], ...] = (
    ("A/A", STABLE, OPTIONS),
    ("A/A, feedback required", STABLE, WITH_FEEDBACK),
    ("errors +2 points", replace(STABLE, failing=STABLE.failing + 0.02), OPTIONS),
    ("latency x 1.5", replace(STABLE, seconds=STABLE.seconds * 1.5), OPTIONS),
    ("labels 50/50 to 75/25", replace(STABLE, positive=0.75), OPTIONS),
    ("a third less sure", replace(STABLE, unsure=0.35), OPTIONS),
    ("5 points more wrong", MORE_WRONG, OPTIONS),
    ("the same, feedback required", MORE_WRONG, WITH_FEEDBACK),
)


def answers(n: int, like: Behaviour, rng: np.random.Generator) -> Totals:
    """What `n` requests of a version that behaves so add up to."""
    n_failed = int(rng.binomial(n, like.failing))
    kept = n - n_failed
    n_positive = int(rng.binomial(kept, like.positive))
    confidence = np.where(
        rng.random(kept) < like.unsure, rng.uniform(0.5, 0.7, kept), rng.beta(8, 1.5, kept)
    )
    n_labelled = int(rng.binomial(kept, LABELLED_SHARE))
    return Totals(
        n=kept,
        n_failed=n_failed,
        seconds=grids.count(like.seconds * rng.lognormal(0, 0.35, kept), grids.SECONDS),
        confidence=grids.count(confidence, grids.PROBABILITY),
        labels={"NEGATIVE": kept - n_positive, "POSITIVE": n_positive},
        labelled=Tally(n_labelled, int(rng.binomial(n_labelled, like.wrong))),
    )


def both(a: Totals, b: Totals) -> Totals:
    """The totals after more answers."""
    return Totals(
        n=a.n + b.n,
        n_failed=a.n_failed + b.n_failed,
        seconds=a.seconds + b.seconds,
        confidence=a.confidence + b.confidence,
        labels={name: a.labels.get(name, 0) + n for name, n in b.labels.items()},
        labelled=Tally(a.labelled.n + b.labelled.n, a.labelled.n_bad + b.labelled.n_bad),
    )


def play(
    like: Behaviour, options: Options, rng: np.random.Generator
) -> tuple[Decision, str, int, int]:
    """One rollout: how it ended, by which metric, after how many requests and minutes."""
    stable, candidate = answers(2000, STABLE, rng), Totals()
    evidence = look(Evidence(), candidate, stable, options=options, rng=rng)
    step, began = 0, 0
    for minute in range(1, LONGEST_MINUTES + 1):
        n = rng.poisson(PER_MINUTE * (1 + 0.8 * np.sin(minute / 200)))
        n_candidate = int(rng.binomial(n, DEFAULT_STEPS[step] / 100))
        candidate = both(candidate, answers(n_candidate, like, rng))
        stable = both(stable, answers(n - n_candidate, STABLE, rng))
        evidence = look(evidence, candidate, stable, options=options, rng=rng)
        here = Step(candidate.n_requests - (evidence.n_at_step or 0), (minute - began) * LOOK_S)
        ruling = decide(evidence, here, options)
        if ruling.decision is Decision.ABORT:
            return Decision.ABORT, str(ruling.metric), candidate.n_requests, minute
        if ruling.decision is Decision.ADVANCE:
            step, began = step + 1, minute
            evidence = replace(evidence, n_at_step=None)
            if DEFAULT_STEPS[step] == 100:
                return Decision.ADVANCE, "", candidate.n_requests, minute
    return Decision.HOLD, "", candidate.n_requests, LONGEST_MINUTES


def measure(
    what: str,
    like: Behaviour,
    options: Options,
    n: int,
    *,
    seed: int,
    show: Callable[[str], object],
) -> Outcome:
    """Play `n` rollouts of one kind."""
    rng = np.random.default_rng(seed)
    ends = []
    for at in range(n):
        ends.append(play(like, options, rng))
        if (at + 1) % 100 == 0:
            show(f"{what}: {at + 1} of {n}")
    aborts = [end for end in ends if end[0] is Decision.ABORT]
    low, high = proportion(len(aborts), n)
    by = [metric for _, metric, _, _ in aborts]
    return Outcome(
        what=what,
        n=n,
        n_aborted=len(aborts),
        n_promoted=sum(end[0] is Decision.ADVANCE for end in ends),
        n_open=sum(end[0] is Decision.HOLD for end in ends),
        low=float(low),
        high=float(high),
        requests_to_abort=float(np.median([end[2] for end in aborts])) if aborts else None,
        minutes_to_end=float(np.median([end[3] for end in ends])),
        by={metric: by.count(metric) for metric in sorted(set(by))},
    )


def show(report: Report) -> list[str]:
    head = f"{'candidate':30}{'n':>6}{'aborted':>9}{'95 %':>16}{'promoted':>10}{'open':>6}"
    lines = [*describe(report.machine), "", f"{head}{'requests':>10}{'minutes':>9}  by"]
    for each in report.outcomes:
        requests = "-" if each.requests_to_abort is None else f"{each.requests_to_abort:.0f}"
        by = ", ".join(f"{metric} {n}" for metric, n in each.by.items())
        interval = f"{each.low:.4f}-{each.high:.4f}"
        lines.append(
            f"{each.what:30}{each.n:6}{each.n_aborted:9}{interval:>16}{each.n_promoted:10}"
            f"{each.n_open:6}{requests:>10}{each.minutes_to_end:9.0f}  {by}"
        )
    return lines


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.rollout_aa", description=__doc__)
    parser.add_argument("--aa", type=int, default=1000, help="rollouts of equal versions")
    parser.add_argument("--worse", type=int, default=100, help="rollouts of each worse candidate")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    options = parser.parse_args(arguments)
    if not (1 <= options.aa <= 100_000 and 1 <= options.worse <= 100_000):
        parser.error("--aa and --worse: expected 1 to 100000")
    return options


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    machine = load_machine()
    outcomes = [
        measure(
            what,
            like,
            rules,
            options.aa if like == STABLE else options.worse,
            seed=seed,
            show=lambda line: print(line, file=sys.stderr),
        )
        for seed, (what, like, rules) in enumerate(KINDS)
    ]
    report = Report(benchmark="rollout_aa", machine=machine, alpha=OPTIONS.alpha, outcomes=outcomes)
    print("\n".join(show(report)))
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(report), indent=1) + "\n")
    is_missed = outcomes[0].low > OPTIONS.alpha
    if is_missed:
        print(f"MISSED: more than {OPTIONS.alpha:.0%} of equal candidates were aborted")
    return 1 if is_missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
