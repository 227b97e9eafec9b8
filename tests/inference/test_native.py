"""The native dialect: what a good request gets, and what each kind of bad one is told."""

import asyncio
import json
import threading
from uuid import UUID

import numpy as np
import pytest

from inference.describing import Describer
from inference.engine.limits import Priority
from inference.errors import DeadlineExceeded
from inference.records import FAILED
from inference.service import Call
from tests.e2e.server import wait_until
from tests.inference.conftest import a_plane
from tests.inference.doubles import NO_PARAMETERS

PREDICT = "/api/v1/models/team/model/predict"


def test_one_text_gets_an_id_a_label_and_the_version(plane):
    response = plane.predict("a good film")
    body = response.json()
    assert response.status_code == 200
    assert (body["model"], body["version"], body["digest"]) == ("team/model", 1, f"{1:064d}")
    (prediction,) = body["predictions"]
    assert UUID(prediction["id"]).version == 7
    assert prediction["label"] == "POSITIVE"
    assert (prediction["n_tokens"], prediction["truncated"]) == (3, False)
    assert "scores" not in prediction
    assert set(body["timing_ms"]) == {"tokenize", "queue", "inference", "total"}
    assert response.headers["x-model-version"] == "1"
    assert response.headers["x-model-digest"] == body["digest"]


def test_a_list_is_answered_in_its_order(plane):
    body = plane.predict(["good", "bad", "so good"]).json()
    assert [p["label"] for p in body["predictions"]] == ["POSITIVE", "NEGATIVE", "POSITIVE"]


def test_pairs_are_answered(plane):
    pair = {"text": "good", "text_pair": "film"}
    assert len(plane.predict([pair, "plain"]).json()["predictions"]) == 2


def test_top_k_null_shows_all_labels_best_first(plane):
    (prediction,) = plane.predict("good", parameters={"top_k": None}).json()["predictions"]
    assert [score["label"] for score in prediction["scores"]] == ["POSITIVE", "NEGATIVE"]


def test_every_answer_is_recorded_as_it_was_given(plane):
    response = plane.call(
        "POST",
        PREDICT,
        json={"inputs": ["good", "bad"], "segment": "shop"},
        headers={"X-API-Key": "good-key", "X-Request-Id": "my-id"},
    )
    shown = response.json()["predictions"]
    kept = plane.recorder.records
    assert [str(record.id) for record in kept] == [prediction["id"] for prediction in shown]
    assert [(r.text, r.label) for r in kept] == [("good", "POSITIVE"), ("bad", "NEGATIVE")]
    assert {(r.model, r.version, r.segment, r.request_id, r.dialect, r.key_id) for r in kept} == {
        ("team/model", 1, "shop", "my-id", "native", "good")
    }
    assert np.frombuffer(kept[0].embedding, dtype="<f2").tolist() == [1, 1, 1, 1]
    assert response.headers["x-request-id"] == "my-id"


def test_a_recorder_that_fails_costs_the_id_and_not_the_answer(plane):
    def broken(records):
        raise OSError("no space left on device")

    plane.recorder.record = broken
    response = plane.predict("good")
    assert response.status_code == 200
    assert response.json()["predictions"][0]["id"] is None


def test_texts_are_left_out_where_they_are_not_to_be_stored(plane):
    plane.service._describer = Describer(stores_text=False)
    plane.predict("good")
    assert plane.recorder.records[0].text is None


