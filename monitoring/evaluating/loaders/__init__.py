"""Where each kind of monitor gets its facts: one loader beside each question."""

from typing import cast

from monitoring.evaluating import options as sets
from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.loaders import (
    calibration,
    classic,
    drift,
    estimate,
    latency,
    quality,
    rates,
    stuck,
)
from monitoring.evaluating.loaders.base import Outcome
from monitoring.models import Monitor, MonitorKind


def ask(monitor: Monitor, question: Question) -> Outcome:
    """Load the facts that the monitor's kind needs, and answer."""
    options = sets.parse_options(monitor.kind, monitor.options)
    if monitor.kind == MonitorKind.QUALITY:
        return quality.ask(question, cast(sets.QualityOptions, options), monitor)
    return Outcome(_answer(monitor, question, options))


def _answer(monitor: Monitor, question: Question, options: sets.Options) -> Answer:
    match options:
        case sets.DriftOptions():
            return drift.ask(question, options, monitor.detectors)
        case sets.ClassicOptions():
            return classic.ask(question, options)
        case sets.EstimateOptions():
            return estimate.ask(question, options)
        case sets.CalibrationOptions():
            return calibration.ask(question, options)
        case sets.TrafficOptions():
            return rates.ask_traffic(question, options)
        case sets.FeedbackOptions():
            return rates.ask_feedback(question, options)
        case sets.ErrorsOptions():
            return rates.ask_errors(question, options)
        case sets.LatencyOptions():
            return latency.ask(question, options)
        case sets.StuckOptions():
            return stuck.ask(question, options, monitor)
    raise AssertionError(f"no loader for {monitor.kind}: this is a bug")
