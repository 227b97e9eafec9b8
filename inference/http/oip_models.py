"""How each task looks as tensors: texts become inputs, answers become outputs. Pure."""

import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from inference.calls import Answer, Prediction
from inference.errors import InvalidRequest
from inference.http import codec
from inference.http.oip_messages import TensorInfo
from inference.http.oip_tensors import Output, Texts
from inference.tasks.inputs import Input
from inference.tasks.kinds import TaskKind

TEXT = "text"


def inputs_of(texts: Mapping[str, Texts], kind: TaskKind) -> list[Input]:
    """Return the task's inputs; one tensor is its text whatever its name, several go by names.

    Raises InvalidRequest when the names are no input of the task, or the shapes do not go together.
    """
    if len(texts) == 1 and str in _items(kind):
        ((name, only),) = texts.items()
        return list(_column(name, only))
    for item in _items(kind):
        if item is not str and set(texts) == set(item.__struct_fields__):
            return _structs(item, texts)
    raise InvalidRequest(
        f"The inputs {', '.join(sorted(texts)):.200} are not what {kind.name} takes: "
        f"{_taken(kind)}.",
        details={"field": "inputs"},
    )


def _items(kind: TaskKind) -> tuple[Any, ...]:
    return typing.get_args(kind.item) or (kind.item,)


def _taken(kind: TaskKind) -> str:
    ways = [(TEXT,) if item is str else item.__struct_fields__ for item in _items(kind)]
    return ", or ".join(" and ".join(way) for way in ways)


def _column(name: str, texts: Texts) -> list[str]:
    """The values of [n] or [n, 1]."""
    if len(texts.shape) > 1 and texts.shape[1] != 1:
        raise InvalidRequest(
            f"The input {name!r} has the shape {list(texts.shape)}; it must be [n] or [n, 1].",
            details={"field": name},
        )
    return texts.values


def _rows(name: str, texts: Texts, n: int) -> list[tuple[str, ...]]:
    """The values of [n, k], or of [k] where there is one row."""
    shape = texts.shape if len(texts.shape) > 1 else (1, *texts.shape)
    if shape[0] != n:
        raise InvalidRequest(
            f"The input {name!r} has {shape[0]} rows where the others have {n}.",
            details={"field": name},
        )
    width = shape[1]
    return [tuple(texts.values[row * width : (row + 1) * width]) for row in range(n)]


def _structs(item: Any, texts: Mapping[str, Texts]) -> list[Input]:
    hints = typing.get_type_hints(item)
    columns = {n: _column(n, texts[n]) for n, kind in hints.items() if kind is str}
    n = len(next(iter(columns.values())))
    if any(len(values) != n for values in columns.values()):
        lengths = ", ".join(f"{name} {len(values)}" for name, values in columns.items())
        raise InvalidRequest(
            f"The inputs must be equally long: {lengths}.", details={"field": "inputs"}
        )
    many = {name: _rows(name, texts[name], n) for name in hints if name not in columns}
    fields: dict[str, Sequence[Any]] = {**columns, **many}
    return [item(**{name: values[i] for name, values in fields.items()}) for i in range(n)]


def describe_inputs(kind: TaskKind) -> list[tuple[TensorInfo, bool]]:
    """The tensors that the task takes; True says that it may be left out."""
    found: dict[str, tuple[TensorInfo, bool]] = {}
    items = _items(kind)
    if str in items:
        found[TEXT] = (TensorInfo(TEXT, "BYTES", [-1]), len(items) > 1 and not _shares_text(items))
    for item in items:
        if item is str:
            continue
        for name, hint in typing.get_type_hints(item).items():
            shape = [-1] if hint is str else [-1, -1]
            found.setdefault(name, (TensorInfo(name, "BYTES", shape), len(items) > 1))
    return list(found.values())


def _shares_text(items: Sequence[Any]) -> bool:
    return all(item is str or TEXT in item.__struct_fields__ for item in items)


def describe_outputs(kind: TaskKind, labels: Sequence[str]) -> list[TensorInfo]:
    """The tensors that the task answers with, for a version with these labels."""
    fields = set(kind.reply.__struct_fields__)
    found = []
    if {"label", "score"} <= fields:
        found += [TensorInfo("label", "BYTES", [-1]), TensorInfo("score", "FP32", [-1])]
    if "abstained" in fields:
        found.append(TensorInfo("abstained", "BOOL", [-1]))
    if kind.name == "text-classification":
        found.append(TensorInfo("scores", "FP32", [-1, len(labels)]))
    else:
        if "embedding" in fields:
            found.append(TensorInfo("embedding", "FP32", [-1, -1]))
        found.append(TensorInfo("answer", "BYTES", [-1]))
    return [*found, TensorInfo("prediction_id", "BYTES", [-1])]


def outputs_of(answer: Answer, kind: TaskKind) -> dict[str, Output]:
    """Return the tensors that these answers fill, by name and in the order of description."""
    found: dict[str, Output] = {}
    for info in describe_outputs(kind, answer.spec.labels):
        output = _MAKERS[info.name](answer)
        if output is not None:
            found[info.name] = output
    if "embedding" in found:
        found.pop("answer", None)
    return found


def _texts(name: str, values: list[str]) -> Output:
    return Output(name, (len(values),), values)


def _label(answer: Answer) -> Output:
    return _texts("label", [each.decoded.fields["label"] for each in answer.predictions])


def _score(answer: Answer) -> Output:
    values = np.array([each.decoded.fields["score"] for each in answer.predictions], np.float32)
    return Output("score", values.shape, values)


def _abstained(answer: Answer) -> Output:
    """Where the label is only a guess: its score is below the threshold."""
    values = [each.decoded.fields.get("abstained", False) for each in answer.predictions]
    return Output("abstained", (len(values),), np.array(values, np.bool_))


def _scores(answer: Answer) -> Output | None:
    """All scores in logit order [n, n_labels]; nothing unless every label has one."""
    labels = answer.spec.labels
    rows = [_by_label(each) for each in answer.predictions]
    if not labels or any(set(row) != set(labels) for row in rows):
        return None
    values = np.array([[row[label] for label in labels] for row in rows], np.float32)
    return Output("scores", values.shape, values.ravel())


def _by_label(prediction: Prediction) -> dict[str, float]:
    return {each["label"]: each["score"] for each in prediction.decoded.fields.get("scores") or ()}


def _embedding(answer: Answer) -> Output | None:
    vectors = [each.decoded.fields.get("embedding") for each in answer.predictions]
    if any(vector is None for vector in vectors):
        return None
    values = np.array(vectors, np.float32)
    return Output("embedding", values.shape, values.ravel())


def _answer(answer: Answer) -> Output:
    fields = [codec.encode(each.decoded.fields).decode() for each in answer.predictions]
    return _texts("answer", fields)


def _prediction_id(answer: Answer) -> Output:
    return _texts("prediction_id", [str(each.id or "") for each in answer.predictions])


_MAKERS: dict[str, Callable[[Answer], Output | None]] = {
    "label": _label,
    "score": _score,
    "abstained": _abstained,
    "scores": _scores,
    "embedding": _embedding,
    "answer": _answer,
    "prediction_id": _prediction_id,
}
