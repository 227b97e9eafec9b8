"""The Open Inference Protocol: models asked with tensors, pins in the path, what was counted."""

import asyncio
import threading
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest

from access.keyring import KeyFacts
from access.scopes import Scope
from inference.engine.limits import Priority
from inference.http import oip_options
from inference.http.oip_messages import InferRequest
from inference.http.oip_models import describe_inputs, describe_outputs
from inference.http.oip_tensors import pack, unpack
from inference.serving import NOTHING_LOADED, LiveRoute, ServedModel, Table
from inference.tasks.kinds import KINDS
from tests.inference.conftest import Plane, a_plane
from tests.inference.doubles import a_predictor, a_spec

MODEL = "/v2/models/team/model"
LOADED = "/v2/repository/models/team/model/load"


def texts(*values: str, name: str = "text") -> dict[str, Any]:
    return {"name": name, "shape": [len(values)], "datatype": "BYTES", "data": list(values)}


def infer(plane: Plane, *inputs: Any, path: str = MODEL, key: str = "", **more: Any) -> Any:
    headers = {"Authorization": f"Bearer {key or 'good-key'}"}
    body = {"inputs": list(inputs), **more}
    return plane.call("POST", f"{path}/infer", json=body, headers=headers)


def outputs(answer: httpx.Response) -> dict[str, list[Any]]:
    assert answer.status_code == 200, answer.text
    return {each["name"]: each["data"] for each in answer.json()["outputs"]}


def test_texts_get_labels_scores_and_ids(plane: Plane) -> None:
    answer = infer(plane, texts("good", "bad"), id="mine")
    body = answer.json()
    assert (body["model_name"], body["model_version"], body["id"]) == ("team/model", "1", "mine")
    found = outputs(answer)
    assert found["label"] == ["POSITIVE", "NEGATIVE"]
    assert found["score"] == pytest.approx([0.731, 0.731], abs=1e-3)
    assert found["abstained"] == [False, False]
    assert found["prediction_id"] == [str(record.id) for record in plane.recorder.records]
    assert {record.dialect for record in plane.recorder.records} == {"oip"}
    assert answer.headers["x-model-version"] == "1"
    assert answer.headers["x-model-digest"] == plane.predictor.spec.digest


@pytest.mark.parametrize("parameters", [{"top_k": -1}, {"top_k": None}])
def test_all_scores_come_in_logit_order(plane: Plane, parameters: dict[str, Any]) -> None:
    answer = infer(plane, texts("good", "bad"), parameters=parameters)
    scores = np.reshape(outputs(answer)["scores"], (2, 2))
    assert scores[0][1] > scores[0][0]
    assert scores[1][0] > scores[1][1]


def test_who_asks_for_the_scores_gets_them(plane: Plane) -> None:
    asked = [{"name": "scores"}, {"name": "label"}]
    assert list(outputs(infer(plane, texts("good"), outputs=asked))) == ["scores", "label"]
    refused = infer(plane, texts("good"), outputs=asked, parameters={"top_k": 1})
    assert (refused.status_code, refused.json()["details"]["field"]) == (400, "parameters.top_k")


def test_one_tensor_may_have_any_name_and_two_are_pairs(plane: Plane) -> None:
    assert outputs(infer(plane, texts("good", name="TEXT")))["label"] == ["POSITIVE"]
    pair = (texts("good", "x"), texts("a", "b", name="text_pair"))
    assert len(outputs(infer(plane, *pair))["label"]) == 2
    plain = {"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": [["good"], ["bad"]]}
    assert outputs(infer(plane, plain))["label"] == ["POSITIVE", "NEGATIVE"]


@pytest.mark.parametrize(
    ("inputs", "more", "words"),
    [
        ([texts("a"), texts("b", name="other")], {}, "text, or text and text_pair"),
        ([texts("a", "b"), texts("c", name="text_pair")], {}, "equally long"),
        ([{**texts("a", "b"), "shape": [1, 2]}], {}, "[n] or [n, 1]"),
        ([texts()], {}, "empty"),
        ([texts(" ")], {}, "holds no text"),
        ([texts(*("a" for _ in range(65)))], {}, "64 may come at once"),
        ([texts("a")], {"outputs": [{"name": "logits"}]}, "no output 'logits'"),
        ([texts("a")], {"outputs": [{"name": "label"}, {"name": "label"}]}, "twice"),
        (
            [texts("a")],
            {"outputs": [{"name": "label", "parameters": {"classification": 2}}]},
            "'classification'",
        ),
        ([texts("a")], {"parameters": {"top_k": 0}}, "top_k"),
        ([texts("a")], {"parameters": {"timeout": -1}}, "timeout"),
        ([texts("a")], {"parameters": {"priority": "high"}}, "priority"),
        ([texts("a")], {"parameters": {"binary_data_output": 1}}, "binary_data_output"),
        ([texts("a")], {"id": "x" * 201}, "id"),
    ],
)
def test_what_is_wrong_is_a_400_with_a_sentence(
    plane: Plane, inputs: list[Any], more: dict[str, Any], words: str
) -> None:
    answer = infer(plane, *inputs, **more)
    assert answer.status_code == 400
    assert words in answer.json()["error"]
    assert set(answer.json()) <= {"error", "error_code", "details"}


