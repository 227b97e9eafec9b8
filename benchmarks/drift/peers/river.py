"""river's detectors on the stream of errors.

python -m benchmarks.drift.peers.river CASE.npz OUT.json
"""

import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from river import drift

from benchmarks.drift.labelled import Candidate, Update, load, try_on


def _watch(make: Callable[[float], Any]) -> Callable[[float], Update]:
    def made(setting: float) -> Update:
        detector = make(setting)

        def update(true: int, predicted: int) -> bool:
            detector.update(int(true != predicted))
            return bool(detector.drift_detected)

        return update

    return made


CANDIDATES = (
    Candidate(
        "river PageHinkley",
        _watch(lambda at: drift.PageHinkley(threshold=at)),
        (5, 10, 15, 20, 30, 40, 50, 70, 100, 150),
        50,
    ),
    Candidate(
        "river ADWIN",
        _watch(lambda at: drift.ADWIN(delta=at)),
        (0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.0005, 0.0001),
        0.002,
    ),
    Candidate(
        "river HDDMW",
        _watch(lambda at: drift.binary.HDDMW(drift_confidence=at)),
        (0.5, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01, 0.001, 1e-5, 1e-8),
        1e-3,
    ),
)


if __name__ == "__main__":
    case = load(Path(sys.argv[1]))
    outcomes = [asdict(try_on(case, candidate)) for candidate in CANDIDATES]
    Path(sys.argv[2]).write_text(json.dumps(outcomes))
