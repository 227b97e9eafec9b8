"""How each task looks to a client of Hugging Face's inference API: what it sends, what it reads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from inference.calls import Prediction
from inference.tasks.answers import LabelScore
from inference.tasks.kinds import TaskKind

_NULL = msgspec.Raw(b"null")


class Body(Protocol):
    """What of a request holds parameters."""

    @property
    def parameters(self) -> dict[str, msgspec.Raw] | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One task's looks.

    `shape` gives the body of an answer from the predictions; `is_list` says whether a list of
    inputs came. `defaults` are the parameters that this API implies; `at_root` the names of those
    that come beside `inputs` instead of in `parameters`.
    """

    shape: Callable[[Sequence[Prediction], bool], Any]
    defaults: dict[str, msgspec.Raw] = field(default_factory=dict)
    at_root: tuple[str, ...] = ()

    def sort_out(self, body: Body, kind: TaskKind) -> tuple[dict[str, msgspec.Raw], list[str]]:
        """The parameters that the task takes, and the names of those that it does not know."""
        known = set(kind.parameters.__struct_fields__)
        asked = body.parameters or {}
        root = {name: value for name in self.at_root if (value := getattr(body, name)) is not None}
        given = self.defaults | root | {name: asked[name] for name in asked if name in known}
        return given, [f"parameters.{name}" for name in asked if name not in known]


def _labels(predictions: Sequence[Prediction], is_list: bool) -> list[list[LabelScore]]:
    # Nested for one text, too: the client reads the first row.
    return [_scores(prediction.decoded.fields) for prediction in predictions]


def _scores(fields: dict[str, Any]) -> list[LabelScore]:
    shown = fields.get("scores") or [fields]
    return [LabelScore(each["label"], each["score"]) for each in shown]


def _entities(predictions: Sequence[Prediction], is_list: bool) -> list[Any]:
    rows = [prediction.decoded.fields["entities"] for prediction in predictions]
    return rows if is_list else rows[0]


def _spans(predictions: Sequence[Prediction], is_list: bool) -> Any:
    # An object where one answer was asked for, else a list of them.
    rows = [
        prediction.decoded.fields.get("answers") or prediction.decoded.fields
        for prediction in predictions
    ]
    return rows if is_list else rows[0]


SHAPES: dict[str, Shape] = {
    "text-classification": Shape(shape=_labels, defaults={"top_k": _NULL}),
    "token-classification": Shape(shape=_entities),
    "question-answering": Shape(shape=_spans),
}
