"""What is known of one model on the home page."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from monitoring.dashboard.home_numbers import Baseline, Labelled, Latency, Traffic
from monitoring.dashboard.sparklines import Sparkline
from monitoring.models import AlertState
from monitoring.quality.report import Estimate
from registry.overview import ModelOverview


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """An alert that fires or is pending; `since` is by monitor when it began to look bad."""

    model: str
    version: int
    kind: str
    state: str
    severity: str
    opened_at: datetime
    since: Mapping[str, datetime]

    @property
    def is_firing(self) -> bool:
        return self.state == AlertState.FIRING


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftVerdict:
    """A drift monitor's newest answer on the live version; `since` where it is bad."""

    monitor: str
    verdict: str
    summary: str
    at: datetime
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """The newest label-free estimate of the live version's macro F1."""

    f1: Estimate
    at: datetime
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertCount:
    """How many alerts of one severity fire, or are pending."""

    n: int
    severity: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model of the page. `labelled` and `guess` are of the live version alone."""

    overview: ModelOverview
    live: int | None
    traffic: Traffic
    sparkline: Sparkline | None
    latency: Latency | None
    labelled: Labelled
    guess: Guess | None
    baseline: Baseline | None
    drift: tuple[DriftVerdict, ...]
    alerts: tuple[AlertCount, ...]

    @property
    def namespace(self) -> str:
        return self.overview.name.partition("/")[0]

    @property
    def name(self) -> str:
        return self.overview.name.partition("/")[2]

    @property
    def is_firing(self) -> bool:
        return any(alert.state == AlertState.FIRING for alert in self.alerts)

    @property
    def is_estimated(self) -> bool:
        """Whether the estimate is what to go by: it gives way to labels that may be trusted."""
        return self.guess is not None and not (self.labelled.f1 and self.labelled.is_trusted)

    @property
    def f1(self) -> Estimate | None:
        """The F1 to show: by labels, else estimated, else None."""
        return self.guess.f1 if self.is_estimated and self.guess else self.labelled.f1

    @property
    def errors(self) -> str:
        """The error rate as a badge says it."""
        return f"{100 * (self.traffic.error_rate or 0):.1f} %"

    @property
    def is_below_baseline(self) -> bool:
        """Whether all of the interval lies under what the version could do at its reference."""
        base, f1 = self.baseline and self.baseline.f1, self.f1
        return bool(base and f1 and f1.high is not None and f1.high < base)
