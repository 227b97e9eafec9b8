"""What a quality report may hold beyond its counts; each costs more than the counts do."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from monitoring.quality.calibration import CalibrationReport
from monitoring.reporting.calibration import load_calibration
from monitoring.reporting.estimates import EstimateReport, load_estimates
from monitoring.reporting.maturity import MaturityReport, load_maturity
from monitoring.rollups import Scope


class Detail(StrEnum):
    """A part that is made when it is asked for."""

    MATURITY = "maturity"
    CALIBRATION = "calibration"
    ESTIMATED = "estimated"


@dataclass(frozen=True, slots=True)
class Details:
    """None where a part was not asked for; `estimated` also where no reference allows it."""

    maturity: MaturityReport | None = None
    calibration: CalibrationReport | None = None
    estimated: EstimateReport | None = None


def load_details(scope: Scope, include: Collection[Detail], *, now: datetime) -> Details:
    """The parts of `include` for what `scope` means, which the registry must have."""
    return Details(
        maturity=load_maturity(scope, now=now) if Detail.MATURITY in include else None,
        calibration=load_calibration(scope) if Detail.CALIBRATION in include else None,
        estimated=load_estimates(scope, now=now) if Detail.ESTIMATED in include else None,
    )
