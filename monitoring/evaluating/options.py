"""What can be set about a monitor of each kind, with bounds. Pure."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from monitoring.errors import InvalidMonitor


def _number(default: float, low: float, high: float, what: str) -> Any:
    return field(default=default, metadata={"low": low, "high": high, "what": what})


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Every option is a number within its bounds; whole ones have whole defaults."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftOptions(Options):
    min_items: int = _number(500, 50, 1_000_000, "items that a comparison needs")
    floor: float = _number(0.55, 0.5, 1.0, "smallest effect that counts, AUC-like")
    max_segments: int = _number(8, 0, 32, "largest segments that are looked at by themselves")
    loss_hours: int = _number(24, 1, 720, "how long an estimated loss counts, in hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityOptions(Options):
    tolerance: float = _number(0.02, 0.0, 0.5, "error above the baseline that is tolerated")
    min_items: int = _number(20, 1, 100_000, "labels that a verdict needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassicOptions(Options):
    drop: float = _number(0.05, 0.001, 0.9, "relative drop of macro F1 that counts")
    min_items: int = _number(50, 20, 1_000_000, "labels that each window needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class EstimateOptions(Options):
    tolerance: float = _number(0.02, 0.001, 0.5, "estimated loss of accuracy that is tolerated")
    min_items: int = _number(500, 50, 1_000_000, "items that an estimate needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationOptions(Options):
    tolerance: float = _number(0.05, 0.0, 0.5, "gap of confidence and accuracy that is tolerated")
    min_items: int = _number(200, 50, 100_000, "labels that a verdict needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficOptions(Options):
    drop: float = _number(0.8, 0.05, 1.0, "share of the expected traffic that must be missing")
    min_expected: float = _number(20, 1, 1e9, "requests that must be expected in the window")


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackOptions(Options):
    drop: float = _number(0.8, 0.05, 1.0, "share of the expected labels that must be missing")
    min_expected: float = _number(10, 1, 1e9, "labels that must be expected in the window")


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsOptions(Options):
    rate: float = _number(0.01, 0.0001, 0.99, "share of failed requests that is tolerated")
    critical_rate: float = _number(0.5, 0.001, 1.0, "share of failed requests that is critical")
    min_items: int = _number(20, 1, 1_000_000, "requests that a verdict needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyOptions(Options):
    ratio: float = _number(2.0, 1.05, 100.0, "times the earlier 95th percentile that counts")
    floor_s: float = _number(0.1, 0.001, 60.0, "seconds below which no answer is slow")
    min_items: int = _number(200, 50, 1_000_000, "requests that each side needs")


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckOptions(Options):
    periods: float = _number(3.0, 1.5, 100.0, "periods that an evaluation may be late")
    grace_s: int = _number(600, 60, 86_400, "seconds that it may be late besides")


KINDS: Mapping[str, type[Options]] = {
    "drift": DriftOptions,
    "quality": QualityOptions,
    "classic": ClassicOptions,
    "estimate": EstimateOptions,
    "calibration": CalibrationOptions,
    "traffic": TrafficOptions,
    "feedback": FeedbackOptions,
    "errors": ErrorsOptions,
    "latency": LatencyOptions,
    "stuck": StuckOptions,
}

ABOUT: Mapping[str, str] = {
    "drift": "Is the traffic still like the reference?",
    "quality": "Do labels show more errors than the baseline's, at any time so far?",
    "classic": "Did F1 fall by more than so much against the window before? Off by default: with "
    "100 labels a window, chance alone alarms in 15 % of quiet windows, with a rare class in 38 %.",
    "estimate": "Does the model's own confidence say that accuracy is lost? Needs no labels.",
    "calibration": "Is the model surer of itself, or less sure, than labels say?",
    "traffic": "Are requests missing that this model usually has at this hour?",
    "feedback": "Are labels missing that usually come for so many requests?",
    "errors": "Does the server fail more requests than is tolerated?",
    "latency": "Do answers take much longer than in the days before?",
    "stuck": "Are the other monitors evaluated, and do they answer?",
}
"""What each kind asks."""


def parse_options(kind: str, given: object) -> Options:
    """The options of a monitor of `kind`; what is not given has its default.

    Raises InvalidMonitor, naming the option, for one that is unknown or out of bounds.
    """
    made = KINDS[kind]
    if not isinstance(given, Mapping):
        raise _invalid("options", "must be an object of numbers")
    known = {each.name: each for each in fields(made)}
    for name in given:
        if name not in known:
            raise _invalid(f"options.{name!s:.40}", f"is unknown; known are {', '.join(known)}")
    values = {name: _checked(known[name], given[name]) for name in given}
    return made(**values)


def show_options(options: Options) -> dict[str, float]:
    """The options as JSON."""
    return asdict(options)


def _checked(option: Any, value: object) -> float:
    low, high = option.metadata["low"], option.metadata["high"]
    is_whole = isinstance(option.default, int)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    number = float(value) if isinstance(value, int | float) else low - 1
    if not is_number or not low <= number <= high or (is_whole and number != int(number)):
        kind = "a whole number" if is_whole else "a number"
        raise _invalid(
            f"options.{option.name}",
            f"({option.metadata['what']}) must be {kind} from {low:g} to {high:g}",
        )
    return int(number) if is_whole else number


def _invalid(field_name: str, remedy: str) -> InvalidMonitor:
    return InvalidMonitor(f"{field_name!r} {remedy}.", details={"field": field_name})
