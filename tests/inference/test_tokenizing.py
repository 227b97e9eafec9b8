"""Tokens are counted as a prediction would, without one; and clients are told how to ask."""

import msgspec
import pytest

from inference.http.guides import Guides
from tests.inference.conftest import LIMITS, Plane

PATH = "/api/v1/models/team/model/tokenize"


def test_tokens_are_counted_and_nothing_is_recorded(plane: Plane) -> None:
    answer = plane.call("POST", PATH, json={"inputs": ["good film", "bad"], "ids": True})
    assert answer.status_code == 200
    body = answer.json()
    assert (body["model"], body["version"], body["max_tokens"]) == ("team/model", 1, 512)
    assert [each["n_tokens"] for each in body["inputs"]] == [2, 1]
    assert [len(each["ids"][0]) for each in body["inputs"]] == [2, 1]
    assert answer.headers["x-model-version"] == "1"
    assert plane.recorder.records == []


def test_ids_come_only_where_they_are_asked_for(plane: Plane) -> None:
    (shown,) = plane.call("POST", PATH, json={"inputs": "good film"}).json()["inputs"]
    assert shown == {"n_tokens": 2, "n_unknown": 0, "truncated": False, "n_pieces": 1}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"inputs": ""}, "invalid_text"),
        ({"inputs": []}, "invalid_request"),
        ({"inputs": "a", "parameters": {"colour": 1}}, "unknown_parameter"),
        ({"inputs": "a", "colour": 1}, "unknown_parameter"),
        ({"inputs": {"question": "a", "context": "b"}}, "invalid_request"),
    ],
)
def test_what_a_prediction_would_refuse_is_refused(plane: Plane, body: object, code: str) -> None:
    error = plane.call("POST", PATH, json=body).json()["error"]
    assert error["code"] in (code, "unknown_parameter")


def test_a_key_without_the_scope_is_refused(plane: Plane) -> None:
    headers = {"Authorization": "Bearer reader"}
    assert plane.call("POST", PATH, json={"inputs": "a"}, headers=headers).status_code == 403


def test_a_guide_says_what_to_send_and_what_comes_back(plane: Plane) -> None:
    guide = Guides(plane.service, LIMITS).tell("team/model")
    assert guide is not None
    assert (guide["task"], guide["version"]) == ("text-classification", 1)
    assert guide["limits"]["max_tokens"] == 512
    assert guide["limits"]["max_inputs"] == LIMITS.max_inputs
    schema = guide["parameters"]["$defs"]["TextClassificationParameters"]["properties"]
    assert schema["top_k"]["default"] == 1
    assert msgspec.json.encode(guide)


def test_there_is_no_guide_for_what_is_not_loaded(plane: Plane) -> None:
    assert Guides(plane.service, LIMITS).tell("team/other") is None
