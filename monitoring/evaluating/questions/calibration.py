"""Is the model surer of itself than it should be? Pure.

Among labelled answers, right ones are compared with the confidence that they were given with. The
gap that the reference itself had, and a tolerance, are allowed. The p-value is Chernoff's bound on
the sum of weighted (confidence - right): valid at the smallest levels and for any weights, a little
cautious.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from monitoring.drift.grids import Floats
from monitoring.evaluating.answers import Answer, Question, insufficient, percent
from monitoring.evaluating.options import CalibrationOptions
from monitoring.quality.calibration import calibration_error
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

_TILTS: Floats = np.concatenate([[0.0], np.geomspace(1e-3, 50, 200)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Labelled answers of one source: [n] confidence in (0, 1], 0/1 right, weight > 0."""

    source: str
    confidence: Floats
    is_right: Floats
    weight: Floats

    @property
    def gap(self) -> float:
        """The weighted mean of confidence minus accuracy."""
        return float(np.average(self.confidence - self.is_right, weights=self.weight))


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationFacts:
    """Labels by source, and the reference's own gap (0 where it has too few labels)."""

    sources: Sequence[Answers]
    reference_gap: float


def answer(question: Question, options: CalibrationOptions, facts: CalibrationFacts) -> Answer:
    """DEGRADED where confidence and accuracy are further apart than is allowed, in any source."""
    judged = [each for each in facts.sources if len(each.confidence) >= options.min_items]
    n = sum(len(each.confidence) for each in facts.sources)
    if not judged:
        return insufficient(
            f"{n} labels came; {options.min_items} of one source are needed.",
            n_window=n,
            window_end=question.at,
        )
    tests = [(_p_value(each, facts.reference_gap, options.tolerance), each) for each in judged]
    p_value, worst = min(tests, key=lambda test: test[0])
    # As many sources, two sides each.
    p_value = min(1.0, 2 * len(judged) * p_value)
    error = calibration_error(worst.confidence, worst.is_right > 0)
    gap = worst.gap
    is_bad = p_value <= question.alpha
    direction = "surer than right" if gap > 0 else "less sure than right"
    return Answer(
        verdict=Verdict.DEGRADED if is_bad else Verdict.OK,
        severity=Severity.WARNING,
        summary=f"Answers are {percent(abs(gap))} {direction} by {len(worst.confidence)} "
        f"{worst.source} labels; {percent(abs(facts.reference_gap))} at the reference.",
        value=gap,
        threshold=options.tolerance,
        p_value=p_value,
        effect=abs(gap - facts.reference_gap),
        alpha=question.alpha,
        n_window=n,
        window_end=question.at,
        details={
            "source": worst.source,
            "reference_gap": facts.reference_gap,
            "ece": error.value,
            "ece_by_chance": error.null_mean,
            "ece_p_value": error.p_value,
        },
    )


def _p_value(answers: Answers, allowed: float, tolerance: float) -> float:
    """The smaller bound of both sides, not yet corrected for being two."""
    right, sure, weight = answers.is_right, answers.confidence, answers.weight
    low = np.clip(sure - (max(0.0, allowed) + tolerance), 0.0, 1.0)
    high = np.clip(sure - (min(0.0, allowed) - tolerance), 0.0, 1.0)
    return min(_tail(low, right, weight), _tail(1 - high, 1 - right, weight))


def _tail(chance: Floats, hits: Floats, weight: Floats) -> float:
    """Chernoff's bound on so few weighted hits, if each had at least its `chance`."""
    w = weight / weight.max()
    # log E exp(-t w hit) under the null, plus t times what was seen.
    logs = np.log1p(chance[None] * np.expm1(-_TILTS[:, None] * w[None])).sum(axis=1)
    return float(np.exp(min(0.0, float((logs + _TILTS * float(w @ hits)).min()))))
