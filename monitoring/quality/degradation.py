"""Has a model become worse than its baseline? Decided from labels as they arrive, for all classes.

The error rate and every class's F1 are watched by an e-detector each (`edetector`). F1 is tested
through the Jaccard index J = F1 / (2 - F1): among the items that are of the class or were called
it, each is a hit or a miss, and misses above 1 - J of the lowest F1 allowed are a degradation.

A limit is the *upper* bound of what the baseline's own labels say, plus the tolerance, so that a
baseline which was lucky alarms nobody (Podkopaev and Ramdas, 2022, arXiv 2110.06177).

One budget holds for all streams together. Evidence is summed: half of the error rate's, a quarter
of each class's. An item belongs to two classes at most, so what all streams expect by chance after
n labels is at most n, however many classes there are; sources of labels are streams of their own
and add up likewise. An alarm at evidence >= ARL therefore comes by chance no sooner than every ARL
labels on average.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitoring.quality import edetector, intervals
from monitoring.quality.confidence_sequence import Bounds, Outcome, sequence
from monitoring.quality.edetector import State
from monitoring.quality.metrics import Counts
from monitoring.quality.report import MIN_LABELLED
from monitoring.verdicts import Verdict

ERRORS = ""
"""The name of the stream that all items belong to; the others are named like their class."""
TOLERANCE = 0.02
BASELINE_LEVEL = 0.90
# Under this many items the baseline of a class leaves nothing to test.
FEWEST_BASELINE = 50
_SHARES = {True: 0.5, False: 0.25}
# What is certain needs no more proof; more evidence would only delay the all-clear.
MOST_EVIDENCE = 2.0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A prediction whose truth came to be known; `weight` is 1 / its probability of being asked.

    Labels of one `source` share one sampling: weights of two sources are never compared.
    """

    actual: str
    predicted: str
    weight: float = 1.0
    source: str = "delayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """What is tested: that misses among the items of `label` stay at or under `limit`.

    `baseline` is the accuracy (ERRORS) or the class's F1 over `n_baseline` items; `lowest` is the
    lowest value that is still allowed.
    """

    label: str
    limit: float
    n_baseline: int
    baseline: float
    lowest: float


@dataclass(frozen=True, slots=True)
class Watch:
    """All streams of a baseline; none where it has too few labels."""

    streams: tuple[Stream, ...]
    tolerance: float


@dataclass(frozen=True, slots=True)
class Progress:
    """Where every test stands, by (source, stream)."""

    states: Mapping[tuple[str, str], State]

    @property
    def n(self) -> int:
        """How many labels have been taken in."""
        return sum(s.totals.n for (_, label), s in self.states.items() if label == ERRORS)


NOTHING = Progress({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One stream of one source: `value` and its bounds (valid at every look) as accuracy or F1."""

    source: str
    label: str
    e_value: float
    n: int
    n_bad: int
    lowest: float
    value: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """`e_value` against `arl`; `classes` are those that would alarm alone, worst first; `evidence`
    is every stream's, strongest first.
    """

    verdict: Verdict
    e_value: float
    arl: float
    n: int
    classes: tuple[str, ...]
    evidence: tuple[Evidence, ...]

    def errors(self, source: str) -> Evidence | None:
        """The error rate's stream of a source: its `value` is the live accuracy."""
        found = (e for e in self.evidence if e.label == ERRORS and e.source == source)
        return next(found, None)


def watch(
    confusion: Counts,
    labels: Sequence[str],
    *,
    tolerance: float = TOLERANCE,
    level: float = BASELINE_LEVEL,
) -> Watch:
    """The streams that a baseline's table `confusion` [K, K] (actual, predicted) sets limits for.

    `tolerance` is how much lower accuracy or F1 may be than the baseline's lower bound (one-sided
    at (1 + level) / 2). Classes with under 50 baseline items that are of it or were called it, and
    limits that nothing could exceed, are not watched.
    """
    hits = confusion.diagonal()
    unions = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    n, right = int(confusion.sum()), int(hits.sum())
    streams = [_stream(ERRORS, right, n, tolerance=tolerance, level=level)]
    streams += [
        _stream(label, int(hits[i]), int(unions[i]), tolerance=tolerance, level=level)
        for i, label in enumerate(labels)
    ]
    return Watch(tuple(stream for stream in streams if stream is not None), tolerance)