BAD_REQUESTS = {
    "an empty body": (b"", 400, "invalid_json"),
    "half a document": (b'{"inputs": "a', 400, "invalid_json"),
    "two documents": (b'{"inputs": "a"} {}', 400, "invalid_json"),
    "invalid UTF-8": (b'{"inputs": "\xff\xfe"}', 400, "invalid_json"),
    "a lone surrogate": (b'{"inputs": "\\ud800"}', 400, "invalid_json"),
    "a lone low surrogate": (b'{"inputs": "x\\udc00y"}', 400, "invalid_json"),
    "very deep nesting": (
        b'{"inputs": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        400,
        "invalid_json",
    ),
    "an array": (b"[]", 422, "invalid_request"),
    "no inputs": (b"{}", 422, "invalid_request"),
    "a number": (b'{"inputs": 7}', 422, "invalid_request"),
    "null": (b'{"inputs": null}', 422, "invalid_request"),
    "a number in the list": (b'{"inputs": ["a", 7]}', 422, "invalid_request"),
    "half a pair": (b'{"inputs": {"text": "a"}}', 422, "invalid_request"),
    "no texts": (b'{"inputs": []}', 422, "invalid_request"),
    "an empty text": (b'{"inputs": ""}', 422, "invalid_text"),
    "only blanks": (b'{"inputs": ["a", " \\t\\n "]}', 422, "invalid_text"),
    "NUL": (b'{"inputs": "a\\u0000b"}', 422, "invalid_text"),
    "NUL in a pair": (b'{"inputs": {"text": "a", "text_pair": "b\\u0000"}}', 422, "invalid_text"),
    "a long text": (json.dumps({"inputs": "a" * 100_001}).encode(), 422, "text_too_long"),
    "a megabyte": (json.dumps({"inputs": "a" * 1024 * 1024}).encode(), 413, "body_too_large"),
    "10,000 texts": (json.dumps({"inputs": ["a"] * 10_000}).encode(), 422, "too_many_inputs"),
    "an unknown field": (b'{"inputs": "a", "input": "b"}', 422, "unknown_parameter"),
    "an unknown parameter": (
        b'{"inputs": "a", "parameters": {"topk": 1}}',
        422,
        "unknown_parameter",
    ),
    "top_k of zero": (b'{"inputs": "a", "parameters": {"top_k": 0}}', 422, "invalid_request"),
    "top_k as text": (b'{"inputs": "a", "parameters": {"top_k": "1"}}', 422, "invalid_request"),
    "an unknown function": (
        b'{"inputs": "a", "parameters": {"function_to_apply": "relu"}}',
        422,
        "invalid_request",
    ),
    "a segment with blanks": (b'{"inputs": "a", "segment": "a b"}', 422, "invalid_request"),
    "a long segment": (
        json.dumps({"inputs": "a", "segment": "s" * 65}).encode(),
        422,
        "invalid_request",
    ),
}


@pytest.mark.parametrize("name", BAD_REQUESTS)
def test_bad_requests_get_a_code_and_a_sentence(plane, name):
    content, status, code = BAD_REQUESTS[name]
    response = plane.call("POST", PREDICT, content=content)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code), error
    assert error["message"][-1] in ".)" or error["message"].endswith("s.")
    assert response.headers["x-request-id"]
    assert [record for record in plane.recorder.records if record.route != FAILED] == []


@pytest.mark.parametrize(
    ("content", "field"),
    [
        (b'{"inputs": ["a", 7]}', "inputs[1]"),
        (b'{"inputs": ["a", ""]}', "inputs[1]"),
        (b'{"inputs": "a", "parameters": {"topk": 1}}', "parameters.topk"),
        (b'{"inputs": "a", "parameters": {"top_k": 0}}', "parameters.top_k"),
        (b'{"inputs": "a", "segment": 1}', "segment"),
    ],
)
def test_errors_name_the_field(plane, content, field):
    error = plane.call("POST", PREDICT, content=content).json()["error"]
    assert error["details"]["field"] == field
    assert field in error["message"]


def test_an_unknown_model_is_a_404_that_says_where_to_look(plane):
    response = plane.call("POST", "/api/v1/models/team/nobody/predict", json={"inputs": "a"})
    assert response.status_code == 404
    assert response.json()["error"]["code"] == "model_not_found"
    assert "/api/v1/models" in response.json()["error"]["message"]


