"""What a rollout may be told, with what it does when it is told nothing. Pure."""

from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Any

import msgspec

from monitoring.errors import InvalidRollout

DEFAULT_STEPS = (5, 25, 50, 100)
MAX_STEPS = 20


class Metric(StrEnum):
    """What the two versions are compared by."""

    ERRORS = "errors"
    LATENCY = "latency"
    CONFIDENCE = "confidence"
    LABELS = "labels"
    DISAGREEMENT = "disagreement"
    FEEDBACK = "feedback"


class Margins(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`worse`: how much higher the candidate's rate may be before it counts as worse. `fine`: how
    much higher it surely is not, once enough was seen. Both are differences of shares, in (0, 1).
    """

    worse: float
    fine: float


DEFAULT_MARGINS: Mapping[Metric, Margins] = {
    Metric.ERRORS: Margins(worse=0.005, fine=0.02),
    Metric.LATENCY: Margins(worse=0.05, fine=0.15),
    Metric.CONFIDENCE: Margins(worse=0.15, fine=0.30),
    Metric.LABELS: Margins(worse=0.10, fine=0.20),
    Metric.DISAGREEMENT: Margins(worse=0.20, fine=0.30),
    Metric.FEEDBACK: Margins(worse=0.02, fine=0.05),
}


class Options(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long a step lasts, what must be shown, and how often it may abort for nothing.

    A step needs `min_requests` answers of the candidate and `min_step_s`; after `max_step_s`
    without enough evidence the rollout pauses. `alpha` is the probability that a candidate which is
    not worse is aborted all the same, over all metrics and looks of the rollout; `beta` the one
    that a worse one is called fine. `required` metrics must be shown to be fine at every step.
    After the last step the rollout bakes for `bake_s`; with `rolls_back` a critical alert during
    that time rolls the model back.
    """

    min_requests: int = 200
    min_step_s: int = 300
    max_step_s: int = 86_400
    alpha: float = 0.01
    beta: float = 0.05
    metrics: tuple[Metric, ...] = tuple(Metric)
    required: tuple[Metric, ...] = (Metric.ERRORS, Metric.LATENCY)
    margins: dict[Metric, Margins] = {}
    bake_s: int = 3600
    rolls_back: bool = False

    def margins_of(self, metric: Metric) -> Margins:
        return self.margins.get(metric, DEFAULT_MARGINS[metric])


_BOUNDS: Mapping[str, tuple[float, float]] = {
    "min_requests": (1, 10_000_000),
    "min_step_s": (0, 30 * 86_400),
    "max_step_s": (1, 30 * 86_400),
    "alpha": (1e-6, 0.2),
    "beta": (1e-6, 0.5),
    "bake_s": (0, 30 * 86_400),
}


def parse_options(raw: object) -> Options:
    """Options from JSON; raises InvalidRollout naming the field."""
    try:
        options = msgspec.convert(raw, Options)
    except msgspec.ValidationError as error:
        raise _invalid("options", str(error)) from None
    for name, (low, high) in _BOUNDS.items():
        if not low <= getattr(options, name) <= high:
            raise _invalid(f"options.{name}", f"must be {low:g} to {high:g}")
    if options.min_step_s > options.max_step_s:
        raise _invalid("options.min_step_s", "must not be longer than max_step_s")
    if not options.metrics:
        raise _invalid("options.metrics", f"must name some of {', '.join(Metric)}")
    if missing := set(options.required) - set(options.metrics):
        raise _invalid("options.required", f"{sorted(missing)[0]} is not among the metrics")
    for metric, margins in options.margins.items():
        if not 0 < margins.worse < margins.fine < 1:
            raise _invalid(f"options.margins.{metric}", "must have 0 < worse < fine < 1")
    return options


def parse_steps(raw: object) -> tuple[int, ...]:
    """Weights in percent, rising to 100; raises InvalidRollout.

    >>> parse_steps([5, 50, 100])
    (5, 50, 100)
    """
    try:
        steps = msgspec.convert(raw, tuple[int, ...])
    except msgspec.ValidationError:
        raise _invalid("steps", "must be whole percents, such as 5, 25, 50, 100") from None
    is_rising = all(a < b for a, b in pairwise(steps))
    if not steps or len(steps) > MAX_STEPS or steps[0] < 1 or steps[-1] != 100 or not is_rising:
        raise _invalid("steps", f"must rise from 1 or more to 100, in {MAX_STEPS} steps at most")
    return steps


def as_json(options: Options) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(options)
    return plain


def _invalid(field: str, remedy: str) -> InvalidRollout:
    return InvalidRollout(f"{field}: {remedy}.", details={"field": field})
