"""Golden inputs: what a version must answer before it may serve (pure).

They may come with the files, as `golden.json`:

    {"tolerance": 0.001, "cases": [{"input": "A fine film.", "label": "POSITIVE",
                                    "scores": {"POSITIVE": 0.98, "NEGATIVE": 0.02}}]}

`tolerance` and `scores` may be left out.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from registry.errors import ContentRefused

FILE = "golden.json"
DEFAULT_TOLERANCE = 1e-3
MAX_TOLERANCE = 0.1
MAX_CASES = 256
MAX_INPUT_CHARS = 10_000
MAX_LABEL_CHARS = 256
MAX_SCORES = 64


@dataclass(frozen=True, slots=True)
class GoldenCase:
    """An input and its answer; `scores` may name some labels, or none."""

    input: str
    label: str
    scores: Mapping[str, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"input": self.input, "label": self.label, "scores": dict(self.scores)}


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenSpec:
    """A version's golden inputs; `is_given` when they came with its files."""

    cases: tuple[GoldenCase, ...]
    tolerance: float = DEFAULT_TOLERANCE
    is_given: bool = False


def parse_given(value: Any, labels: Sequence[str]) -> GoldenSpec:
    """Golden inputs from the parsed `golden.json`; `labels` are the version's, if its task has any.

    Raises ContentRefused naming the file and the place to mend.
    """
    if not isinstance(value, dict) or not value.keys() <= {"tolerance", "cases"}:
        raise _refused("must be a JSON object with no keys but tolerance and cases")
    cases = value.get("cases")
    if not isinstance(cases, list) or not 1 <= len(cases) <= MAX_CASES:
        raise _refused(f"cases must be a list of 1 to {MAX_CASES}")
    tolerance = value.get("tolerance", DEFAULT_TOLERANCE)
    if not _is_number(tolerance) or not 0 < tolerance <= MAX_TOLERANCE:
        raise _refused(f"tolerance must be a number above 0 and at most {MAX_TOLERANCE}")
    return GoldenSpec(
        cases=tuple(_case(f"cases[{at}]", case, labels) for at, case in enumerate(cases)),
        tolerance=float(tolerance),
        is_given=True,
    )


def restore(cases: Sequence[Mapping[str, Any]], tolerance: float, is_given: bool) -> GoldenSpec:
    """Golden inputs as they were stored."""
    return GoldenSpec(
        cases=tuple(GoldenCase(c["input"], c["label"], c.get("scores") or {}) for c in cases),
        tolerance=tolerance,
        is_given=is_given,
    )


def compare(case: GoldenCase, label: str, scores: Mapping[str, float], tolerance: float) -> str:
    """What is wrong with the answer `label`, `scores` to `case`; empty where nothing is.

    Another label counts as the same where the case's own scores for the two are a tie within the
    tolerance.

    >>> compare(GoldenCase("Fine.", "POS", {"POS": 0.9}), "POS", {"POS": 0.8}, 0.001)
    'POS got 0.800000 instead of 0.900000'
    """
    for name, wanted in case.scores.items():
        got = scores.get(name)
        if got is None:
            return f"no score for {name}"
        if not abs(got - wanted) <= tolerance:
            return f"{name} got {got:.6f} instead of {wanted:.6f}"
    if label == case.label or _is_tie(case, label, tolerance):
        return ""
    return f"label {label} instead of {case.label}"


def _is_tie(case: GoldenCase, label: str, tolerance: float) -> bool:
    if label not in case.scores or case.label not in case.scores:
        return False
    return abs(case.scores[case.label] - case.scores[label]) <= 2 * tolerance


def _case(place: str, value: Any, labels: Sequence[str]) -> GoldenCase:
    if not isinstance(value, dict) or not value.keys() <= {"input", "label", "scores"}:
        raise _refused(f"{place} must be an object with input, label and perhaps scores")
    text, scores = value.get("input"), value.get("scores", {})
    if not isinstance(text, str) or len(text) > MAX_INPUT_CHARS or not _is_storable(text):
        raise _refused(f"{place}.input must be a text of at most {MAX_INPUT_CHARS} characters")
    if not isinstance(scores, dict) or len(scores) > MAX_SCORES:
        raise _refused(f"{place}.scores must be an object of at most {MAX_SCORES} labels")
    for name, score in scores.items():
        if not _is_number(score):
            raise _refused(f"{place}.scores must map labels to numbers")
        _check_label(f"{place}.scores", name, labels)
    _check_label(f"{place}.label", value.get("label"), labels)
    return GoldenCase(text, value["label"], {name: float(score) for name, score in scores.items()})


def _check_label(place: str, label: Any, labels: Sequence[str]) -> None:
    if not isinstance(label, str) or not 1 <= len(label) <= MAX_LABEL_CHARS:
        raise _refused(f"{place} must be a label")
    if not _is_storable(label):
        raise _refused(f"{place} holds a character that no text has")
    if labels and label not in labels:
        raise _refused(f"{place} names {label!r:.80}, which is not a label of config.json")


def _is_storable(text: str) -> bool:
    """Whether databases take `text`: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _refused(problem: str) -> ContentRefused:
    return ContentRefused(f"{FILE}: {problem}", details={"path": FILE})
