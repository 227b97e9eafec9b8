"""Bellwether's detectors and the classic rule, in the form in which methods are tried."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.drift.cases import Rows
from benchmarks.drift.racing import STEP, Effort, Judge, Method, Score
from monitoring.drift import catalogue, judging
from monitoring.drift import reference as references
from monitoring.drift.base import Detector, Finding
from monitoring.drift.combining import holm
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.sample import Sample
from monitoring.drift.sums import Sums, sums_of, total

JOINT, BOTH, FLOORED = "defaults", "defaults, windows 200 and 1,000", "defaults, effects >= floor"
CLASSIC = "classic rule: KS in any dimension"
LEVEL = 0.05
# The asymptotic critical value of the two-sample Kolmogorov-Smirnov test at LEVEL.
_KS_CRITICAL = 1.3581
_SMALLEST = 1e-300
SEED = 11
CLASSIC_EFFORT = Effort(6, 5)


@dataclass(slots=True)
class Watch:
    """One reference and the sums of the stretches that were compared with it.

    Sums are kept by the rows they are over, as roll-ups keep them: a window adds up its stretches.
    """

    sample: Sample
    reference: Reference
    _kept: dict[bytes, Sums] = field(default_factory=dict)

    def observe(self, rows: Rows) -> Observed:
        stretches = [rows[at : at + STEP] for at in range(0, len(rows), STEP)]
        return Observed(sums=total([self._sums(stretch) for stretch in stretches]))

    def _sums(self, rows: Rows) -> Sums:
        key = rows.tobytes()
        if key not in self._kept:
            self._kept[key] = sums_of(self.sample.take(rows), self.reference.basis)
        return self._kept[key]


class Watches:
    """The watch over each reference, fitted once."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._kept: dict[bytes, Watch] = {}

    def __getitem__(self, rows: Rows) -> Watch:
        key = rows.tobytes()
        if key not in self._kept:
            self._kept[key] = watch(self._sample, rows)
        return self._kept[key]


def watch(sample: Sample, rows: Rows, *, is_ordered: bool = False) -> Watch:
    """Fit a reference to `rows`, which may be traffic in its order."""
    fitted = references.fit(
        sample.take(rows),
        rng=np.random.default_rng(SEED),
        keeps_texts=False,
        is_ordered=is_ordered,
    )
    return Watch(sample, fitted)


def find_all(
    reference: Reference, observed: Observed, detectors: Sequence[Detector] = catalogue.DEFAULTS
) -> list[Finding]:
    return [detector.judge(reference, observed) for detector in detectors]


def surprise(p_value: float | None) -> float:
    """-log10 of a p-value: 0 where there is none."""
    return 0.0 if p_value is None else float(-np.log10(max(p_value, _SMALLEST)))


def judge_jointly(findings: Sequence[Finding]) -> Score:
    """All defaults as one test; its own verdict heeds the floor of effects."""
    judged = judging.judge(findings, alpha=LEVEL)
    return Score(surprise(judged.p_value), judged.verdict.is_bad)


def judge_floored(findings: Sequence[Finding]) -> Score:
    """The same when findings with a smaller effect than the floor count for nothing."""
    usable = [f for f in findings if f.is_sufficient and f.p_value is not None]
    if not usable:
        return Score(0.0, False)
    adjusted = holm([f.p_value for f in usable if f.p_value is not None])
    large = [p for p, f in zip(adjusted, usable, strict=True) if (f.effect or 0.0) >= judging.FLOOR]
    return Score(surprise(min(large, default=None)), judge_jointly(findings).is_alarm)


def methods(sample: Sample, *, effort: Effort) -> list[Method]:
    """The defaults together, in two schedules, with the floor, each alone, and the classic rule."""
    watches = Watches(sample)

    def alone(detector: Detector) -> Callable[[Rows, int], Judge]:
        def score(watched: Watch, rows: Rows) -> Score:
            p = detector.judge(watched.reference, watched.observe(rows)).p_value
            return Score(surprise(p), p is not None and p < LEVEL)

        return _fit(watches, score)

    return [
        Method(JOINT, _fit(watches, _joint), effort),
        Method(BOTH, _fit(watches, _two_windows), effort, windows=(1000,)),
        Method(FLOORED, _fit(watches, _floored), effort),
        *(Method(each.name, alone(each), effort) for each in catalogue.DEFAULTS),
        # Slow here, and quick to be found out: every quiet window is an alarm.
        Method(CLASSIC, _classic(sample), fewer(effort, CLASSIC_EFFORT), windows=(200,)),
    ]


def fewer(effort: Effort, most: Effort) -> Effort:
    return Effort(min(effort.n_quiet, most.n_quiet), min(effort.n_shifted, most.n_shifted))


def _fit(watches: Watches, score: Callable[[Watch, Rows], Score]) -> Callable[[Rows, int], Judge]:
    def fit(reference: Rows, _window: int) -> Judge:
        watched = watches[reference]
        return lambda rows: score(watched, rows)

    return fit


def _joint(watched: Watch, rows: Rows) -> Score:
    return judge_jointly(find_all(watched.reference, watched.observe(rows)))


def _floored(watched: Watch, rows: Rows) -> Score:
    return judge_floored(find_all(watched.reference, watched.observe(rows)))


def _two_windows(watched: Watch, rows: Rows) -> Score:
    """The last 200 and all 1,000, as the default monitors do; Bonferroni over the two."""
    scores = [_joint(watched, rows[-STEP:]), _joint(watched, rows)]
    return Score(
        max(score.value for score in scores) - float(np.log10(len(scores))),
        any(score.is_alarm for score in scores),
    )


def _classic(sample: Sample) -> Callable[[Rows, int], Judge]:
    """Kolmogorov-Smirnov in each dimension, an alarm where any p-value is below .05."""

    def fit(reference: Rows, window: int) -> Judge:
        ordered = np.sort(sample.embeddings[reference], axis=0)
        critical = _KS_CRITICAL * np.sqrt(1 / len(reference) + 1 / window)

        def judge(rows: Rows) -> Score:
            largest = ks_distances(ordered, sample.embeddings[rows]).max()
            return Score(float(largest), bool(largest > critical))

        return judge

    return fit


def ks_distances(ordered: np.ndarray, window: np.ndarray) -> np.ndarray:
    """The two-sample Kolmogorov-Smirnov distance of each column, the first sample sorted."""
    n, m = len(window), len(ordered)
    values = np.sort(window, axis=0)
    above, below = np.arange(1, n + 1) / n, np.arange(n) / n
    distances = np.empty(values.shape[1])
    for column in range(values.shape[1]):
        upper = np.searchsorted(ordered[:, column], values[:, column], side="right") / m
        lower = np.searchsorted(ordered[:, column], values[:, column], side="left") / m
        distances[column] = max((above - upper).max(), (lower - below).max())
    return distances
