"""How good is the model probably, where nobody labels? Pure.

The estimates come from the model's own confidence (`monitoring.quality.estimates`): they see what
changes in the inputs and are blind to a change of what is right. So they only inform, and make
drift weigh more.
"""

from dataclasses import dataclass
from datetime import datetime

from monitoring.drift.sums import Sums
from monitoring.evaluating.answers import Answer, Question, insufficient, percent
from monitoring.evaluating.options import EstimateOptions
from monitoring.quality.estimates import Calibration, Estimated, Method, estimate
from monitoring.severity import Severity
from monitoring.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class EstimateFacts:
    """What the reference's labels say about confidence (None: too few), and the window."""

    reference_id: int | None
    calibration: Calibration | None
    sums: Sums
    start: datetime | None
    end: datetime | None


def answer(question: Question, options: EstimateOptions, facts: EstimateFacts) -> Answer:
    """DEGRADED where even the upper bound of the estimated accuracy is lower than the reference's
    by more than the tolerance.
    """
    sizes = {
        "reference": facts.reference_id,
        "n_window": facts.sums.n,
        "window_start": facts.start,
        "window_end": facts.end,
    }
    if facts.calibration is None:
        return insufficient("The reference has too few labels to read confidence by.", **sizes)
    if facts.sums.n < options.min_items:
        return insufficient(
            f"{facts.sums.n} predictions came of the {options.min_items} that are needed.", **sizes
        )
    estimated = estimate(facts.calibration, facts.sums)
    accuracy = estimated.accuracy[Method.CBPE]
    if accuracy.value is None or accuracy.high is None:
        return insufficient("The estimate is not defined for this window.", **sizes)
    lowest = estimated.reference_accuracy - options.tolerance
    is_bad = accuracy.high < lowest
    return Answer(
        verdict=Verdict.DEGRADED if is_bad else Verdict.OK,
        severity=Severity.INFO,
        summary=f"Accuracy is estimated at {percent(accuracy.value)} without labels; it was "
        f"{percent(estimated.reference_accuracy)} at the reference.",
        value=accuracy.value,
        threshold=lowest,
        effect=estimated.reference_accuracy - accuracy.value,
        n_reference=facts.calibration.n_labelled,
        details=_details(estimated),
        **sizes,  # type: ignore[arg-type]
    )


def _details(estimated: Estimated) -> dict[str, object]:
    return {
        "accuracy": {
            method.value: [found.low, found.value, found.high]
            for method, found in estimated.accuracy.items()
        },
        "macro_f1": [
            estimated.macro_f1.low,
            estimated.macro_f1.value,
            estimated.macro_f1.high,
        ],
        "reference_macro_f1": estimated.reference_macro_f1,
        "spread": estimated.spread,
    }
