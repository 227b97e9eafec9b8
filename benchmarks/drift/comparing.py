"""Ours beside the peers: delays, ratios and limits. Pure."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from benchmarks.drift import alarms
from benchmarks.drift.alarms import FalseAlarms
from benchmarks.drift.labelled import LabelledOutcome
from benchmarks.drift.racing import Outcome
from benchmarks.drift.timing import Timing
from benchmarks.limits import Limit

MOST_FALSE_ALARMS = 1.2
GOAL_RATIO, MOST_RATIO, MOST_SHIFTS = 0.5, 1.2, 0.5
MOST_JOINT_US = 1_000.0
TIMES_PERMUTATIONS = 100.0
# Shown and not judged: the source joins extracts of different months, which truly differ.
NOT_QUIET = {("news", "source")}
GOAL_LABELLED = 0.6
PERMUTATIONS = "Alibi MMD, 100 permutations"
EDETECTOR = "e-detector"


class Raced(msgspec.Struct, frozen=True, kw_only=True):
    """What one method did on one service."""

    service: str
    is_ours: bool
    outcome: Outcome


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One shift of one service. Delays are medians in predictions, None where most streams were
    not found within `horizon`; the best peer is the one with the least, whatever its window.
    """

    service: str
    shift: str
    horizon: int
    ours: float | None
    ours_mean: float
    peer: str
    theirs: float | None
    theirs_mean: float

    @property
    def ratio(self) -> float:
        """A delay that was not found counts as the horizon: where only ours was found the true
        ratio is smaller, where only theirs was found it is larger. NaN where neither was.
        """
        if self.ours is None and self.theirs is None:
            return math.nan
        return (self.ours or self.horizon) / (self.theirs or self.horizon)


def median_delay(delays: Sequence[int | None]) -> float | None:
    found = statistics.median([math.inf if delay is None else delay for delay in delays])
    return found if math.isfinite(found) else None


def mean_delay(delays: Sequence[int | None], horizon: int) -> float:
    """The mean with each delay cut at the horizon."""
    return statistics.fmean(horizon if delay is None else delay for delay in delays)


def compare(raced: Sequence[Raced], horizons: Mapping[str, int], method: str) -> list[Comparison]:
    """`method` of ours, at its smallest window, against the best peer, for each service and shift
    that both have.
    """
    mine: dict[str, Outcome] = {}
    for each in raced:
        if each.is_ours and each.outcome.method == method:
            mine.setdefault(each.service, each.outcome)
    found = []
    for service, outcome in mine.items():
        peers = [each.outcome for each in raced if each.service == service and not each.is_ours]
        for shift in outcome.delays:
            rivals = [peer for peer in peers if shift in peer.delays]
            if rivals:
                found.append(_compare(service, shift, outcome, rivals, horizons[service]))
    return found


def _compare(
    service: str, shift: str, mine: Outcome, rivals: Sequence[Outcome], horizon: int
) -> Comparison:
    best = min(rivals, key=lambda each: _rank(each.delays[shift], horizon))
    return Comparison(
        service=service,
        shift=shift,
        horizon=horizon,
        ours=median_delay(mine.delays[shift]),
        ours_mean=mean_delay(mine.delays[shift], horizon),
        peer=f"{best.method}, {best.window}",
        theirs=median_delay(best.delays[shift]),
        theirs_mean=mean_delay(best.delays[shift], horizon),
    )


def _rank(delays: Sequence[int | None], horizon: int) -> tuple[float, float]:
    median = median_delay(delays)
    return (math.inf if median is None else median, mean_delay(delays, horizon))


def limits_of(
    false_alarms: Iterable[FalseAlarms],
    raced: Sequence[Raced],
    comparisons: Sequence[Comparison],
    labelled: Sequence[LabelledOutcome],
    timings: Sequence[Timing],
) -> list[Limit]:
    """What was promised. A false-alarm rate fails when its interval lies above what is allowed."""
    joint = [
        each
        for each in false_alarms
        if each.detector == alarms.JOINT and (each.service, each.order) not in NOT_QUIET
    ]
    limits = [
        _at_most(
            f"{level:g}: lower bound of false alarms / nominal, worst cell of all defaults",
            max((each.rate.lower / level for each in joint if each.level == level), default=0.0),
            MOST_FALSE_ALARMS,
        )
        for level in alarms.LEVELS
    ]
    ratios = [each.ratio for each in comparisons if not math.isnan(each.ratio)]
    if ratios:
        quick = sum(ratio <= GOAL_RATIO for ratio in ratios) / len(ratios)
        limits += [
            Limit(
                name=f"share of shifts found in at most {GOAL_RATIO:g} of the best peer's delay",
                value=quick,
                bound=MOST_SHIFTS,
                is_floor=True,
                is_required=False,
            ),
            _at_most("largest delay / best peer's", max(ratios), MOST_RATIO, is_required=False),
        ]
    limits += [
        _at_most(f"all defaults, K = {each.n_labels}, us", each.joint_us, MOST_JOINT_US)
        for each in timings
    ]
    return limits + _against_permutations(raced, timings) + _labelled(labelled)


def _against_permutations(raced: Sequence[Raced], timings: Sequence[Timing]) -> list[Limit]:
    slow = [
        each.outcome.seconds
        for each in raced
        if each.outcome.method == PERMUTATIONS and not each.outcome.error
    ]
    if not slow or not timings:
        return []
    slowest = max(each.joint_us for each in timings)
    return [
        Limit(
            name="permutation MMD / all defaults, time of an evaluation",
            value=1e6 * min(slow) / slowest,
            bound=TIMES_PERMUTATIONS,
            is_floor=True,
        )
    ]


def _labelled(outcomes: Sequence[LabelledOutcome]) -> list[Limit]:
    mine = next((each for each in outcomes if each.name == EDETECTOR), None)
    others = [each for each in outcomes if each.name.startswith("river") and each.is_matched]
    if mine is None or not others:
        return []
    limits = []
    for shift, delay in mine.delays.items():
        best = min((found for each in others if (found := each.delays[shift])), default=None)
        if delay and best:
            name = f"{shift}: e-detector's delay / best of river's"
            limits.append(_at_most(name, delay / best, GOAL_LABELLED, is_required=False))
    return limits


def _at_most(name: str, value: float, bound: float, *, is_required: bool = True) -> Limit:
    return Limit(name=name, value=value, bound=bound, is_floor=False, is_required=is_required)
