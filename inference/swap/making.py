"""Golden inputs for versions that came without: made beside serving, before anybody promotes them.

Each is made in a process that ends with it: the libraries it loads are as large as a model, and a
model that crashes takes nothing with it.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from inference.runtimes.background import enter_background
from inference.runtimes.loading import load_predictor
from inference.swap.golden import check_golden, check_smoke, make_golden
from registry.queries import load_version
from registry.services.golden import find_without_golden, load_golden, store_golden
from registry.services.swaps import check_stageable
from registry.specs import VersionSpec

log = logging.getLogger(__name__)

# Somebody who registers and promotes at once has them made while loading: no need to do it twice.
SETTLE_S = 10.0
TIMEOUT_S = 900.0
# A version that cannot be run is looked at again only after this long.
AGAIN_S = 3600.0
ROOT = Path(__file__).resolve().parents[2]
ACTOR = "worker"

_running: list["subprocess.Popen[str]"] = []
_failed_at: dict[tuple[str, int, str], float] = {}


def make_missing(run: Callable[[VersionSpec], bool] | None = None) -> int:
    """Make what is missing, one version after another; returns for how many it was possible."""
    n_made = 0
    for spec in find_without_golden(older_than_s=SETTLE_S):
        key = (spec.model, spec.number, spec.digest)
        if time.monotonic() - _failed_at.get(key, -AGAIN_S) < AGAIN_S:
            continue
        is_there = load_golden(spec.model, spec.number) is not None
        if is_there or (run or run_apart)(spec):
            n_made += 1
        else:
            _failed_at[key] = time.monotonic()
    return n_made


def run_apart(spec: VersionSpec) -> bool:
    """Make the golden inputs of `spec` in a process of its own, behind all others."""
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "inference.golden_task", spec.model, str(spec.number)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    _running.append(process)
    try:
        _, errors = process.communicate(timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
    finally:
        _running.remove(process)
    if process.returncode:
        last = errors.strip().rpartition("\n")[2][:300]
        log.warning("no golden inputs for %s v%s: %s", spec.model, spec.number, last)
    return process.returncode == 0


def stop() -> None:
    """End what runs; the next worker begins it again."""
    for process in list(_running):
        process.terminate()


def make(model: str, number: int) -> None:
    """Load one version and keep what it answers; raises CannotServe for one that is not sound."""
    enter_background()
    check_stageable(model, number)
    predictor = load_predictor(load_version(model, number))
    check_smoke(predictor)
    golden = make_golden(predictor)
    check_golden(predictor, golden)
    store_golden(model, number, golden, actor=ACTOR)
