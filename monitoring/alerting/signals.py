"""What an evaluation tells the alerts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from monitoring.severity import Severity
from monitoring.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """The outcome of one evaluation. `kind` with `model` and `version` is the alert's identity;
    segments, classes and numbers are `details` (JSON). `severity` is what a bad verdict weighs.
    Where several monitors speak of one alert, `source` tells them apart; empty means the monitor of
    the evaluation.
    """

    model: str
    version: int
    kind: str
    verdict: Verdict
    severity: Severity
    summary: str
    at: datetime
    evaluation: int | None = None
    source: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How many evaluations in a row change an alert, and how soon it may fire again."""

    fires_after: int = 2
    resolves_after: int = 2
    cooldown_s: float = 3600.0
