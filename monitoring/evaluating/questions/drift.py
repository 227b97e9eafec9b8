"""Is the traffic still like the reference? Pure.

Detectors find, `monitoring.drift.judging` decides at the level that the budget allows. Where
segments are looked at as well, they share half of the level.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from monitoring.drift.base import Detector, Finding
from monitoring.drift.judging import FamilyJudgement, Judgement, judge, judge_segments
from monitoring.drift.reference import Observed, Reference
from monitoring.drift.sums import Sums
from monitoring.evaluating.answers import Answer, Question, insufficient
from monitoring.evaluating.options import DriftOptions
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

FEWEST_IN_A_SEGMENT = 200
# Traffic has these, texts that were run through a version have not.
OF_TRAFFIC = frozenset({"latency", "repeats"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DriftFacts:
    """The reference (None: there is none yet), the window, and its segments' sums.

    `is_traffic` says that the reference was made of traffic; `loss` is an estimated loss of
    accuracy that is beyond the tolerance, None without one.
    """

    reference_id: int | None
    reference: Reference | None
    is_traffic: bool
    observed: Observed
    segments: Mapping[str, Sums]
    detectors: Sequence[Detector]
    start: datetime | None
    end: datetime | None
    loss: float | None = None


def answer(question: Question, options: DriftOptions, facts: DriftFacts) -> Answer:
    """DRIFT where it is too improbable for chance and large enough to matter.

    Alone it informs; with an estimated loss beyond the tolerance it warns.
    """
    sizes = {
        "reference": facts.reference_id,
        "n_window": facts.observed.sums.n,
        "n_reference": facts.reference.sums.n if facts.reference else 0,
        "window_start": facts.start,
        "window_end": facts.end,
    }
    if facts.reference is None:
        return insufficient("The version has no reference yet.", **sizes)
    if facts.observed.sums.n < options.min_items:
        return insufficient(
            f"{facts.observed.sums.n} predictions came of the {options.min_items} that are needed.",
            **sizes,
        )
    detectors = usable(facts.detectors, facts.is_traffic)
    segments = _largest(facts.segments, options.max_segments)
    alpha = question.alpha / 2 if segments else question.alpha
    whole = judge(
        [detector.judge(facts.reference, facts.observed) for detector in detectors],
        alpha=alpha,
        floor=options.floor,
    )
    parts = judge_segments(
        {
            name: [d.judge(facts.reference, Observed(sums=sums)) for d in detectors]
            for name, sums in segments.items()
        },
        alpha=alpha,
        floor=options.floor,
    )
    return _answered(question, facts, whole, parts, sizes)


def usable(detectors: Sequence[Detector], is_traffic: bool) -> list[Detector]:
    """The detectors that a reference of this origin can be asked with."""
    return [each for each in detectors if is_traffic or each.name not in OF_TRAFFIC]


def show_families(judgement: Judgement) -> dict[str, Any]:
    """What each family of detectors says, as JSON."""
    return {family.value: _family(found) for family, found in judgement.families.items()}


def describe(judgement: Judgement) -> str:
    """A judgement in one sentence."""
    drifting = {
        family.value: found
        for family, found in judgement.families.items()
        if found.verdict is Verdict.DRIFT
    }
    if not drifting:
        return "No family of detectors sees drift."
    told = [f"{name} ({_worst(found.worst)})" for name, found in drifting.items()]
    return f"Drift of {', '.join(told)}."


def _answered(
    question: Question,
    facts: DriftFacts,
    whole: Judgement,
    parts: Mapping[str, Judgement],
    sizes: Mapping[str, Any],
) -> Answer:
    drifting = [name for name, part in parts.items() if part.verdict is Verdict.DRIFT]
    is_bad = whole.verdict is Verdict.DRIFT or bool(drifting)
    worst = _decisive(whole)
    summary = describe(whole)
    if drifting:
        summary += f" Segments that drift: {', '.join(map(repr, drifting))}."
    if is_bad and facts.loss is not None:
        summary += f" Estimated accuracy is {100 * facts.loss:.1f} points lower."
    details: dict[str, Any] = {"families": show_families(whole)}
    if drifting:
        details["segments"] = {name: show_families(parts[name]) for name in drifting}
    if facts.loss is not None:
        details["estimated_loss"] = facts.loss
    return Answer(
        verdict=Verdict.DRIFT if is_bad else whole.verdict,
        severity=Severity.INFO if facts.loss is None else Severity.WARNING,
        summary=summary[:500],
        value=worst.statistic if worst else None,
        p_value=whole.p_value,
        effect=worst.effect if worst else None,
        alpha=question.alpha,
        details=details,
        **sizes,
    )


def _largest(segments: Mapping[str, Sums], most: int) -> dict[str, Sums]:
    """The largest segments with enough items; none where there is only one."""
    if len(segments) < 2:
        return {}
    large = [name for name, sums in segments.items() if sums.n >= FEWEST_IN_A_SEGMENT]
    chosen = sorted(large, key=lambda name: -segments[name].n)[:most]
    return {name: segments[name] for name in chosen}


def _decisive(judgement: Judgement) -> Finding | None:
    """The most improbable finding of the families that drift, or of all if none does."""
    families = list(judgement.families.values())
    drifting = [found for found in families if found.verdict is Verdict.DRIFT]
    ranked = sorted(
        (found for found in drifting or families if found.worst and found.p_value is not None),
        key=lambda found: found.p_value or 0.0,
    )
    return ranked[0].worst if ranked else None


def _family(found: FamilyJudgement) -> dict[str, Any]:
    worst = found.worst
    shown: dict[str, Any] = {
        "verdict": found.verdict.value,
        "p_value": found.p_value,
        "alpha": found.alpha,
        "detector": worst.detector if worst else None,
        "effect": worst.effect if worst else None,
    }
    if found.verdict is Verdict.DRIFT and worst:
        shown["details"] = dict(worst.details)
    return shown


def _worst(finding: Finding | None) -> str:
    if finding is None:
        return "unknown"
    p = "?" if finding.p_value is None else f"{finding.p_value:.1g}"
    effect = "?" if finding.effect is None else f"{finding.effect:.2f}"
    return f"{finding.detector}, p = {p}, effect {effect}"
