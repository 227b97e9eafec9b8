"""Run the peers over a case, each a process of its own environment."""

import hashlib
import json
import math
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.drift.peers.environments import error_of, python_of
from benchmarks.drift.peers.runner import failed
from benchmarks.drift.racing import Outcome
from benchmarks.processes import ROOT

PEERS = ("alibi", "evidently", "nannyml", "frouros")
LONGEST_S = 5400
AT_ONCE = 2
_NUMBERS = ("threshold", "seconds", "fit_seconds", "memory_mb")
# One thread each: two run at once, and times are compared with ours.
_QUIET = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1") | {
    "NML_DISABLE_USAGE_LOGGING": "1"
}


def run_peers(case: Path, root: Path, kept: Path, *, rate: float, which: str) -> list[Outcome]:
    """Every peer's outcomes; those of an earlier run over the same case are read from `kept`."""
    kept.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(case.read_bytes() + f"{rate} {which}".encode()).hexdigest()[:16]

    def run(name: str) -> list[Outcome]:
        return list(_run(name, case, root, kept / f"{name}-{digest}.json", rate, which))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [outcome for found in pool.map(run, PEERS) for outcome in found]


def _run(
    name: str, case: Path, root: Path, out: Path, rate: float, which: str
) -> Iterator[Outcome]:
    python = python_of(name, root)
    if python is None:
        yield failed(name, 0, rate, error_of(name, root))
        return
    if not out.is_file():
        unfinished = out.with_suffix(".tmp")
        error = _call(python, name, [str(case), str(unfinished), str(rate), which])
        if error:
            yield failed(name, 0, rate, error)
        if not unfinished.is_file():
            return
        if not error:
            unfinished.rename(out)
        else:
            out = unfinished
    yield from map(_read, json.loads(out.read_bytes()))


def _call(python: Path, name: str, arguments: list[str]) -> str:
    """What went wrong, or nothing."""
    command = [str(python), "-m", f"benchmarks.drift.peers.{name}", *arguments]
    environment = os.environ | _QUIET | {"PYTHONPATH": str(ROOT)}
    try:
        ended = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"not finished after {LONGEST_S} s"
    return ended.stderr[-2000:] if ended.returncode else ""


def _read(fields: dict[str, Any]) -> Outcome:
    """JSON that was written by a method that failed has no numbers."""
    known = {name: math.nan if fields[name] is None else fields[name] for name in _NUMBERS}
    return Outcome(**{**fields, **known})
