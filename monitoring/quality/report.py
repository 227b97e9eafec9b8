"""A confusion matrix judged: every rate with its interval, and whether there is enough to judge."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from monitoring.quality import intervals
from monitoring.quality.metrics import Floats, Matrix, Scores, scores

# Below this an interval is wider than any decision that could rest on it.
MIN_LABELLED = 20


class Verdict(StrEnum):
    """Why a number should not be acted upon; no verdict means that nothing speaks against it."""

    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A rate with its 95 % interval; all three are None where nothing is labelled."""

    value: float | None
    low: float | None
    high: float | None


UNDEFINED = Estimate(None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassQuality:
    """One class: `support` items truly are of it, `n_predicted` were called it.

    Without any such item precision or recall is 0 by convention, and its interval is [0, 1].
    """

    label: str
    support: int
    n_predicted: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class Average:
    precision: Estimate
    recall: Estimate
    f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Every rate of a matrix. Micro precision, recall and F1 all equal accuracy here."""

    n_labelled: int
    accuracy: Estimate
    macro: Average
    weighted: Average
    classes: tuple[ClassQuality, ...]
    matrix: Matrix
    verdict: Verdict | None


def judge(matrix: Matrix, *, n_draws: int = intervals.N_DRAWS) -> Quality:
    """The quality that `matrix` shows; the same arguments always give the same numbers.

    `n_draws` is how many tables the averages' intervals rest on: fewer are quicker and coarser.

    Fewer than 20 labelled items are judged INSUFFICIENT_DATA; so is a class with fewer than 20
    items that truly are or were called it. Rates and intervals are given all the same.
    """
    if not matrix.n:
        return unjudged(matrix)
    classes = _classes(matrix)
    macro, weighted = _averages(matrix, classes, n_draws)
    hits = int(np.trace(matrix.counts))
    low, high = intervals.proportion(hits, matrix.n)
    return Quality(
        n_labelled=matrix.n,
        accuracy=Estimate(hits / matrix.n, float(low), float(high)),
        macro=macro,
        weighted=weighted,
        classes=classes,
        matrix=matrix,
        verdict=verdict_on(matrix.n),
    )


def unjudged(matrix: Matrix) -> Quality:
    """What is said of no labels at all."""
    nothing = Average(UNDEFINED, UNDEFINED, UNDEFINED)
    return Quality(
        n_labelled=0,
        accuracy=UNDEFINED,
        macro=nothing,
        weighted=nothing,
        classes=(),
        matrix=matrix,
        verdict=Verdict.INSUFFICIENT_DATA,
    )


def _classes(matrix: Matrix) -> tuple[ClassQuality, ...]:
    counts, rates = matrix.counts, scores(matrix.counts)
    hits, support, n_predicted = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    precision = _estimates(rates.precision, intervals.proportion(hits, n_predicted))
    recall = _estimates(rates.recall, intervals.proportion(hits, support))
    f1 = _estimates(rates.f1, intervals.f1(counts))
    return tuple(
        ClassQuality(
            label=label,
            support=int(support[i]),
            n_predicted=int(n_predicted[i]),
            precision=precision[i],
            recall=recall[i],
            f1=f1[i],
            verdict=verdict_on(int(support[i] + n_predicted[i] - hits[i])),
        )
        for i, label in enumerate(matrix.labels)
    )


def _averages(
    matrix: Matrix, classes: tuple[ClassQuality, ...], n_draws: int
) -> tuple[Average, Average]:
    if len(classes) == 1:
        return alone(classes[0])
    rng = intervals.seeded()
    drawn = intervals.draw_scores(matrix.counts, rng=rng, n_draws=n_draws)
    return averages(scores(matrix.counts), drawn)


def alone(row: ClassQuality) -> tuple[Average, Average]:
    """The averages over one class: no table drawn over it can show an error, its rates can."""
    average = Average(row.precision, row.recall, row.f1)
    return average, average


def averages(rates: Scores, drawn: Scores) -> tuple[Average, Average]:
    """Macro and weighted averages of one table's `rates`, bounded by those of `drawn` tables."""
    values = _six(rates)
    six = _estimates(values, intervals.quantiles(_six(drawn), values))
    return Average(*six[:3]), Average(*six[3:])


def _six(rates: Scores) -> Floats:
    """Macro, then weighted precision, recall and F1: one row each."""
    kinds = (rates.precision, rates.recall, rates.f1)
    return np.stack([*map(rates.macro, kinds), *map(rates.weighted, kinds)])


def _estimates(values: Floats, bounds: tuple[Floats, Floats]) -> list[Estimate]:
    return [
        Estimate(float(value), float(low), float(high))
        for value, low, high in zip(values, *bounds, strict=True)
    ]


def verdict_on(n: float) -> Verdict | None:
    """INSUFFICIENT_DATA under 20 labelled items, or as many as they are worth."""
    return Verdict.INSUFFICIENT_DATA if n < MIN_LABELLED else None
