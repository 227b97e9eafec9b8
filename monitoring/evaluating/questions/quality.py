"""Has the model become worse than its baseline? Decided by labels as they arrive. Pure.

The baseline is the reference's labelled part, or the version's own first labels where it has none;
it is frozen either way. `monitoring.quality.degradation` decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from monitoring.drift.grids import Counts
from monitoring.evaluating.answers import Answer, Question, insufficient, percent
from monitoring.evaluating.options import QualityOptions
from monitoring.quality import degradation
from monitoring.quality.degradation import ERRORS, Judgement, Labelled, Progress, Watch
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

OWN_BASELINE = 300
"""A version without a labelled reference is compared with so many of its own first labels."""
# No draw is less likely than 1 in 200; what was seen so far bounds the next weights more closely.
MOST_WEIGHT = 200.0
_ROOM = 1.5
UNWEIGHTED = "delayed"
"""The source whose labels all speak for themselves alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is carried from one evaluation to the next.

    `baseline` holds cells (actual, predicted) → n; `is_complete` says that it is frozen.
    `heaviest` is the largest weight so far of each source.
    """

    baseline: Mapping[tuple[str, str], int]
    is_complete: bool
    progress: Progress = degradation.NOTHING
    heaviest: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityFacts:
    """Labels in order of arrival that were not yet taken in; `arl` in labels."""

    labels: tuple[str, ...]
    fresh: Sequence[Labelled]
    arl: float


def begin(labels: Sequence[str], confusion: Counts | None) -> Standing:
    """Before the first label; `confusion` [K, K] (actual, predicted) is the reference's."""
    cells: dict[tuple[str, str], int] = {}
    if confusion is not None:
        for i, j in zip(*np.nonzero(confusion), strict=True):
            cells[labels[i], labels[j]] = int(confusion[i, j])
    is_complete = sum(cells.values()) >= degradation.FEWEST_BASELINE
    return Standing(baseline=cells if is_complete else {}, is_complete=is_complete, heaviest={})


def take_in(standing: Standing, options: QualityOptions, facts: QualityFacts) -> Standing:
    """`standing` after the fresh labels: they complete the baseline first, then they are tested."""
    fresh = list(facts.fresh)
    if not standing.is_complete:
        n_missing = max(0, OWN_BASELINE - sum(standing.baseline.values()))
        standing = _completed(standing, fresh[:n_missing], n_missing)
        fresh = fresh[n_missing:]
    if not fresh:
        return standing
    bounds = {item.source: _bound(standing, item.source) for item in fresh}
    progress = degradation.update(
        _watch(standing, options, facts.labels),
        standing.progress,
        fresh,
        arl=facts.arl,
        largest_weights=bounds,
    )
    heaviest = dict(standing.heaviest)
    for item in fresh:
        heaviest[item.source] = max(heaviest.get(item.source, 1.0), item.weight)
    return replace(standing, progress=progress, heaviest=heaviest)


def answer(
    question: Question, options: QualityOptions, facts: QualityFacts, standing: Standing
) -> Answer:
    """DEGRADED where the evidence reaches the average run length that the budget asks for."""
    n_baseline = sum(standing.baseline.values())
    if not standing.is_complete:
        return insufficient(
            f"{n_baseline} of {OWN_BASELINE} labels came that become the baseline.",
            n_reference=n_baseline,
            window_end=question.at,
        )
    judged = degradation.judge(
        _watch(standing, options, facts.labels), standing.progress, arl=facts.arl
    )
    verdict = judged.verdict
    if verdict is Verdict.OK and judged.n < options.min_items:
        verdict = Verdict.INSUFFICIENT_DATA
    return Answer(
        verdict=verdict,
        severity=Severity.CRITICAL,
        summary=_told(judged, verdict),
        value=judged.e_value,
        threshold=judged.arl,
        effect=_loss(judged),
        alpha=question.alpha,
        n_reference=n_baseline,
        n_window=judged.n,
        window_start=question.live_since,
        window_end=question.at,
        details={
            "classes": list(judged.classes),
            "streams": [
                {
                    "source": row.source,
                    "label": row.label,
                    "e_value": row.e_value,
                    "n": row.n,
                    "value": row.value,
                    "low": row.low,
                    "high": row.high,
                    "lowest_allowed": row.lowest,
                }
                for row in judged.evidence[:8]
            ],
        },
    )


def to_json(standing: Standing) -> dict[str, Any]:
    return {
        "baseline": [[*pair, n] for pair, n in sorted(standing.baseline.items())],
        "is_complete": standing.is_complete,
        "heaviest": dict(standing.heaviest),
        "streams": degradation.to_json(standing.progress),
    }


def from_json(fields: Mapping[str, Any]) -> Standing:
    """Raises ValueError for what `to_json` did not make."""
    try:
        return Standing(
            baseline={(str(a), str(p)): int(n) for a, p, n in fields["baseline"]},
            is_complete=bool(fields["is_complete"]),
            heaviest={str(name): float(w) for name, w in fields["heaviest"].items()},
            progress=degradation.from_json(fields["streams"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not the standing of a quality monitor: {error!r}") from error


def _completed(standing: Standing, first: Sequence[Labelled], n_missing: int) -> Standing:
    cells = dict(standing.baseline)
    for item in first:
        cells[item.actual, item.predicted] = cells.get((item.actual, item.predicted), 0) + 1
    return replace(standing, baseline=cells, is_complete=len(first) >= n_missing)


def _bound(standing: Standing, source: str) -> float:
    """What no label of `source` is expected to outweigh, known before they came."""
    if source == UNWEIGHTED:
        return 1.0
    return min(MOST_WEIGHT, _ROOM * standing.heaviest.get(source, MOST_WEIGHT))


def _watch(standing: Standing, options: QualityOptions, labels: Sequence[str]) -> Watch:
    names = sorted({*labels, *(name for pair in standing.baseline for name in pair)})
    index = {name: i for i, name in enumerate(names)}
    confusion = np.zeros((len(names), len(names)), np.int64)
    for (actual, predicted), n in standing.baseline.items():
        confusion[index[actual], index[predicted]] += n
    return degradation.watch(confusion, names, tolerance=options.tolerance)


def _loss(judged: Judgement) -> float | None:
    """How far the strongest stream lies below what is allowed, in points of accuracy or F1."""
    strongest = next(iter(judged.evidence), None)
    if strongest is None or strongest.value is None:
        return None
    return max(0.0, strongest.lowest - strongest.value)


def _told(judged: Judgement, verdict: Verdict) -> str:
    if verdict is Verdict.INSUFFICIENT_DATA:
        return f"{judged.n} labels came since the baseline: too few to judge."
    strongest = judged.evidence[0]
    what = "accuracy" if strongest.label == ERRORS else f"F1 of {strongest.label}"
    shown = "unknown" if strongest.value is None else percent(strongest.value)
    told = f"{what[0].upper()}{what[1:]} is {shown} by {strongest.n} {strongest.source} labels"
    allowed = f"{percent(strongest.lowest)} are allowed"
    if verdict is Verdict.DEGRADED:
        return f"{told}; {allowed}."
    is_less = strongest.value is not None and strongest.value < strongest.lowest
    return f"{told}; {allowed}" + (", and it may still be chance." if is_less else ".")
