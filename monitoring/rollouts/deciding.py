"""What to do with a candidate, given the evidence. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from monitoring.rollouts.evidence import Evidence
from monitoring.rollouts.options import Metric, Options


class Decision(StrEnum):
    """What becomes of a rollout at one look."""

    HOLD = "hold"
    ADVANCE = "advance"
    PAUSE = "pause"
    ABORT = "abort"


@dataclass(frozen=True, slots=True)
class Step:
    """How far the present step is: the candidate's requests in it, and its age in seconds."""

    n_requests: int
    age_s: float


@dataclass(frozen=True, slots=True)
class Ruling:
    """A decision with its reason; `metric` is what decided, where one did."""

    decision: Decision
    reason: str
    metric: Metric | None = None


def decide(evidence: Evidence, step: Step, options: Options) -> Ruling:
    """Abort a candidate shown to be worse, advance one shown to be fine, otherwise wait.

    The budget `alpha` is split evenly over the metrics, so that all of them together abort a
    candidate which is not worse with a probability of at most `alpha`.
    """
    needed = len(options.metrics) / options.alpha
    worst = max(options.metrics, key=evidence.worse)
    if (value := evidence.worse(worst)) >= needed:
        return Ruling(
            Decision.ABORT,
            f"{worst} are worse than the stable version's (e-value {value:.3g}, "
            f"limit {needed:.3g}).",
            worst,
        )
    lacking = _lacking(evidence, step, options)
    if lacking is None:
        return Ruling(Decision.ADVANCE, "Every required metric is shown to be fine.")
    if step.age_s >= options.max_step_s:
        return Ruling(Decision.PAUSE, f"Inconclusive after the longest time of a step: {lacking}")
    return Ruling(Decision.HOLD, lacking)


def _lacking(evidence: Evidence, step: Step, options: Options) -> str | None:
    """What still keeps the step from ending; None if nothing does."""
    if step.age_s < options.min_step_s:
        return f"The step lasts at least {options.min_step_s} s."
    if step.n_requests < options.min_requests:
        return f"The candidate answered {step.n_requests} of {options.min_requests} requests."
    for metric in options.required:
        value = evidence.fine(metric)
        if value * options.beta < 1:
            return f"{metric} are not shown to be fine yet (e-value {value:.3g})."
    return None
