"""The generate extension: a text in and a text out, at once or as a stream."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from access.keyring import KeyFacts
from access.scopes import Scope
from inference.predictor import Predictor
from tests.inference.conftest import Plane, a_plane
from tests.inference.loaded import load
from tests.inference.tiny_generators import CORPUS, save_generator

PATH = "/v2/models/team/tiny"
FAMILIES = {
    "text-generation": "gpt2",
    "text2text-generation": "t5",
    "summarization": "bart",
    "translation": "marian",
}
GREEDY = {"max_tokens": 12, "temperature": 0, "num_beams": 1}


@pytest.fixture(scope="module")
def predictors(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Predictor]:
    made: dict[str, Predictor] = {}
    for task, family in FAMILIES.items():
        view: Path = save_generator(tmp_path_factory.mktemp(task), family)
        made[task] = load(view, task)
    return made


@pytest.fixture
def plane(request: pytest.FixtureRequest, predictors: dict[str, Predictor]) -> Iterator[Plane]:
    task = getattr(request, "param", "text-generation")
    with a_plane(predictor=predictors[task]) as plane:
        yield plane


def generate(plane: Plane, path: str = "generate", **body: Any) -> httpx.Response:
    return plane.call("POST", f"{PATH}/{path}", json={"text_input": "A model", **body})


def events_of(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    *lines, end = answer.text.split("\n\n")
    assert end == ""
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("plane", FAMILIES, indirect=True)
def test_every_task_that_writes_generates(plane: Plane) -> None:
    answer = generate(plane, parameters=GREEDY)
    asked = {"max_new_tokens": 12, "do_sample": False, "num_beams": 1}
    (native,) = plane.predict("A model", parameters=asked).json()["predictions"]
    (text,) = (value for name, value in native.items() if name.endswith("_text"))
    named = {"model_name": "team/tiny", "model_version": "1"}
    assert answer.json() == named | {"text_output": text}
    assert answer.headers["x-model-version"] == "1"
    assert plane.recorder.records[0].dialect == "oip"
    *pieces, last = events_of(generate(plane, "generate_stream", parameters=GREEDY))
    assert "".join(piece["text_output"] for piece in pieces) == text
    assert len(pieces) > 1 or set(text) == {"\N{REPLACEMENT CHARACTER}"}
    assert not any(piece["done"] for piece in pieces)
    assert last == named | {"text_output": "", "done": True}


def test_parameters_may_stand_beside_the_text(plane: Plane) -> None:
    folded = generate(plane, parameters=GREEDY | {"stream": False}).json()
    assert generate(plane, **GREEDY, stream=False).json() == folded
    assert generate(plane, **{**GREEDY, "max_tokens": 3}, parameters=GREEDY).json() == folded


def test_a_version_may_be_named(plane: Plane) -> None:
    plain = generate(plane, parameters=GREEDY)
    assert generate(plane, "versions/1/generate", parameters=GREEDY).json() == plain.json()
    told = events_of(generate(plane, "versions/1/generate_stream", parameters=GREEDY))
    assert told[-1]["model_version"] == "1"
    plane.keys["asker"] = KeyFacts(id="asker", name="asker", scopes=frozenset({Scope.PREDICT}))
    headers = {"Authorization": "Bearer asker"}
    body = {"text_input": "A model"}
    for path in ("generate", "generate_stream"):
        gone = generate(plane, f"versions/2/{path}")
        assert (gone.status_code, gone.json()["error_code"]) == (409, "version_not_loaded")
        wrong = generate(plane, f"versions/x/{path}")
        assert (wrong.status_code, wrong.json()["details"]["field"]) == (400, "version")
        pinned = f"{PATH}/versions/2/{path}"
        assert plane.call("POST", pinned, json=body, headers=headers).status_code == 403


def test_details_come_where_they_are_asked_for(plane: Plane) -> None:
    answer = generate(plane, parameters=GREEDY | {"details": True}).json()
    tokens = answer["details"]["tokens"]
    assert "".join(token["text"] for token in tokens) == answer["text_output"]


def test_what_nobody_knows_is_ignored_and_said(plane: Plane) -> None:
    asked = GREEDY | {"best_of": 2, "bad_words": ["x"]}
    for path in ("generate", "generate_stream"):
        answer = generate(plane, path, parameters=asked)
        assert answer.headers["x-bellwether-warning"] == (
            "Ignored parameters; text-generation does not use "
            "parameters.bad_words, parameters.best_of"
        )


@pytest.mark.parametrize("path", ["generate", "generate_stream"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"text_input": " "}, "text_input"),
        ({"text_input": 7}, "text_input"),
        ({"text_input": ["a"]}, "text_input"),
        ({"parameters": []}, "parameters"),
        ({"parameters": {"max_tokens": 0}}, "parameters.max_tokens"),
        ({"parameters": {"max_tokens": 2, "max_new_tokens": 2}}, "parameters.max_tokens"),
        ({"parameters": {"temperature": "hot"}}, "parameters.temperature"),
        ({"parameters": {"temperature": -1}}, "parameters.temperature"),
        ({"parameters": {"num_return_sequences": 2}}, "parameters.num_return_sequences"),
        ({"parameters": {"stop": 7}}, "parameters.stop"),
    ],
)
def test_what_is_wrong_is_a_400_that_names_it(
    plane: Plane, path: str, body: dict[str, Any], field: str
) -> None:
    answer = generate(plane, path, **body)
    assert answer.status_code == 400, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["details"]["field"] == field, answer.text
    assert isinstance(answer.json()["error"], str)


@pytest.mark.parametrize("path", ["generate", "generate_stream"])
def test_a_model_that_does_not_write_says_what_it_does(path: str) -> None:
    with a_plane() as plane:
        body = {"text_input": "good"}
        answer = plane.call("POST", f"/v2/models/team/model/{path}", json=body)
        gone = plane.call("POST", f"/v2/models/team/other/{path}", json=body)
    assert (answer.status_code, answer.json()["details"]["field"]) == (400, "model")
    assert "/v2/models/team/model/infer" in answer.json()["error"]
    assert (gone.status_code, gone.json()["error_code"]) == (404, "model_not_found")


@pytest.mark.parametrize("plane", ["summarization"], indirect=True)
def test_a_text_over_the_limit_is_summarised_at_once_and_not_streamed(plane: Plane) -> None:
    long = " ".join(CORPUS * 4)
    assert generate(plane, text_input=long, parameters=GREEDY).json()["text_output"]
    streamed = generate(plane, "generate_stream", text_input=long, parameters=GREEDY)
    assert (streamed.status_code, streamed.json()["error_code"]) == (400, "text_too_long")
