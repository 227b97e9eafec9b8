"""Who answers whom: stickiness, route keys, pins, and that the answer always says who it was."""

import asyncio
import threading
from collections import Counter
from dataclasses import replace

import httpx
import pytest

from access.keyring import KeyFacts
from access.scopes import Scope
from inference.serving import LiveRoute, ServedModel, Table
from registry.specs import Stickiness
from tests.inference.conftest import Plane, a_plane
from tests.inference.doubles import a_predictor, a_spec

PREDICT = "/api/v1/models/team/model/predict"
ENDPOINTS = {
    PREDICT: {"inputs": "good"},
    "/sentiment": {"text": "good"},
    "/analyze": {"text": "good"},
    "/batch-sentiment": {"texts": ["good", "bad"]},
    "/concurrent-batch-sentiment": {"texts": ["good", "bad", "fine", "poor"]},
}


def serve(plane: Plane, **changes: object) -> None:
    """Versions 1 and 2 answer half each, 3 is a shadow, 4 stands by."""
    served = ServedModel(
        live=(LiveRoute(plane.predictor, 50), LiveRoute(a_predictor(a_spec(2)), 50)),
        shadows=(LiveRoute(a_predictor(a_spec(3)), 100),),
        standby=(a_predictor(a_spec(4)),),
        salt="salt",
    )
    plane.serving.table = Table(7, {"team/model": replace(served, **changes)})


@pytest.fixture
def split(plane) -> Plane:
    serve(plane)
    plane.keys["caller"] = KeyFacts(id="caller", name="c", scopes=frozenset({Scope.PREDICT}))
    plane.keys["promoter"] = KeyFacts(
        id="promoter", name="p", scopes=frozenset({Scope.PREDICT, Scope.PROMOTE})
    )
    return plane


def ask(plane: Plane, path: str = PREDICT, key: str = "caller", **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return plane.call(
        "POST", path, json=ENDPOINTS[path], headers={"Authorization": f"Bearer {key}", **named}
    )


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_caller_stays_on_one_version_in_every_dialect(split, path):
    answers = [ask(split, path) for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["x-model-version"] for answer in answers}) == 1


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_route_key_stands_for_the_caller_in_every_dialect(split, path):
    seen = Counter()
    for n in range(20):
        first, again = (ask(split, path, X_Route_Key=f"user-{n}") for _ in range(2))
        assert first.headers["x-model-version"] == again.headers["x-model-version"]
        assert first.headers["x-model-digest"] == again.headers["x-model-digest"]
        seen[first.headers["x-model-version"]] += 1
    assert set(seen) == {"1", "2"}


def test_dialects_agree_on_who_answers_a_route_key(split):
    for n in range(5):
        versions = {
            ask(split, path, X_Route_Key=f"user-{n}").headers["x-model-version"]
            for path in ENDPOINTS
        }
        assert len(versions) == 1


def test_without_stickiness_each_request_is_drawn_anew(split):
    serve(split, stickiness=Stickiness.REQUEST)
    seen = Counter(ask(split).headers["x-model-version"] for _ in range(60))
    assert min(seen["1"], seen["2"]) > 10
    again = {ask(split, X_Route_Key="user").headers["x-model-version"] for _ in range(5)}
    assert len(again) == 1


def test_texts_of_one_request_are_not_drawn_apart(split):
    serve(split, stickiness=Stickiness.REQUEST)
    for _ in range(10):
        version = ask(split, "/concurrent-batch-sentiment").headers["x-model-version"]
        assert version in {"1", "2"}


@pytest.mark.parametrize("key", ["promoter", "good-key"])
@pytest.mark.parametrize("number", ["1", "2", "3", "4"])
def test_a_pin_reaches_every_version_in_memory(split, key, number):
    answer = ask(split, key=key, X_Model_Pin=number)
    assert (answer.status_code, answer.headers["x-model-version"]) == (200, number)
    assert [record.route for record in split.recorder.records] == ["pinned"]


def test_an_ordinary_answer_is_recorded_as_live(split):
    ask(split)
    assert [record.route for record in split.recorder.records] == ["live"]


def test_a_pin_to_a_version_that_is_not_loaded_names_those_that_are(split):
    answer = ask(split, key="promoter", X_Model_Pin="9")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "version_not_loaded")
    assert answer.json()["error"]["details"] == {"version": 9, "loaded": [1, 2, 3, 4]}


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_pin_needs_the_promote_scope_in_every_dialect(split, path):
    answer = ask(split, path, X_Model_Pin="1")
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "scope_missing"
    assert answer.json()["error"]["details"] == {"needed": "promote"}
    assert split.recorder.records == []


@pytest.mark.parametrize(
    "headers",
    [
        {"X_Model_Pin": "0"},
        {"X_Model_Pin": "one"},
        {"X_Model_Pin": "-1"},
        {"X_Model_Pin": "1" * 40},
        {"X_Model_Pin": ""},
        {"X_Route_Key": "k" * 201},
    ],
)
def test_a_header_that_cannot_be_is_refused(split, headers):
    answer = ask(split, key="promoter", **headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


def test_a_job_cannot_be_pinned(split):
    answer = split.call(
        "POST",
        "/async-sentiment",
        json={"texts": ["good"]},
        headers={"Authorization": "Bearer promoter", "X-Model-Pin": "1"},
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid_request")


@pytest.mark.parametrize("path", ENDPOINTS)
def test_an_error_after_the_choice_names_the_version(split, path):
    body = {
        key: ["poison"] if isinstance(value, list) else "poison"
        for key, value in ENDPOINTS[path].items()
    }
    answer = split.call(
        "POST", path, json=body, headers={"Authorization": "Bearer promoter", "X-Model-Pin": "2"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "input_failed")
    assert answer.headers["x-model-version"] == "2"
    assert answer.headers["x-model-digest"] == f"{2:064d}"


def test_a_refusal_by_the_queue_names_the_version():
    gate = threading.Event()
    with a_plane(gate=gate, max_queue=1) as plane:

        async def crowd() -> list[httpx.Response]:
            asking = [
                asyncio.create_task(plane.acall("POST", PREDICT, json={"inputs": ["a", "b"]}))
                for _ in range(2)
            ]
            await asyncio.sleep(0.1)
            gate.set()
            return await asyncio.gather(*asking)

        refused = [answer for answer in asyncio.run(crowd()) if answer.status_code != 200]
        assert refused
        assert {answer.headers["x-model-version"] for answer in refused} == {"1"}


def test_a_bug_after_the_choice_names_the_version(split):
    def broken(inputs, *, short):
        raise ZeroDivisionError

    split.predictor.task.encode = broken
    serve(split, live=(LiveRoute(split.predictor, 100),))
    answer = ask(split)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert answer.headers["x-model-version"] == "1"


def test_an_error_before_the_choice_names_none(split):
    answer = split.call("POST", "/api/v1/models/team/other/predict", json={"inputs": "a"})
    assert answer.status_code == 404
    assert "x-model-version" not in answer.headers


def test_a_ticket_may_pin_without_the_scope_promote(split):
    split.keys["ticket"] = KeyFacts(
        id="user:1", name="ann", scopes=frozenset({Scope.PREDICT}), may_pin=True
    )
    assert ask(split, key="ticket", X_Model_Pin="4").headers["x-model-version"] == "4"
    assert ask(split, key="caller", X_Model_Pin="4").status_code == 403
