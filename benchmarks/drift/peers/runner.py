"""Run one peer's methods over a case: the part that all peers share, in their environments.

    python -m benchmarks.drift.peers.NAME CASE.npz OUT.json RATE all|cheap

Only numpy and the standard library beside the peer itself.
"""

import json
import math
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.drift.cases import Case, load
from benchmarks.drift.racing import Effort, Method, Outcome, race

# How many quiet and shifted streams a method gets, by what one evaluation costs.
LIGHT = Effort(50, 25)
MEDIUM = Effort(20, 11)
HEAVY = Effort(10, 7)
STRONGEST = Effort(12, 7)
"""Dear, but too good to be left out anywhere."""
HEAVIEST = Effort(5, 3)
OWN_RULE_ONLY = Effort(10, 0, n_asked=1)
CHEAP = "cheap"


def run(methods: Callable[[Case], Sequence[Method]]) -> None:
    """Race every method with every window; what one of them raises is its outcome."""
    case_path, out_path, rate, which = sys.argv[1:]
    case = load(Path(case_path))
    outcomes: list[Outcome] = []
    for method in methods(case):
        is_dear = method.effort not in (LIGHT, MEDIUM, STRONGEST)
        if which == CHEAP and is_dear:
            continue
        for window in method.windows:
            outcomes.append(_outcome(case, method, window, float(rate)))
            Path(out_path).write_text(json.dumps([asdict(each) for each in outcomes]))


def _outcome(case: Case, method: Method, window: int, rate: float) -> Outcome:
    try:
        return race(case, method, window, rate)
    except Exception:
        return failed(method.name, window, rate, traceback.format_exc(limit=-3))


def failed(name: str, window: int, rate: float, error: str) -> Outcome:
    """The outcome of a method that could not be run."""
    return Outcome(
        method=name,
        window=window,
        n_quiet=0,
        n_alarms=None,
        rate=rate,
        threshold=math.nan,
        delays={},
        seconds=math.nan,
        fit_seconds=math.nan,
        memory_mb=math.nan,
        error=error,
    )
