"""False alarms of our own detectors on quiet streams, at three nominal levels. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from benchmarks.drift import ours
from benchmarks.drift.embedding import Integers
from benchmarks.drift.racing import STEP
from benchmarks.drift.rates import AlarmRate, rate_of
from benchmarks.drift.services import Service
from benchmarks.drift.streams import HISTORIES
from monitoring.drift import judging
from monitoring.drift.base import Finding

LEVELS = (0.05, 0.01, 0.001)
WINDOWS = (200, 1000)
JOINT, FLOORED = "all defaults", "all defaults, effect floor"


class FalseAlarms(msgspec.Struct, frozen=True, kw_only=True):
    """How often one detector alarmed at `level` on quiet windows of one size."""

    service: str
    order: str
    window: int
    n_reference: int
    detector: str
    level: float
    rate: AlarmRate

    @property
    def ratio(self) -> float:
        return self.rate.rate / self.level


# By (window, detector, level): for each stream whether its windows alarmed.
_Tally = dict[tuple[int, str, float], list[list[bool]]]


def count(service: Service, *, n_splits: int, n_reference: int, seed: int) -> list[FalseAlarms]:
    """Try all defaults on `n_splits` quiet streams in each order, each after its own reference."""
    tallies: dict[str, _Tally] = {order: defaultdict(list) for order in HISTORIES}
    for number in range(n_splits):
        for order, cut in HISTORIES.items():
            parts = cut(service.base, n_reference, np.random.default_rng([seed, number]))
            watched = ours.watch(service.sample, parts.reference, is_ordered=True)
            _add(tallies[order], watched, parts.rest)
    return [
        FalseAlarms(
            service=service.name,
            order=order,
            window=window,
            n_reference=n_reference,
            detector=detector,
            level=level,
            rate=rate_of(alarms),
        )
        for order, tally in tallies.items()
        for (window, detector, level), alarms in tally.items()
    ]


def _add(tally: _Tally, watched: ours.Watch, rows: Integers) -> None:
    for window in WINDOWS:
        alarms: _Tally = defaultdict(lambda: [[]])
        for stretch in _windows(rows, window):
            findings = ours.find_all(watched.reference, watched.observe(stretch))
            for level in LEVELS:
                for detector, is_alarm in _verdicts(findings, level):
                    alarms[window, detector, level][0].append(is_alarm)
        for key, streams in alarms.items():
            tally[key] += streams


def _windows(rows: Integers, size: int) -> Iterable[Integers]:
    # Whole steps only, so that sums of steps serve windows of every size.
    return (rows[at : at + size] for at in range(0, len(rows) - size + 1, max(size, STEP)))


def _verdicts(findings: Sequence[Finding], level: float) -> Iterable[tuple[str, bool]]:
    judged = judging.judge(findings, alpha=level)
    yield JOINT, judged.p_value is not None and judged.p_value <= level
    yield FLOORED, judged.verdict.is_bad
    for finding in findings:
        if finding.is_sufficient and finding.p_value is not None:
            yield finding.detector, finding.p_value <= level