def test_what_nobody_knows_is_ignored_and_said(plane: Plane) -> None:
    parameters = {"temperature": 1, "sequence_id": 7, "sequence_start": True, "sequence_end": True}
    answer = infer(plane, texts("good"), parameters=parameters)
    assert answer.headers["x-bellwether-warning"] == (
        "Ignored parameters; text-classification does not use parameters.temperature"
    )


def test_bytes_go_in_and_come_out(plane: Plane) -> None:
    blob = pack(["good", "bad"])
    head = (
        b'{"inputs":[{"name":"text","shape":[2],"datatype":"BYTES",'
        b'"parameters":{"binary_data_size":%d}}],"parameters":{"binary_data_output":true},'
        b'"outputs":[{"name":"label"},{"name":"score","parameters":{"binary_data":false}}]}'
    ) % len(blob)
    headers = {
        "Authorization": "Bearer good-key",
        "Inference-Header-Content-Length": str(len(head)),
    }
    answer = plane.call("POST", f"{MODEL}/infer", content=head + blob, headers=headers)
    assert answer.headers["content-type"] == "application/octet-stream"
    size = int(answer.headers["inference-header-content-length"])
    assert unpack(answer.content[size:], 2, "x") == ["POSITIVE", "NEGATIVE"]
    cut = plane.call("POST", f"{MODEL}/infer", content=head + blob[:-1], headers=headers)
    assert cut.status_code == 400


def test_priority_and_timeout_are_honoured() -> None:
    def read(**parameters: bytes) -> oip_options.Options:
        raw = {name: msgspec.Raw(value) for name, value in parameters.items()}
        request = InferRequest(inputs=[], parameters=raw)
        return oip_options.read_options(request, KINDS["text-classification"])

    assert [read(priority=p).priority for p in (b"0", b"1", b"2", b"9")] == [
        Priority.INTERACTIVE,
        Priority.INTERACTIVE,
        Priority.JOB,
        Priority.JOB,
    ]
    assert read(timeout=b"2500").timeout_s == pytest.approx(0.0025)
    assert read(timeout=b"0").timeout_s is None


def test_a_timeout_ends_the_wait() -> None:
    gate = threading.Event()
    with a_plane(gate=gate) as plane:
        try:
            answer = infer(plane, texts("good"), parameters={"timeout": 20_000})
        finally:
            gate.set()
    assert (answer.status_code, answer.json()["error_code"]) == (504, "deadline_exceeded")


@pytest.fixture
def canary(plane: Plane) -> Plane:
    """Versions 1 and 2 are live, 3 is only in memory."""
    first, second, third = (a_predictor(a_spec(number)) for number in (1, 2, 3))
    served = ServedModel(live=(LiveRoute(first, 90), LiveRoute(second, 10)), standby=(third,))
    plane.serving.table = Table(9, {"team/model": served})
    plane.keys["asker"] = KeyFacts(id="asker", name="asker", scopes=frozenset({Scope.PREDICT}))
    return plane


def test_a_version_in_the_path_is_a_pin(canary: Plane) -> None:
    for number in (1, 2, 3):
        answer = infer(canary, texts("good"), path=f"{MODEL}/versions/{number}")
        assert answer.json()["model_version"] == str(number)
        refused = infer(canary, texts("good"), path=f"{MODEL}/versions/{number}", key="asker")
        assert (refused.status_code, refused.json()["error_code"]) == (403, "scope_missing")
    gone = infer(canary, texts("good"), path=f"{MODEL}/versions/4")
    assert (gone.status_code, gone.json()["error_code"]) == (409, "version_not_loaded")
    for version in ("0", "x", "-1", "01", "9" * 30):
        assert infer(canary, texts("good"), path=f"{MODEL}/versions/{version}").status_code == 400


def test_the_only_live_version_s_number_needs_no_scope_and_is_no_pin(plane: Plane) -> None:
    plane.keys["asker"] = KeyFacts(id="asker", name="asker", scopes=frozenset({Scope.PREDICT}))
    plane.app = plane._build()
    answer = infer(plane, texts("good"), path=f"{MODEL}/versions/1", key="asker")
    assert answer.json()["model_version"] == "1"
    assert [record.route for record in plane.recorder.records] == ["live"]
    other = infer(plane, texts("good"), path=f"{MODEL}/versions/2", key="asker")
    assert other.status_code == 403


def test_two_pins_are_refused(plane: Plane) -> None:
    headers = {"Authorization": "Bearer good-key", "X-Model-Pin": "2"}
    body = {"inputs": [texts("good")]}
    path = f"{MODEL}/versions/1/infer"
    assert plane.call("POST", path, json=body, headers=headers).status_code == 400


