"""The quality that a version probably has where labels are missing, and how far such estimates
were off where labels came."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from monitoring.drift.reference import Reference
from monitoring.quality.backtest import Outcome, RunningError, running_errors
from monitoring.quality.estimates import Calibration, Estimated, calibrate, estimate
from monitoring.quality.maturity import MATURE_AT
from monitoring.queries import SourceQuality, by_source
from monitoring.references.queries import load_active
from monitoring.reporting.maturity import load_curve
from monitoring.rollups import By, Scope, load_labels
from monitoring.traffic.windows import load_sums
from monitoring.windows import LENGTHS, Grain, Window, floor
from registry import queries as registry

BACKTEST_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateReport:
    """`estimated` from the answers alone, by the labelled part of reference `reference`.

    `errors` say how far each method was off on past days whose labels are mature.
    """

    version: int
    reference: int
    n_reference_labelled: int
    estimated: Estimated
    errors: tuple[RunningError, ...]


def load_estimates(scope: Scope, *, now: datetime) -> EstimateReport | None:
    """The estimated quality of `scope`'s version, else the live one, in its window.

    None where there is no version, it has no active reference, or that has too few labels. The
    window is widened to whole slots of five minutes, or to hours where it is older than a day.
    """
    version = scope.version or _live(scope.model)
    active = load_active(scope.model, version) if version else None
    calibration = _calibration(active.reference) if active else None
    if version is None or active is None or calibration is None:
        return None
    scope = replace(scope, version=version, by=By.NONE)
    return EstimateReport(
        version=version,
        reference=active.id,
        n_reference_labelled=calibration.n_labelled,
        estimated=_estimated(scope, scope.window, calibration),
        errors=running_errors(_backtest(scope, calibration, now=now)),
    )


def _backtest(scope: Scope, calibration: Calibration, *, now: datetime) -> list[Outcome]:
    """Each of the last mature days estimated, beside what its trusted labels show."""
    curve = load_curve(scope, now=now)
    p95_s = curve.quantile_s(MATURE_AT) if curve.is_sufficient else None
    if p95_s is None:
        return []
    end = floor(now - timedelta(seconds=p95_s), Grain.DAY)
    days = Window(end - BACKTEST_DAYS * LENGTHS[Grain.DAY], end)
    labels = load_labels(replace(scope, window=days, by=By.DAY))
    outcomes = []
    for day, cells in sorted(labels.items(), key=lambda row: str(row[0])):
        realised = _most_telling([part for part in by_source([cells], 0) if part.is_trusted])
        if realised is not None and realised.quality.verdict is None and isinstance(day, datetime):
            window = Window(day, day + LENGTHS[Grain.DAY])
            estimated = _estimated(scope, window, calibration)
            outcomes += _outcomes(estimated, realised)
    return outcomes


def _outcomes(estimated: Estimated, realised: SourceQuality) -> list[Outcome]:
    return [
        Outcome(method, value, realised.quality.accuracy, realised.quality.n_labelled)
        for method, value in estimated.accuracy.items()
    ]


def _most_telling(parts: list[SourceQuality]) -> SourceQuality | None:
    return max(parts, key=lambda part: part.n_effective, default=None)


def _estimated(scope: Scope, window: Window, calibration: Calibration) -> Estimated:
    sums = load_sums(
        scope.model,
        scope.version or 0,
        start=window.start,
        end=window.end,
        segment=scope.segment,
    )
    return estimate(calibration, sums)


def _live(model: str) -> int | None:
    live = registry.load_live_version(model)
    return live.number if live else None


@lru_cache(maxsize=16)
def _calibration(reference: Reference) -> Calibration | None:
    # References are remembered and never change, so the fit may be too.
    return calibrate(reference)
