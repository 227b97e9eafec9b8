"""One method over one case: its own alarms on quiet streams, then the delay at equal false alarms.

Only numpy and the standard library, since peers run it in environments of their own. The method's
own threshold serves its own false-alarm rate only. For delays every method gets the threshold at
which it alarms in `rate` of the quiet evaluations that were measured here.
"""

import math
import resource
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from benchmarks.drift.cases import Case, Rows

STEP = 200
"""Every method is asked after this many further predictions."""


@dataclass(frozen=True, slots=True)
class Score:
    """`value` is larger the more a window differs; `is_alarm` is the method's own verdict, with
    the settings that it comes with.
    """

    value: float
    is_alarm: bool | None = None


Judge = Callable[[Rows], Score]


@dataclass(frozen=True, slots=True)
class Effort:
    """How many streams a method is given, and how often it is asked in a quiet one at most; dear
    methods get fewer. With no shifted streams only its own rule is counted.
    """

    n_quiet: int
    n_shifted: int
    n_asked: int = 1000


@dataclass(frozen=True, slots=True)
class Method:
    """`fit` takes the rows of a reference and the size of the windows that will come."""

    name: str
    fit: Callable[[Rows, int], Judge]
    effort: Effort
    windows: tuple[int, ...] = (200, 1000)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one method did with windows of one size.

    `n_quiet` evaluations of quiet windows, `n_alarms` by the method's own rule (None: it has
    none). `threshold` makes `rate` of them alarm. `delays` are predictions from the change to the
    first alarm, None where none came. Times are medians of CPU time, which other work on the
    machine hardly touches; `memory_mb` is the process's peak.
    """

    method: str
    window: int
    n_quiet: int
    n_alarms: int | None
    rate: float
    threshold: float
    delays: Mapping[str, list[int | None]]
    seconds: float
    fit_seconds: float
    memory_mb: float
    error: str = ""


@dataclass(slots=True)
class _Clock:
    """Scores windows and keeps how long that took."""

    method: Method
    window: int
    seconds: list[float] = field(default_factory=list)
    fit_seconds: list[float] = field(default_factory=list)

    def judge(self, reference: Rows) -> Judge:
        started = time.process_time()
        judge = self.method.fit(reference, self.window)
        self.fit_seconds.append(time.process_time() - started)
        return judge

    def score(self, judge: Judge, rows: Rows) -> Score:
        started = time.process_time()
        score = judge(rows)
        self.seconds.append(time.process_time() - started)
        return score


def ends(case: Case) -> range:
    """The places in a stream at which every method is asked: those after the change."""
    return range(case.n_before + STEP, case.quiet.shape[1] + 1, STEP)


def race(case: Case, method: Method, window: int, rate: float) -> Outcome:
    """Try `method` on the whole case."""
    clock = _Clock(method, window)
    scores = [
        clock.score(judge, rows[end - window : end])
        for rows, judge in _streams(case, case.quiet[: method.effort.n_quiet], clock)
        for end in ends(case)[: method.effort.n_asked]
    ]
    threshold = threshold_of([score.value for score in scores], rate)
    delays = {
        name: _delays(case, streams[: method.effort.n_shifted], clock, threshold)
        for name, streams in case.shifted.items()
        if method.effort.n_shifted
    }
    own = [score.is_alarm for score in scores if score.is_alarm is not None]
    return Outcome(
        method=method.name,
        window=window,
        n_quiet=len(scores),
        n_alarms=sum(own) if own else None,
        rate=rate,
        threshold=threshold,
        delays=delays,
        seconds=statistics.median(clock.seconds),
        fit_seconds=statistics.median(clock.fit_seconds),
        memory_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


def _streams(case: Case, streams: Rows, clock: _Clock) -> Iterator[tuple[Rows, Judge]]:
    """The streams with their judge, those of one reference after another: each is fitted once."""
    n = len(case.references)
    for place in range(min(n, len(streams))):
        judge = clock.judge(case.references[place])
        yield from ((streams[number], judge) for number in range(place, len(streams), n))


def _delays(case: Case, streams: Rows, clock: _Clock, threshold: float) -> list[int | None]:
    return [
        _delay(
            lambda end, rows=rows, judge=judge: (  # type: ignore[misc]
                clock.score(judge, rows[end - clock.window : end]).value > threshold
            ),
            case,
        )
        for rows, judge in _streams(case, streams, clock)
    ]


def _delay(is_alarm: Callable[[int], bool], case: Case) -> int | None:
    return next((end - case.n_before for end in ends(case) if is_alarm(end)), None)


def threshold_of(values: list[float], rate: float) -> float:
    """The smallest score of a quiet window that at most `rate` of them exceed."""
    return float(np.quantile(values, 1 - rate, method="inverted_cdf")) if values else math.nan
