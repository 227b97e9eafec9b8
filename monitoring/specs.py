"""Feedback as it comes in and goes out: frozen facts, and the reader of their wire form. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from monitoring.errors import InvalidFeedback

MAX_ITEMS = 1000
SOURCES = ("audit", "delayed", "user")
DEFAULT_SOURCE = "user"
_FIELDS = {"prediction_id", "correct_label", "source"}
_LONGEST_LABEL = 256


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """A claim that `correct_label` is true of a prediction; `source` is None if it was not said."""

    prediction_id: UUID
    correct_label: str
    source: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a claim: `status` is recorded (first label), revised (another one) or unchanged.

    The other fields describe the label that counts from now on.
    """

    status: str
    prediction_id: UUID
    predicted_label: str
    correct_label: str
    source: str
    revision: int
    at: datetime


def parse_item(raw: object) -> FeedbackItem:
    """Read one item of a feedback body. Raises InvalidFeedback, naming the field and the remedy."""
    if not isinstance(raw, Mapping):
        raise InvalidFeedback(
            'Feedback must be an object like {"prediction_id": "…", "correct_label": "…"}.',
            details={"field": ""},
        )
    for name in raw:
        if name not in _FIELDS:
            shown = str(name)[:50]
            raise _invalid(shown, f"is unknown; the fields are {', '.join(sorted(_FIELDS))}")
    return FeedbackItem(
        prediction_id=_parse_id(raw.get("prediction_id")),
        correct_label=_parse_label(raw.get("correct_label")),
        source=_parse_source(raw.get("source")),
    )


def parse_items(raw: list[object]) -> list[FeedbackItem | InvalidFeedback]:
    """Read a list; a bad item becomes its error. Raises InvalidFeedback for an illegal length."""
    if not 1 <= len(raw) <= MAX_ITEMS:
        raise InvalidFeedback(
            f"A list of feedback holds 1 to {MAX_ITEMS} items, this one {len(raw)}: "
            "send it in parts.",
            details={"field": "", "max_items": MAX_ITEMS},
        )
    return [_parsed_or_error(item) for item in raw]


def _parsed_or_error(raw: object) -> FeedbackItem | InvalidFeedback:
    try:
        return parse_item(raw)
    except InvalidFeedback as error:
        return error


def _parse_id(raw: object) -> UUID:
    try:
        return UUID(raw)  # type: ignore[arg-type]
    except (ValueError, AttributeError, TypeError):
        raise _invalid(
            "prediction_id", "must be the id that came with the prediction, a UUID"
        ) from None


def _parse_label(raw: object) -> str:
    if not isinstance(raw, str) or not 1 <= len(raw) <= _LONGEST_LABEL:
        raise _invalid(
            "correct_label",
            f"must be a label, 1 to {_LONGEST_LABEL} characters; of a task without labels, such as "
            "text generation, say 'right' or 'wrong'",
        )
    return raw


def _parse_source(raw: object) -> str | None:
    if raw is not None and raw not in SOURCES:
        raise _invalid("source", f"must be one of {', '.join(SOURCES)}")
    return None if raw is None else str(raw)


def _invalid(field: str, remedy: str) -> InvalidFeedback:
    return InvalidFeedback(f"{field!r} {remedy}.", details={"field": field})
