"""What alerts mean, for somebody who sees one for the first time. Pure."""

from dataclasses import dataclass

from access.scopes import Scope


@dataclass(frozen=True, slots=True)
class Kind:
    """`title` names a kind of alert in a few words, `about` says what is behind it."""

    title: str
    about: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Something to do next: where `place` is, and the scope that whoever does it needs."""

    act: str
    why: str
    place: str
    scope: Scope = Scope.READ


KINDS = {
    "drift": Kind(
        "Texts or answers have changed",
        "What the model is asked, or what it answers, no longer looks like the reference. "
        "That alone does not make it worse: look at what changed, and label some of it.",
    ),
    "quality": Kind(
        "The model makes more mistakes",
        "Labels show more errors than at the baseline, and chance is no longer a good excuse.",
    ),
    "classic": Kind(
        "F1 fell against the window before",
        "A simple rule over two windows of labels. It is easily set off by chance.",
    ),
    "estimate": Kind(
        "The model is probably less accurate",
        "Without any labels: the model's own confidence says that accuracy is lost.",
    ),
    "calibration": Kind(
        "Confidence no longer matches the labels",
        "The model is surer of itself than labels justify, or less sure.",
    ),
    "traffic": Kind(
        "Requests are missing",
        "Far fewer requests came than this model usually has at this hour.",
    ),
    "feedback": Kind(
        "Labels are missing",
        "Far fewer labels came than usual for so many requests, so quality is seen less well.",
    ),
    "errors": Kind(
        "Requests fail",
        "The server fails more requests than is tolerated.",
    ),
    "latency": Kind(
        "Answers have become slow",
        "Answers take much longer than in the days before.",
    ),
    "stuck": Kind(
        "Nobody is watching",
        "Monitors are late or fail: while this lasts, other alerts may be missing.",
    ),
}

DRIFT, LABEL, COMPARE, ROLL_BACK, REFERENCE, MODEL, HEALTH, PREDICTIONS, UPLOAD = (
    "drift",
    "labelling-model",
    "compare",
    "roll-back",
    "reference",
    "model",
    "health",
    "predictions",
    "feedback-upload",
)

_SEE_DRIFT = Advice("See what changed", "The same window, with the texts that differ most", DRIFT)
_LABEL = Advice(
    "Label some of these texts",
    "A few dozen labels tell whether it is worse",
    LABEL,
    Scope.FEEDBACK,
)
_COMPARE = Advice("Compare versions", "Is another version better at this?", COMPARE)
_ROLL_BACK = Advice(
    "Roll back", "The version before answers again, at once", ROLL_BACK, Scope.PROMOTE
)
_REFERENCE = Advice(
    "Make a new reference", "Where the change is here to stay", REFERENCE, Scope.PROMOTE
)
_MODEL = Advice("See the time lines", "The model's page at that time", MODEL)
_HEALTH = Advice("See the system's health", "Queue, recorder, worker and disk", HEALTH)
_PREDICTIONS = Advice("Read the mistakes", "What was answered wrongly then", PREDICTIONS)

_ADVICE = {
    "drift": (_SEE_DRIFT, _LABEL, _COMPARE, _REFERENCE),
    "quality": (_PREDICTIONS, _SEE_DRIFT, _COMPARE, _ROLL_BACK),
    "classic": (_PREDICTIONS, _SEE_DRIFT, _COMPARE, _ROLL_BACK),
    "estimate": (_LABEL, _SEE_DRIFT, _COMPARE, _ROLL_BACK),
    "calibration": (_LABEL, _SEE_DRIFT, _MODEL, _REFERENCE),
    "traffic": (_MODEL, _HEALTH),
    "feedback": (
        _LABEL,
        Advice("Bring labels in", "A file of labels that you have", UPLOAD, Scope.FEEDBACK),
        _MODEL,
    ),
    "errors": (_HEALTH, _MODEL, _COMPARE, _ROLL_BACK),
    "latency": (_MODEL, _HEALTH, _ROLL_BACK),
    "stuck": (_HEALTH, _MODEL),
}

FAMILIES = {
    "outputs": "Answers",
    "inputs": "Meaning of the texts",
    "shape": "Spread of the texts",
    "hygiene": "Plain oddities",
}
"""The families of detectors as people read them."""


def kind_of(kind: str) -> Kind:
    """What is known of a kind; one that nobody described is called by its name."""
    return KINDS.get(kind, Kind(kind.replace("_", " ").capitalize(), ""))


def advice_for(kind: str) -> tuple[Advice, ...]:
    """What to do next about an alert of this kind, the most useful first."""
    return _ADVICE.get(kind, (_MODEL,))