def _stream(label: str, hits: int, n: int, *, tolerance: float, level: float) -> Stream | None:
    if n < FEWEST_BASELINE:
        return None
    low = float(intervals.proportion(hits, n, level=level)[0])
    as_shown, as_hits = (_same, _same) if label == ERRORS else (_f1_of, _jaccard_of)
    lowest = as_shown(low) - tolerance
    if lowest <= 0:
        return None
    return Stream(
        label=label,
        limit=1 - as_hits(lowest),
        n_baseline=n,
        baseline=as_shown(hits / n),
        lowest=lowest,
    )


def update(
    watch: Watch,
    progress: Progress,
    labelled: Iterable[Labelled],
    *,
    arl: float,
    largest_weights: Mapping[str, float] | None = None,
) -> Progress:
    """`progress` after `labelled`, in order of arrival; each label once, no revision of it.

    `largest_weights` bounds the weights of each source (1 if not named) and was known before the
    draws: 1 / the lowest probability.
    """
    outcomes: dict[tuple[str, str], list[Outcome]] = defaultdict(list)
    watched = {stream.label for stream in watch.streams}
    for item in labelled:
        outcome = Outcome(item.actual != item.predicted, item.weight)
        for label in {ERRORS, item.actual, item.predicted} & watched:
            outcomes[item.source, label].append(outcome)
    limits = {stream.label: stream.limit for stream in watch.streams}
    states = dict(progress.states)
    for (source, label), batch in outcomes.items():
        states[source, label] = edetector.update(
            states.get((source, label), State()),
            batch,
            limit=limits[label],
            largest_weight=(largest_weights or {}).get(source, 1.0),
        )
    excess = _total(states) / (MOST_EVIDENCE * arl)
    if excess > 1:
        states = {key: state.scaled(1 / excess) for key, state in states.items()}
    return Progress(states)


def judge(watch: Watch, progress: Progress, *, arl: float) -> Judgement:
    """DEGRADED at evidence >= `arl` (`edetector.run_length`), otherwise OK.

    INSUFFICIENT_DATA where nothing can be watched, or under 20 labels and no alarm.
    """
    e_value = _total(progress.states)
    evidence = _evidence(watch, progress)
    if e_value >= arl:
        verdict = Verdict.DEGRADED
    elif not watch.streams or progress.n < MIN_LABELLED:
        verdict = Verdict.INSUFFICIENT_DATA
    else:
        verdict = Verdict.OK
    return Judgement(
        verdict=verdict,
        e_value=e_value,
        arl=arl,
        n=progress.n,
        classes=_alarming(evidence, arl) if verdict is Verdict.DEGRADED else (),
        evidence=evidence,
    )


def _total(states: Mapping[tuple[str, str], State]) -> float:
    return sum(_SHARES[label == ERRORS] * state.e_value for (_, label), state in states.items())


def _evidence(watch: Watch, progress: Progress) -> tuple[Evidence, ...]:
    streams = {stream.label: stream for stream in watch.streams}
    rows = [
        _shown(source, streams[label], state)
        for (source, label), state in progress.states.items()
        if label in streams
    ]
    return tuple(sorted(rows, key=lambda row: (-row.e_value, row.source, row.label)))


def _shown(source: str, stream: Stream, state: State) -> Evidence:
    as_shown = _same if stream.label == ERRORS else _f1_of
    bounds: Bounds = sequence(state.totals)
    rate = state.totals.rate
    return Evidence(
        source=source,
        label=stream.label,
        e_value=state.e_value,
        n=state.totals.n,
        n_bad=state.totals.n_bad,
        lowest=stream.lowest,
        value=None if rate is None else as_shown(1 - rate),
        low=as_shown(1 - bounds.high),
        high=as_shown(1 - bounds.low),
    )


def _alarming(evidence: tuple[Evidence, ...], arl: float) -> tuple[str, ...]:
    labels = [row.label for row in evidence if row.label != ERRORS and row.e_value >= arl]
    return tuple(dict.fromkeys(labels))


def to_json(progress: Progress) -> list[dict[str, Any]]:
    return [
        {"source": source, "label": label, **edetector.to_json(state)}
        for (source, label), state in sorted(progress.states.items())
    ]


def from_json(rows: Sequence[Mapping[str, Any]]) -> Progress:
    """Raises ValueError for what `to_json` did not make."""
    try:
        return Progress(
            {(str(row["source"]), str(row["label"])): edetector.from_json(row) for row in rows}
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"not the progress of a test: {error!r}") from error


def _same(rate: float) -> float:
    return rate


def _f1_of(jaccard: float) -> float:
    return 2 * jaccard / (1 + jaccard)


def _jaccard_of(f1: float) -> float:
    return f1 / (2 - f1)