def test_a_wrong_method_is_told_the_right_one(plane):
    response = plane.call("GET", PREDICT)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({}, 401, "missing_key"),
        ({"Authorization": "Bearer wrong"}, 401, "invalid_key"),
        ({"X-API-Key": "reader"}, 403, "scope_missing"),
    ],
)
def test_nobody_gets_in_without_the_right_key(plane, headers, status, code):
    response = plane.call("POST", PREDICT, json={"inputs": "a"}, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert ("www-authenticate" in response.headers) == (status == 401)


def test_a_hasty_key_is_told_when_to_come_back(plane):
    headers = {"X-API-Key": "hasty"}
    responses = [
        plane.call("POST", PREDICT, json={"inputs": "a"}, headers=headers) for _ in range(3)
    ]
    assert [response.status_code for response in responses] == [200, 200, 429]
    assert 1 <= int(responses[-1].headers["retry-after"]) <= 60


def test_a_poison_text_fails_alone_and_shows_no_internals(plane):
    async def together():
        return await asyncio.gather(
            *(
                plane.acall("POST", PREDICT, json={"inputs": text})
                for text in ["good", "poison", "bad"]
            )
        )

    good, poisoned, bad = asyncio.run(together())
    assert (good.status_code, bad.status_code) == (200, 200)
    assert poisoned.status_code == 500
    assert poisoned.json()["error"]["code"] == "input_failed"
    assert "secret" not in poisoned.text


def test_a_poison_text_in_a_list_is_named(plane):
    error = plane.predict(["good", "poison"]).json()["error"]
    assert (error["code"], error["details"]["index"]) == ("input_failed", 1)


def test_a_full_queue_refuses_at_once_with_retry_after():
    gate = threading.Event()
    with a_plane(gate=gate, max_queue=2) as plane:

        async def flood():
            first = asyncio.create_task(plane.acall("POST", PREDICT, json={"inputs": "first"}))
            await asyncio.to_thread(plane.predictor.runtime.entered.wait, 5)
            rest = [
                asyncio.create_task(plane.acall("POST", PREDICT, json={"inputs": f"x{i}"}))
                for i in range(6)
            ]
            await asyncio.sleep(0.2)
            refused = [task.result() for task in rest if task.done()]
            gate.set()
            answered = await asyncio.gather(first, *[task for task in rest if task not in refused])
            return refused, answered

        refused, answered = asyncio.run(flood())
        assert {response.status_code for response in refused} == {429}
        assert all(int(response.headers["retry-after"]) >= 1 for response in refused)
        assert [r.status_code for r in answered].count(200) == 3


def test_a_deadline_that_passes_is_a_504():
    gate = threading.Event()
    with a_plane(gate=gate) as plane:

        async def late():
            call = Call(
                model="team/model",
                inputs=["slow"],
                parameters=NO_PARAMETERS,
                request_id="",
                dialect="native",
                key_id="",
                priority=Priority.INTERACTIVE,
                timeout_s=0.05,
            )
            with pytest.raises(DeadlineExceeded):
                await plane.service.predict(call)
            gate.set()

        asyncio.run(late())


def test_a_client_that_hangs_up_is_dropped_before_batching():
    gate = threading.Event()
    with a_plane(gate=gate) as plane:
        body = json.dumps({"inputs": "gone for good"}).encode()

        async def hang_up():
            busy = asyncio.create_task(plane.acall("POST", PREDICT, json={"inputs": "first"}))
            await asyncio.to_thread(plane.predictor.runtime.entered.wait, 5)
            messages = [{"type": "http.request", "body": body, "more_body": False}]
            left, sent = asyncio.Event(), []

            async def receive():
                if messages:
                    return messages.pop(0)
                await left.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                sent.append(message)

            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "POST",
                "path": PREDICT,
                "raw_path": PREDICT.encode(),
                "query_string": b"",
                "headers": [(b"x-api-key", b"good-key")],
                "state": {},
            }
            leaving = asyncio.create_task(plane.app(scope, receive, send))
            await asyncio.to_thread(wait_until, lambda: plane.engine.depth)
            left.set()
            await leaving
            gate.set()
            return await busy, sent

        busy, sent = asyncio.run(hang_up())
        assert busy.status_code == 200
        assert sent[0]["status"] == 499
        assert len(plane.predictor.runtime.batches) == 1
        assert [record.text for record in plane.recorder.records] == ["first"]
