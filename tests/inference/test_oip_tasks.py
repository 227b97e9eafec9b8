"""Every task by tensors, with tiny real models."""

import json
from typing import Any

import numpy as np
import pytest

from inference.predictor import Predictor
from tests.inference.conftest import a_plane
from tests.inference.test_tasks_over_http import CANDIDATES, predictors

__all__ = ["predictors"]


def tensor(name: str, *values: str, shape: list[int] | None = None) -> dict[str, Any]:
    return {
        "name": name,
        "shape": shape or [len(values)],
        "datatype": "BYTES",
        "data": list(values),
    }


TEXTS = [tensor("text", "a film", "a dog")]
COMPARED = [
    tensor("source_sentence", "a film"),
    tensor("sentences", "a film", "a dog", "numbers", shape=[1, 3]),
]


@pytest.mark.parametrize(
    ("task", "inputs", "parameters", "names"),
    [
        (
            "text-classification",
            TEXTS,
            {"top_k": -1},
            {"label": [2], "score": [2], "abstained": [2], "scores": [2, 2]},
        ),
        (
            "zero-shot-classification",
            TEXTS,
            CANDIDATES,
            {"label": [2], "score": [2], "answer": [2]},
        ),
        ("fill-mask", [tensor("text", "a [MASK] film")], {}, {"answer": [1]}),
        ("feature-extraction", TEXTS, {"normalize": True}, {"embedding": [2, 32]}),
        ("sentence-similarity", COMPARED, {}, {"answer": [1]}),
    ],
)
def test_a_task_answers_with_its_tensors(
    predictors: dict[str, Predictor],
    task: str,
    inputs: list[Any],
    parameters: dict[str, Any],
    names: dict[str, list[int]],
) -> None:
    body = {"inputs": inputs, "parameters": parameters}
    with a_plane(predictor=predictors[task]) as plane:
        answer = plane.call("POST", "/v2/models/team/tiny/infer", json=body)
        described = plane.call("GET", "/v2/models/team/tiny").json()
    assert answer.status_code == 200, answer.text
    found = {each["name"]: each for each in answer.json()["outputs"]}
    shapes = {name: each["shape"] for name, each in found.items()}
    assert shapes.pop("prediction_id") == [names[next(iter(names))][0]]
    assert shapes == names
    assert set(found) <= {each["name"] for each in described["outputs"]}
    assert all(len(each["data"]) == np.prod(each["shape"]) for each in found.values())
    if "answer" in found:
        assert isinstance(json.loads(found["answer"]["data"][0]), dict)
    if task == "sentence-similarity":
        assert len(json.loads(found["answer"]["data"][0])["similarities"]) == 3


def test_rows_must_go_with_their_sources(predictors: dict[str, Predictor]) -> None:
    inputs = [COMPARED[0], tensor("sentences", "a", "b", shape=[2, 1])]
    with a_plane(predictor=predictors["sentence-similarity"]) as plane:
        refused = plane.call("POST", "/v2/models/team/tiny/infer", json={"inputs": inputs})
    assert (refused.status_code, "2 rows" in refused.json()["error"]) == (400, True)
