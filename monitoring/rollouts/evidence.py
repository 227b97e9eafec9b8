"""What is known about a candidate so far, and how one more look adds to it. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np

from monitoring.drift.grids import N_BINS, Counts
from monitoring.rollouts.options import Metric, Options
from monitoring.rollouts.sequential import (
    NO_DUEL,
    NO_TALLY,
    Duel,
    Tally,
    mean_e,
    watch,
    watch_alone,
)

# A threshold needs this many of the stable version's answers behind it.
FEWEST_FOR_THRESHOLD = 200
SLOW_SHARE = 0.05
UNSURE_SHARE = 0.10
MOST_LABELS = 20
LABEL, FEWER = "labels:more:", "labels:fewer:"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Totals:
    """Everything counted of one version since the rollout's origin.

    `seconds` and `confidence` [64] are counts on the fixed grids; `labelled` counts known labels
    and the wrong answers among them; `compared` a shadow's comparisons and its disagreements.
    """

    n: int = 0
    n_failed: int = 0
    seconds: Counts = field(default_factory=lambda: np.zeros(N_BINS, np.int64))
    confidence: Counts = field(default_factory=lambda: np.zeros(N_BINS, np.int64))
    labels: Mapping[str, int] = field(default_factory=dict)
    labelled: Tally = NO_TALLY
    compared: Tally = NO_TALLY

    @property
    def n_requests(self) -> int:
        """Answered and failed ones."""
        return self.n + self.n_failed


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One comparison: how far both versions' tallies were at the last look, since the first one."""

    candidate: Tally = NO_TALLY
    stable: Tally = NO_TALLY
    seen_candidate: Tally = NO_TALLY
    seen_stable: Tally = NO_TALLY
    duel: Duel = NO_DUEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`questions` by name: a metric, or for labels `labels:more:NAME` and `labels:fewer:NAME`.

    `slow_bin` and `unsure_bin` are where the stable version's slowest 5 % and least sure 10 %
    begin; they are fixed before what they judge is counted. `n_at_step` requests of the
    candidate had been counted when the step was first looked at.
    """

    questions: dict[str, Question] = field(default_factory=dict)
    slow_bin: int | None = None
    unsure_bin: int | None = None
    n_looks: int = 0
    n_at_step: int | None = None

    def of(self, metric: Metric) -> dict[str, Question]:
        """The questions that belong to one metric."""
        return {
            name: question
            for name, question in self.questions.items()
            if name == metric or name.startswith(f"{metric}:")
        }

    def worse(self, metric: Metric) -> float:
        """The e-value for «worse than the margin allows»."""
        return mean_e([question.duel.worse.e_value for question in self.of(metric).values()])

    def fine(self, metric: Metric) -> float:
        """The e-value for «not worse than the wide margin»: of all its questions the smallest."""
        values = [question.duel.fine.e_value for question in self.of(metric).values()]
        return min(values, default=1.0)


def look(
    evidence: Evidence,
    candidate: Totals,
    stable: Totals,
    *,
    options: Options,
    rng: np.random.Generator,
) -> Evidence:
    """The evidence after one more look at both totals. The first look at a question only notes
    where its tallies stand.
    """
    questions = dict(evidence.questions)
    for name, metric, mine, theirs in _tallies(evidence, candidate, stable):
        if metric not in options.metrics:
            continue
        if name not in questions:
            questions[name] = Question(seen_candidate=mine, seen_stable=theirs)
            continue
        margins = options.margins_of(metric)
        questions[name] = _asked(questions[name], metric, mine, theirs, margins, rng)
    return replace(
        evidence,
        questions=questions,
        slow_bin=_slow_bin(evidence.slow_bin, stable.seconds),
        unsure_bin=_unsure_bin(evidence.unsure_bin, stable.confidence),
        n_looks=evidence.n_looks + 1,
        n_at_step=candidate.n_requests if evidence.n_at_step is None else evidence.n_at_step,
    )


def as_json(evidence: Evidence) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(evidence)
    return plain


def from_json(raw: object) -> Evidence:
    return msgspec.convert(raw, Evidence)


def _asked(
    question: Question,
    metric: Metric,
    candidate: Tally,
    stable: Tally,
    margins: Any,
    rng: np.random.Generator,
) -> Question:
    new, other = candidate.since(question.seen_candidate), stable.since(question.seen_stable)
    if metric is Metric.DISAGREEMENT:
        duel = Duel(worse=watch_alone(question.duel.worse, new, limit=margins.worse))
    else:
        if not new.n or not other.n:
            # Kept until the other version has answered too: nothing to pair with yet.
            return question
        duel = watch(
            question.duel, new, other, margin=margins.worse, fine_margin=margins.fine, rng=rng
        )
    return Question(
        candidate=_plus(question.candidate, new),
        stable=_plus(question.stable, other),
        seen_candidate=candidate,
        seen_stable=stable,
        duel=duel,
    )


def _tallies(
    evidence: Evidence, candidate: Totals, stable: Totals
) -> Iterator[tuple[str, Metric, Tally, Tally]]:
    """Each question's name, metric, and both versions' tallies."""
    yield "errors", Metric.ERRORS, _failures(candidate), _failures(stable)
    yield "feedback", Metric.FEEDBACK, candidate.labelled, stable.labelled
    yield "disagreement", Metric.DISAGREEMENT, candidate.compared, NO_TALLY
    if (slow := evidence.slow_bin) is not None:
        slowest = slice(slow, None)
        yield (
            "latency",
            Metric.LATENCY,
            _tally(candidate.seconds, slowest),
            _tally(stable.seconds, slowest),
        )
    if (unsure := evidence.unsure_bin) is not None:
        least = slice(None, unsure)
        yield (
            "confidence",
            Metric.CONFIDENCE,
            _tally(candidate.confidence, least),
            _tally(stable.confidence, least),
        )
    for label in _asked_labels(evidence, stable):
        mine, theirs = _share(candidate, label), _share(stable, label)
        yield f"{LABEL}{label}", Metric.LABELS, mine, theirs
        yield f"{FEWER}{label}", Metric.LABELS, _turned(mine), _turned(theirs)


def _asked_labels(evidence: Evidence, stable: Totals) -> list[str]:
    """The labels of earlier looks, so that the same are asked about at each; at first the stable
    version's most frequent ones.
    """
    asked = [name.removeprefix(LABEL) for name in evidence.questions if name.startswith(LABEL)]
    frequent = sorted(stable.labels, key=lambda name: (-stable.labels[name], name))
    return asked or frequent[:MOST_LABELS]


def _failures(totals: Totals) -> Tally:
    return Tally(totals.n_requests, totals.n_failed)


def _tally(counts: Counts, bad: slice) -> Tally:
    return Tally(int(counts.sum()), int(counts[bad].sum()))


def _share(totals: Totals, label: str) -> Tally:
    return Tally(totals.n, totals.labels.get(label, 0))


def _turned(tally: Tally) -> Tally:
    return Tally(tally.n, tally.n - tally.n_bad)


def _plus(a: Tally, b: Tally) -> Tally:
    return Tally(a.n + b.n, a.n_bad + b.n_bad)


def _slow_bin(known: int | None, seconds: Counts) -> int | None:
    """The first bin from which on at most 5 % of the answers lie."""
    if known is not None or seconds.sum() < FEWEST_FOR_THRESHOLD:
        return known
    above = np.cumsum(seconds[::-1])[::-1] / seconds.sum()
    return int(np.argmax(above <= SLOW_SHARE)) if (above <= SLOW_SHARE).any() else N_BINS - 1


def _unsure_bin(known: int | None, confidence: Counts) -> int | None:
    """The bin below which at most 10 % of the answers lie."""
    if known is not None or confidence.sum() < FEWEST_FOR_THRESHOLD:
        return known
    below = (np.cumsum(confidence) - confidence) / confidence.sum()
    return int(np.flatnonzero(below <= UNSURE_SHARE)[-1])
