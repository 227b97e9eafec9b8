"""Findings become a verdict: drift is what is both improbable and large enough to matter.

Each family of detectors has one p-value, the smallest of its findings' after Holm's correction;
Holm's procedure over the families then spends the level of the whole evaluation. So the chance of
any false drift is at most `alpha`, however many detectors there are and however they depend.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from monitoring.drift.base import Family, Finding
from monitoring.drift.combining import holm
from monitoring.verdicts import Verdict

FLOOR = 0.55


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyJudgement:
    """`p_value` is that of the family, compared with `alpha`; both are None and 0 where no finding
    had one. `worst` is the finding that decided: the most improbable one that is large enough,
    else the most improbable.
    """

    verdict: Verdict
    p_value: float | None
    alpha: float
    worst: Finding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The verdict of all families together, at level `alpha`."""

    verdict: Verdict
    alpha: float
    families: Mapping[Family, FamilyJudgement]
    findings: tuple[Finding, ...]

    @property
    def p_value(self) -> float | None:
        """The smallest family's after Holm's correction over families; None without data."""
        found = [f.p_value for f in self.families.values() if f.p_value is not None]
        return min(holm(found)) if found else None


def judge(findings: Sequence[Finding], *, alpha: float, floor: float = FLOOR) -> Judgement:
    """The verdict of one window's `findings`.

    A finding without a p-value or with too little data takes no part. INSUFFICIENT_DATA needs all
    to be so. A finding that is improbable but smaller than `floor` is OK. Raises ValueError for an
    `alpha` outside of [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise ValueError("alpha must lie between 0 and 1")
    families = {
        family: _family([finding for finding in findings if finding.family == family], floor)
        for family in Family
        if any(finding.family == family for finding in findings)
    }
    judged = _spend(families, alpha)
    return Judgement(
        verdict=_overall([family.verdict for family in judged.values()]),
        alpha=alpha,
        families=judged,
        findings=tuple(findings),
    )


def judge_segments(
    segments: Mapping[str, Sequence[Finding]], *, alpha: float, floor: float = FLOOR
) -> dict[str, Judgement]:
    """A verdict for each segment, with `alpha` spent over all of them by Holm's procedure."""
    first = {name: judge(findings, alpha=alpha, floor=floor) for name, findings in segments.items()}
    by_p = {name: p for name, found in first.items() if (p := found.p_value) is not None}
    judged, left, is_open = dict(first), len(by_p), True
    for name in sorted(by_p, key=lambda name: by_p[name]):
        level = alpha / left if is_open else 0.0
        judged[name] = judge(segments[name], alpha=level, floor=floor)
        is_open = is_open and by_p[name] <= level
        left -= 1
    return judged


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A family before its level is known: its p-value, and that of what is large enough."""

    p_value: float | None
    p_large: float | None
    worst: Finding | None


def _family(findings: list[Finding], floor: float) -> _Candidate:
    usable = [f for f in findings if f.is_sufficient and f.p_value is not None]
    if not usable:
        return _Candidate(None, None, findings[0] if findings else None)
    adjusted = holm([f.p_value for f in usable if f.p_value is not None])
    ranked = sorted(zip(adjusted, usable, strict=True), key=lambda pair: pair[0])
    large = [pair for pair in ranked if (pair[1].effect or 0.0) >= floor]
    p_large, worst = large[0] if large else (None, ranked[0][1])
    return _Candidate(ranked[0][0], p_large, worst)


def _spend(families: Mapping[Family, _Candidate], alpha: float) -> dict[Family, FamilyJudgement]:
    judged = {
        family: FamilyJudgement(
            verdict=Verdict.INSUFFICIENT_DATA, p_value=None, alpha=0.0, worst=found.worst
        )
        for family, found in families.items()
    }
    by_p = {family: p for family, found in families.items() if (p := found.p_value) is not None}
    level, is_open = alpha / max(len(by_p), 1), True
    for rank, family in enumerate(sorted(by_p, key=lambda family: by_p[family])):
        if is_open:
            level = alpha / (len(by_p) - rank)
        is_open = is_open and by_p[family] <= level
        found = families[family]
        is_drift = is_open and found.p_large is not None and found.p_large <= level
        judged[family] = FamilyJudgement(
            verdict=Verdict.DRIFT if is_drift else Verdict.OK,
            p_value=by_p[family],
            alpha=level,
            worst=found.worst,
        )
    return judged


def _overall(verdicts: Sequence[Verdict]) -> Verdict:
    for verdict in (Verdict.DRIFT, Verdict.OK):
        if verdict in verdicts:
            return verdict
    return Verdict.INSUFFICIENT_DATA