def test_the_server_says_what_it_is_without_a_key(plane: Plane) -> None:
    for path in ("/v2", "/v2/health/live", "/v2/health/ready"):
        assert plane.call("GET", path, headers={}).status_code == 200
    assert plane.call("GET", "/v2/models", headers={}).status_code == 401
    assert "binary_tensor_data" in plane.call("GET", "/v2").json()["extensions"]


def test_a_model_says_its_tensors_and_versions(canary: Plane) -> None:
    info = canary.call("GET", MODEL).json()
    assert info["versions"] == ["1", "2", "3"]
    assert [each["name"] for each in info["inputs"]] == ["text", "text_pair"]
    assert {"name": "scores", "datatype": "FP32", "shape": [-1, 2]} in info["outputs"]
    one = canary.call("GET", f"{MODEL}/versions/2").json()
    assert one["versions"] == ["2"]
    config = canary.call("GET", f"{MODEL}/config").json()
    assert [each.get("optional", False) for each in config["input"]] == [False, True]
    assert config["output"][1]["data_type"] == "TYPE_FP32"
    assert canary.call("GET", f"{MODEL}/versions/9/ready").status_code == 409
    assert canary.call("GET", f"{MODEL}/ready").json() == {"name": "team/model", "ready": True}
    assert canary.call("GET", "/v2/models").json() == {"models": ["team/model"]}


@pytest.mark.parametrize("task", KINDS)
def test_every_task_has_tensors(task: str) -> None:
    kind = KINDS[task]
    assert describe_inputs(kind)[0][0].datatype == "BYTES"
    assert describe_outputs(kind, ("a", "b"))[-1].name == "prediction_id"


def test_what_was_done_is_counted(plane: Plane) -> None:
    infer(plane, texts("good", "bad"))
    infer(plane, texts("poison"))
    plane.predict("good")
    (found,) = plane.call("GET", f"{MODEL}/stats").json()["model_stats"]
    assert (found["name"], found["version"]) == ("team/model", "1")
    assert (found["inference_count"], found["execution_count"]) == (3, 2)
    stages = found["inference_stats"]
    assert (stages["success"]["count"], stages["fail"]["count"]) == (2, 1)
    assert stages["success"]["ns"] >= stages["compute_infer"]["ns"] > 0
    assert found["last_inference"] > 1_600_000_000_000
    assert plane.call("GET", "/v2/models/stats").json()["model_stats"] == [found]
    (one,) = plane.call("GET", f"{MODEL}/versions/1/stats").json()["model_stats"]
    assert one == found


def test_the_index_lists_what_is_loaded(plane: Plane) -> None:
    entry = {"name": "team/model", "version": "1", "state": "READY"}
    for body in (b"", b"{}", b'{"ready": true}'):
        assert plane.call("POST", "/v2/repository/index", content=body).json() == [entry]


def test_load_answers_for_what_is_loaded(plane: Plane) -> None:
    assert plane.call("POST", LOADED, json={}).status_code == 200
    assert plane.call("POST", LOADED, content=b"").status_code == 200
    asked = {"parameters": {"file:1/model.pt": "AAAA"}}
    assert plane.call("POST", LOADED, json=asked).status_code == 400
    unknown = plane.call("POST", LOADED.replace("model/load", "other/load"), json={})
    assert (unknown.status_code, unknown.json()["error_code"]) == (404, "model_not_found")


def test_load_waits_for_what_is_loading(plane: Plane) -> None:
    before = plane.serving.table
    plane.serving.table = Table(before.generation, {"team/model": NOTHING_LOADED})

    async def run() -> httpx.Response:
        asking = asyncio.create_task(plane.acall("POST", LOADED, json={}))
        ready = await plane.acall("GET", f"{MODEL}/ready")
        assert (ready.status_code, asking.done()) == (503, False)
        plane.serving.table = before
        return await asking

    assert asyncio.run(run()).status_code == 200


def test_a_pinned_model_is_not_unloaded(plane: Plane) -> None:
    plane.registry.pin("team/model")
    plane.reconciler.reconcile()
    path = LOADED.replace("/load", "/unload")
    answer = plane.call("POST", path, json={"parameters": {"unload_dependents": False}})
    assert (answer.status_code, answer.json()["error_code"]) == (403, "not_supported")
    assert "manage.py pin --off team/model" in answer.json()["error"]


@pytest.mark.parametrize(
    ("path", "key", "status"), [("team/other", "good-key", 404), ("team/model", "reader", 403)]
)
def test_errors_have_the_dialect_s_shape(plane: Plane, path: str, key: str, status: int) -> None:
    answer = infer(plane, texts("a"), path=f"/v2/models/{path}", key=key)
    assert answer.status_code == status
    assert isinstance(answer.json()["error"], str)
    assert answer.headers["x-request-id"]
