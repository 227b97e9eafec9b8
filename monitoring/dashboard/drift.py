"""What the page of drift shows: two sides, what detectors find, and what differs most."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from monitoring.api.drift_params import DRIFT, parse_drift
from monitoring.dashboard import drift_plots
from monitoring.dashboard.alert_words import FAMILIES
from monitoring.dashboard.drift_words import title_of
from monitoring.dashboard.evidence import show
from monitoring.drift.base import Finding
from monitoring.drift.judging import Judgement
from monitoring.evaluating.exploring import EXPLAINER, DriftQuery, DriftReport
from monitoring.evaluating.queries import evaluation_rows
from monitoring.models import Evaluation, MonitorKind
from monitoring.verdicts import Verdict

RECENT = 15
_WINDOW, _AGAINST = ("from", "to"), ("against_from", "against_to")


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """What one detector found, as text; `decides` says that its family's verdict rests on it."""

    detector: str
    title: str
    family: str
    verdict: str
    statistic: str
    threshold: str
    p_value: str
    adjusted: str
    effect: str
    n_window: int
    n_reference: int
    cost: str
    why: str
    decides: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentRow:
    name: str
    n: int
    verdict: str
    families: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A report, ready to be read."""

    report: DriftReport
    findings: tuple[FindingRow, ...]
    left_out: tuple[str, ...]
    segments: tuple[SegmentRow, ...]
    shares: tuple[drift_plots.Shares, ...]
    histograms: tuple[drift_plots.Histogram, ...]
    texts: tuple[Mapping[str, Any], ...]
    words: tuple[Mapping[str, Any], ...]
    is_explained: bool
    seconds: float

    @property
    def has_window(self) -> bool:
        return self.report.n_window > 0

    @property
    def has_other(self) -> bool:
        return self.report.n_reference > 0


def read_query(
    model: str, params: Mapping[str, str], detectors: Sequence[str], *, now: datetime
) -> DriftQuery:
    """What the form asks for. Raises InvalidFilter or InvalidWindow, naming the field.

    `by` and `with` say which of the form's fields count, where it sends them all; links need
    neither.
    """
    given = {name: value for name, value in params.items() if name in DRIFT and value}
    given.pop("detectors", None)
    if params.get("by") == "last":
        given = _without(given, _WINDOW)
    elif params.get("by") == "time":
        given = _without(given, ("last",))
    if params.get("with") == "reference":
        given = _without(given, _AGAINST)
    asked = parse_drift(model, given, now=now)
    names = [name for each in detectors for name in each.split(",") if name]
    return replace(asked, detectors=tuple(names), by_segment=asked.window is not None)


def show_report(report: DriftReport, query: DriftQuery, seconds: float) -> Comparison:
    """A report as the page shows it; `seconds` is how long all of it took."""
    has_both = report.against is not None and report.n_window > 0 and report.n_reference > 0
    explained = _details_of(report, EXPLAINER)
    asked = query.detectors or tuple(each.detector for each in report.findings)
    found = {each.detector for each in report.findings}
    return Comparison(
        report=report,
        findings=tuple(_rows(report)),
        left_out=tuple(title_of(name) for name in asked if name not in found)
        if report.findings
        else (),
        segments=tuple(_segments(report.segments)),
        shares=drift_plots.shares(report.against, report.sums)
        if has_both and report.against
        else (),
        histograms=drift_plots.histograms(report.against, report.sums)
        if has_both and report.against
        else (),
        texts=tuple(explained.get("texts", ())),
        words=tuple(explained.get("words", ())),
        is_explained=EXPLAINER in found,
        seconds=seconds,
    )


def load_recent(model: str) -> list[Evaluation]:
    """The newest evaluations of the model's drift monitors, newest first."""
    rows = evaluation_rows(model=model, kinds=(MonitorKind.DRIFT,))
    return list(rows.order_by("-at", "-pk")[:RECENT])


def permanent(query: DriftQuery, report: DriftReport) -> list[tuple[str, str]]:
    """The address of just this comparison: with the times that were really covered."""
    fields: list[tuple[str, str]] = [("version", str(report.version))]
    if report.start and report.end:
        fields += [("from", _stamp(report.start)), ("to", _stamp(report.end))]
    if report.reference is None and report.against_start and report.against_end:
        fields += [
            ("against_from", _stamp(report.against_start)),
            ("against_to", _stamp(report.against_end)),
        ]
    fields += [("detectors", name) for name in query.detectors]
    if query.explain:
        fields.append(("explain", "yes"))
    return [*fields, ("alpha", f"{query.alpha:g}")]


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _without(given: Mapping[str, str], names: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in given.items() if name not in names}


def _details_of(report: DriftReport, detector: str) -> Mapping[str, Any]:
    for finding in report.findings:
        if finding.detector == detector and finding.is_sufficient:
            return finding.details
    return {}


def _rows(report: DriftReport) -> list[FindingRow]:
    """Families in order, within each the detectors as they were asked."""
    judged = report.judgement.families
    return [
        _row(report, finding)
        for family in judged
        for finding in report.findings
        if finding.family == family
    ]


def _row(report: DriftReport, finding: Finding) -> FindingRow:
    family = report.judgement.families[finding.family]
    decides = family.worst is not None and family.worst.detector == finding.detector
    return FindingRow(
        detector=finding.detector,
        title=title_of(finding.detector),
        family=FAMILIES[finding.family.value],
        verdict=_verdict(finding, family.alpha, report.floor),
        statistic=show(finding.statistic),
        threshold=show(family.alpha) if family.alpha else "–",
        p_value=show(finding.p_value),
        adjusted=show(family.p_value) if decides else "",
        effect=show(finding.effect),
        n_window=finding.n_window,
        n_reference=finding.n_reference,
        cost=f"{1000 * report.costs.get(finding.detector, 0.0):,.1f} ms",
        why=str(finding.details.get("reason", "")) if not finding.is_sufficient else "",
        decides=decides,
    )


def _verdict(finding: Finding, alpha: float, floor: float) -> str:
    """What this detector alone says at its family's level; the family's verdict is Holm's."""
    if not finding.is_sufficient or finding.p_value is None:
        return Verdict.INSUFFICIENT_DATA.value
    is_drift = finding.p_value <= alpha and (finding.effect or 0.0) >= floor
    return Verdict.DRIFT.value if is_drift else Verdict.OK.value


def _segments(found: Mapping[str, tuple[int, Judgement]]) -> list[SegmentRow]:
    return [
        SegmentRow(
            name=name or "(none)",
            n=n,
            verdict=judgement.verdict.value,
            families=", ".join(
                FAMILIES[family.value].lower()
                for family, judged in judgement.families.items()
                if judged.verdict is Verdict.DRIFT
            )
            or "–",
        )
        for name, (n, judgement) in found.items()
    ]
