"""What one evaluation and one prediction cost, one thread."""

import statistics
import time
from collections.abc import Callable

import msgspec
import numpy as np

from benchmarks.drift import ours
from benchmarks.drift.services import Service
from monitoring.drift import catalogue, judging
from monitoring.drift.reference import Observed
from monitoring.drift.sums import encode, sums_of

N_REPEATS = 200
N_WINDOW = 1_000


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """Medians. `joint_us` is all defaults and their judgement over kept sums, `detectors_us` each
    of them; `per_prediction_us` adds one answer to the sums, `fit_ms` makes a reference of `n`
    texts, `sums_bytes` is what an hour of any traffic takes in the database.
    """

    d: int
    n_labels: int
    n_reference: int
    joint_us: float
    detectors_us: dict[str, float]
    per_prediction_us: float
    fit_ms: float
    sums_bytes: int


def measure(service: Service, n_reference: int) -> Timing:
    """Time the default detectors on the first texts of `service`."""
    rows, window = service.base[:n_reference], service.base[-N_WINDOW:]
    started = time.process_time()
    watched = ours.watch(service.sample, rows)
    fit_s = time.process_time() - started
    reference, sample = watched.reference, service.sample.take(window)
    observed = Observed(sums=sums_of(sample, reference.basis))

    def joint() -> None:
        judging.judge(ours.find_all(reference, observed), alpha=ours.LEVEL)

    return Timing(
        d=service.sample.embeddings.shape[1],
        n_labels=len(service.sample.labels),
        n_reference=len(rows),
        joint_us=_median_us(joint),
        detectors_us={
            each.name: _median_us(lambda each=each: each.judge(reference, observed))  # type: ignore[misc]
            for each in catalogue.DEFAULTS
        },
        per_prediction_us=_median_us(lambda: sums_of(sample, reference.basis), 9) / len(sample),
        fit_ms=1e3 * fit_s,
        sums_bytes=len(encode(observed.sums)),
    )


def _median_us(act: Callable[[], object], n: int = N_REPEATS) -> float:
    act()
    seconds = np.empty(n)
    for turn in range(n):
        started = time.process_time()
        act()
        seconds[turn] = time.process_time() - started
    return 1e6 * statistics.median(seconds.tolist())
