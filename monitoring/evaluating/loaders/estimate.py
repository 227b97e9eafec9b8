"""Facts about the label-free estimate: what the reference's labels say, and the window's sums."""

from functools import lru_cache

from monitoring.evaluating.answers import Answer, Question
from monitoring.evaluating.loaders.drift import load_window
from monitoring.evaluating.options import EstimateOptions
from monitoring.evaluating.questions import estimate
from monitoring.quality.estimates import Calibration, calibrate
from monitoring.references.queries import load_active

_KEPT = 16


def ask(question: Question, options: EstimateOptions) -> Answer:
    active = load_active(question.model, question.version)
    found = load_window(question)
    facts = estimate.EstimateFacts(
        reference_id=active.id if active else None,
        calibration=(_calibration(question.model, question.version, active.id) if active else None),
        sums=found.sums,
        start=found.start,
        end=found.end,
    )
    return estimate.answer(question, options, facts)


@lru_cache(maxsize=_KEPT)
def _calibration(model: str, version: int, reference: int) -> Calibration | None:
    """What the active reference says; remembered by its id, because the fit takes a while."""
    active = load_active(model, version)
    return calibrate(active.reference) if active and active.id == reference else None
