"""Quality as lines for people."""

from collections.abc import Iterator

from monitoring.quality.comparing import Difference
from monitoring.quality.report import Estimate, Quality
from monitoring.queries import GroupQuality, QualityReport, SourceQuality
from monitoring.reporting.comparisons import QualityComparison
from monitoring.reporting.details import Details
from monitoring.reporting.estimates import EstimateReport
from monitoring.reporting.maturity import MaturityReport
from monitoring.rollups import Scope

TIME = "%Y-%m-%d %H:%M"
_HOUR_S = 3600


def report_lines(report: QualityReport) -> Iterator[str]:
    """A report's counts: everything together, by class, by source, by group."""
    window, quality = report.scope.window, report.quality
    yield f"{report.scope.model}  {window.start:{TIME}} to {window.end:{TIME}} UTC"
    yield (
        f"{report.n_predicted} predicted, {quality.n_labelled} labelled ({_share(report.coverage)})"
        f"{'  ' + quality.verdict if quality.verdict else ''}"
    )
    yield f"accuracy     {shown(quality.accuracy)}"
    yield f"macro F1     {shown(quality.macro.f1)}"
    yield f"weighted F1  {shown(quality.weighted.f1)}"
    yield from _class_lines(quality)
    if len(report.by_source) > 1 or any(part.is_trusted for part in report.by_source):
        yield from map(_source_line, report.by_source)
    for part in report.groups:
        yield f"{report.scope.by} {part.group}: {_group(part)}"


def _class_lines(quality: Quality) -> Iterator[str]:
    width = max((len(row.label) for row in quality.classes), default=0)
    for row in quality.classes:
        yield (
            f"  {row.label:<{width}}  F1 {shown(row.f1)}  precision {shown(row.precision)}  "
            f"recall {shown(row.recall)}  support {row.support}"
        )


def _source_line(part: SourceQuality) -> str:
    told = f"{part.quality.n_labelled} labelled"
    if round(part.n_effective) != part.quality.n_labelled:
        told += f", worth {part.n_effective:.0f}"
    trust = "" if part.is_trusted else " (not for decisions)"
    return f"by {part.source}{trust}: {told}, macro F1 {shown(part.quality.macro.f1)}"


def detail_lines(details: Details) -> Iterator[str]:
    """The parts that were asked for."""
    if details.maturity:
        yield from _maturity_lines(details.maturity)
    if report := details.calibration:
        yield f"calibration  {report.n} labelled{'  ' + report.verdict if report.verdict else ''}"
        if report.error:
            yield (
                f"  ECE {report.error.value:.4f} (chance alone: up to "
                f"{report.error.null_high:.4f}, p = {report.error.p_value:.3f}), "
                f"confidence less accuracy {report.error.gap:+.4f}"
            )
            yield f"  Brier {report.brier:.4f}, temperature {_number(report.temperature)}"
    if details.estimated:
        yield from _estimate_lines(details.estimated)


def _maturity_lines(report: MaturityReport) -> Iterator[str]:
    if report.p50_s is None or report.p95_s is None or report.mature_until is None:
        yield f"labels       {report.n_labelled} of {report.n}: too few to know their delay"
        return
    yield (
        f"labels       half come within {report.p50_s / _HOUR_S:.1f} h, 95 % within "
        f"{report.p95_s / _HOUR_S:.1f} h: mature until {report.mature_until:{TIME}}"
    )
    for name, part in (("mature", report.mature), ("provisional", report.provisional)):
        if part:
            yield f"  {name}: {_group(part)}"


def _estimate_lines(report: EstimateReport) -> Iterator[str]:
    estimated = report.estimated
    yield (
        f"estimated    version {report.version}, {estimated.n} answers without a look at labels"
        f"{'  ' + estimated.verdict if estimated.verdict else ''}"
    )
    yield f"  macro F1 {shown(estimated.macro_f1)} (reference {estimated.reference_macro_f1:.4f})"
    errors = {error.method: error for error in report.errors}
    for method, accuracy in estimated.accuracy.items():
        error = errors.get(method)
        past = f", off by {error.absolute:.4f} on {error.n_windows} past days" if error else ""
        yield f"  accuracy by {method.value} {shown(accuracy)}{past}"


def comparison_lines(comparison: QualityComparison) -> Iterator[str]:
    """Two sides and how they differ."""
    result = comparison.result
    yield comparison.new.model
    yield f"new   {_side(comparison.new)}: {result.n_new} labelled"
    yield f"base  {_side(comparison.base)}: {result.n_base} labelled"
    if result.verdict:
        yield result.verdict
    yield f"accuracy     {_change(result.accuracy)}  p = {result.p_value:.4f}"
    yield f"macro F1     {_change(result.macro_f1)}"
    yield f"weighted F1  {_change(result.weighted_f1)}"
    width = max((len(row.label) for row in result.classes), default=0)
    for row in result.classes:
        yield f"  {row.label:<{width}}  F1 {_change(row.f1)}  adjusted p = {row.p_adjusted:.4f}"


def shown(estimate: Estimate) -> str:
    if estimate.value is None:
        return "-"
    return f"{estimate.value:.4f} [{estimate.low:.4f}, {estimate.high:.4f}]"


def _change(change: Difference) -> str:
    if change.value is None:
        return "-"
    return (
        f"{change.base:.4f} → {change.new:.4f} ({change.value:+.4f} "
        f"[{change.low:+.4f}, {change.high:+.4f}])"
    )


def _side(scope: Scope) -> str:
    version = "all versions" if scope.version is None else f"version {scope.version}"
    return f"{version}, {scope.window.start:{TIME}} to {scope.window.end:{TIME}} UTC"


def _group(part: GroupQuality) -> str:
    return (
        f"{part.n_predicted} predicted, {part.quality.n_labelled} labelled, "
        f"macro F1 {shown(part.quality.macro.f1)}"
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
