"""How each task looks to a client of Hugging Face's inference API: what it sends, what it reads."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from inference.calls import Prediction
from inference.decoding import convert
from inference.tasks.answers import LabelScore
from inference.tasks.inputs import Input
from inference.tasks.kinds import TaskKind

_NULL = msgspec.Raw(b"null")
_HUB_VERSION = re.compile(r"hf_hub/(?P<major>\d{1,4})\.(?P<minor>\d{1,4})")


class Body(Protocol):
    """What of a request holds parameters."""

    @property
    def parameters(self) -> dict[str, msgspec.Raw] | None: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What an answer is to: the inputs, whether they came as a list, and the client's name."""

    inputs: Sequence[Input]
    is_list: bool
    user_agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One task's looks.

    `shape` gives the body of an answer from the predictions. `defaults` are the parameters that
    this API implies; `at_root` names those that come beside `inputs`, not in `parameters`; `read`
    turns what this API calls otherwise into the task's own parameters.
    """

    shape: Callable[[Sequence[Prediction], Asked], Any]
    defaults: dict[str, msgspec.Raw] = field(default_factory=dict)
    at_root: tuple[str, ...] = ()
    read: Callable[[dict[str, msgspec.Raw]], dict[str, msgspec.Raw]] = dict

    def sort_out(self, body: Body, kind: TaskKind) -> tuple[dict[str, msgspec.Raw], list[str]]:
        """The parameters that the task takes, and the names of those that it does not know."""
        known = set(kind.parameters.__struct_fields__)
        asked = self.read(body.parameters or {})
        beside = {name: getattr(body, name) for name in self.at_root}
        root = {name: value for name, value in beside.items() if bytes(value) not in (b"", b"null")}
        given = self.defaults | root | {name: asked[name] for name in asked if name in known}
        return given, [f"parameters.{name}" for name in asked if name not in known]


def _labels(predictions: Sequence[Prediction], asked: Asked) -> list[list[LabelScore]]:
    # Nested for one text, too: the client reads the first row.
    return [_scores(prediction.decoded.fields) for prediction in predictions]


def _scores(fields: dict[str, Any]) -> list[LabelScore]:
    shown = fields.get("scores") or [fields]
    return [LabelScore(each["label"], each["score"]) for each in shown]


def _ranked(predictions: Sequence[Prediction], asked: Asked) -> Any:
    rows: list[Any] = _labels(predictions, asked)
    if _is_old(asked.user_agent):
        rows = [
            {
                "sequence": text,
                "labels": [each.label for each in row],
                "scores": [each.score for each in row],
            }
            for text, row in zip(asked.inputs, rows, strict=True)
        ]
    return rows if asked.is_list else rows[0]


def _is_old(user_agent: str) -> bool:
    """Whether a client older than huggingface_hub 1.2 asks, which reads another shape and no
    newer one.
    """
    found = _HUB_VERSION.search(user_agent)
    return found is not None and (int(found["major"]), int(found["minor"])) < (1, 2)


def _fills(predictions: Sequence[Prediction], asked: Asked) -> Any:
    rows = [prediction.decoded.fields["fills"] for prediction in predictions]
    rows = [row[0] if len(row) == 1 else row for row in rows]
    return rows if asked.is_list else rows[0]


def _vectors(predictions: Sequence[Prediction], asked: Asked) -> Any:
    fields = [prediction.decoded.fields for prediction in predictions]
    if not asked.is_list and "similarities" in fields[0]:
        return fields[0]["similarities"]
    return [each.get("embedding") or each["similarities"] for each in fields]


def _texts(name: str) -> Callable[[Sequence[Prediction], Asked], Any]:
    """A list of objects with the one field `name`, as for one text so for several."""

    def shape(predictions: Sequence[Prediction], asked: Asked) -> list[dict[str, str]]:
        return [{name: prediction.decoded.fields[name]} for prediction in predictions]

    return shape


def _generated(predictions: Sequence[Prediction], asked: Asked) -> list[Any]:
    """As TGI answers: with `details` where they were asked for."""
    return [_with_details(prediction.decoded.fields) for prediction in predictions]


def _with_details(fields: dict[str, Any]) -> dict[str, Any]:
    shown = {"generated_text": fields["generated_text"]}
    if "details" not in fields:
        return shown
    prompt = fields.get("prompt_tokens", [])
    first, *others = [_details(each, prompt) for each in fields["details"]]
    if others:
        first["best_of_sequences"] = [
            {"generated_text": text, **each}
            for text, each in zip(fields["sequences"][1:], others, strict=True)
        ]
    return shown | {"details": first}


def _details(details: dict[str, Any], prompt: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "finish_reason": details["finish_reason"],
        "generated_tokens": details["n_generated"],
        "seed": details["seed"],
        "prefill": prompt,
        "tokens": details["tokens"],
    }


def _unfolded(asked: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """Summaries and translations: options lie in an object of their own, truncation has a name."""
    flat = {name: value for name, value in asked.items() if name != _NESTED}
    if _NESTED in asked:
        flat |= convert(asked[_NESTED], dict[str, msgspec.Raw], f"parameters.{_NESTED}")
    flat.pop("clean_up_tokenization_spaces", None)
    if (named := _TRUNCATIONS.get(bytes(flat.get("truncation", b"")))) is not None:
        flat["truncation"] = msgspec.Raw(named)
    return flat


_NESTED = "generate_parameters"
_TRUNCATIONS = {
    b'"do_not_truncate"': b"false",
    b'"longest_first"': b"true",
    b'"only_first"': b"true",
    b'"only_second"': b"true",
}


def _entities(predictions: Sequence[Prediction], asked: Asked) -> list[Any]:
    rows = [prediction.decoded.fields["entities"] for prediction in predictions]
    return rows if asked.is_list else rows[0]


def _spans(predictions: Sequence[Prediction], asked: Asked) -> Any:
    # An object where one answer was asked for, else a list of them.
    rows = [
        prediction.decoded.fields.get("answers") or prediction.decoded.fields
        for prediction in predictions
    ]
    return rows if asked.is_list else rows[0]


_EMBEDDING = Shape(
    shape=_vectors, at_root=("normalize", "truncate", "dimensions", "prompt_name", "pooling")
)
SHAPES: dict[str, Shape] = {
    "text-classification": Shape(shape=_labels, defaults={"top_k": _NULL}),
    "zero-shot-classification": Shape(shape=_ranked),
    "fill-mask": Shape(shape=_fills),
    "feature-extraction": _EMBEDDING,
    "sentence-similarity": _EMBEDDING,
    "text-generation": Shape(shape=_generated),
    "text2text-generation": Shape(shape=_generated),
    "summarization": Shape(shape=_texts("summary_text"), read=_unfolded),
    "translation": Shape(shape=_texts("translation_text"), read=_unfolded),
    "token-classification": Shape(shape=_entities),
    "question-answering": Shape(shape=_spans),
}
