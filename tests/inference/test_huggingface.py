"""The Hugging Face inference dialect, as `huggingface_hub` speaks it."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from inference.serving import NOTHING_LOADED, Table
from tests.inference.conftest import Plane, behind_socket

PATH = "/models/team/model"


@pytest.fixture
def url(plane: Plane) -> Iterator[str]:
    with behind_socket(plane) as url:
        yield url


def client(url: str, key: str = "good-key", path: str = PATH) -> InferenceClient:
    return InferenceClient(model=url + path, token=key, timeout=5)


def test_the_client_gets_every_label_best_first(url: str, plane: Plane) -> None:
    found = client(url).text_classification("a good film")
    assert [each.label for each in found] == ["POSITIVE", "NEGATIVE"]
    assert found[0].score > found[1].score
    assert found[0].score + found[1].score == pytest.approx(1)
    (record,) = plane.recorder.records
    assert (record.dialect, record.label) == ("huggingface", "POSITIVE")


def test_the_client_s_parameters_work(url: str) -> None:
    (best,) = client(url).text_classification("a good film", top_k=1)
    assert best.label == "POSITIVE"
    sigmoid = client(url).text_classification("a film", top_k=2, function_to_apply="sigmoid")
    assert len(sigmoid) == 2


def test_the_client_may_name_the_task(url: str) -> None:
    for task in ("text-classification", "sentiment-analysis"):
        named = client(url, path=f"{PATH}/pipeline/{task}")
        assert named.text_classification("good")[0].label == "POSITIVE"


def test_the_client_checks_health_and_reads_what_serves(url: str) -> None:
    asked = InferenceClient(provider="hf-inference", token="good-key")
    assert asked.health_check(model=url + PATH)
    info = asked.get_endpoint_info(model=url + PATH)
    assert (info["model_id"], info["pipeline_tag"]) == ("team/model", "text-classification")


@pytest.mark.parametrize(
    ("path", "key", "text", "status", "words"),
    [
        (PATH, "wrong", "x", 401, "key"),
        (PATH, "reader", "x", 403, "predict"),
        ("/models/team/other", "good-key", "x", 404, "team/other"),
        (PATH, "good-key", " ", 422, "holds no text"),
        (PATH, "good-key", "poison", 500, "Change the input"),
        (f"{PATH}/pipeline/fill-mask", "good-key", "x", 422, "fill-mask"),
    ],
)
def test_the_client_raises_with_our_sentence(
    url: str, path: str, key: str, text: str, status: int, words: str
) -> None:
    with pytest.raises(HfHubHTTPError) as failed:
        client(url, key, path).text_classification(text)
    assert failed.value.response.status_code == status
    assert words in str(failed.value)
    assert isinstance(failed.value.response.json()["error"], str)


def test_one_text_and_a_list_have_one_shape(plane: Plane) -> None:
    one = plane.call("POST", PATH, json={"inputs": "good"}).json()
    several = plane.call("POST", PATH, json={"inputs": ["good", "bad"]}).json()
    assert several[0] == one[0]
    assert [len(row) for row in several] == [2, 2]
    pair = {"text": "good", "text_pair": "bad"}
    assert len(plane.call("POST", PATH, json={"inputs": [pair, "x"]}).json()) == 2


def test_answers_name_their_version(plane: Plane) -> None:
    answer = plane.call("POST", PATH, json={"inputs": "good"})
    assert answer.headers["x-model-version"] == "1"
    assert answer.headers["x-model-digest"] == plane.predictor.spec.digest
    assert "x-hf-warning" not in answer.headers


def test_what_is_not_known_is_ignored_and_said(plane: Plane) -> None:
    body = {
        "inputs": "good",
        "parameters": {"top_k": 1, "temperature": 0.5, "ü\r\n": 1},
        "options": {"use_cache": False, "colour": "red"},
        "model": "whatever",
    }
    answer = plane.call("POST", PATH, json=body)
    assert answer.status_code == 200
    assert answer.headers["x-hf-warning"] == (
        "Ignored parameters; text-classification does not use "
        "options.colour, parameters.temperature, parameters.???"
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b"{}", 422, "invalid_request"),
        (b'{"inputs": []}', 422, "invalid_request"),
        (b'{"inputs": 7}', 422, "invalid_request"),
        (b'{"inputs": [["a", "b"]]}', 422, "invalid_request"),
        (b'{"inputs": "a", "parameters": []}', 422, "invalid_request"),
        (b'{"inputs": "a", "parameters": {"top_k": 0}}', 422, "invalid_request"),
        (b'{"inputs": "a", "parameters": {"top_k": "x"}}', 422, "invalid_request"),
        (b'{"inputs": "a", "parameters": {"function_to_apply": "x"}}', 422, "invalid_request"),
        (b'{"inputs": {"text": "a"}}', 422, "invalid_request"),
        (b'{"inputs": "a\\u0000"}', 422, "invalid_text"),
    ],
)
def test_a_refused_request_has_the_dialect_s_shape(
    plane: Plane, body: bytes, status: int, code: str
) -> None:
    answer = plane.call("POST", PATH, content=body)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert isinstance(answer.json()["error"], str)
    assert set(answer.json()) <= {"error", "error_code", "details"}


def unload(plane: Plane) -> Table:
    """Let the model be known and not loaded; returns what was served."""
    before = plane.serving.table
    plane.serving.table = Table(before.generation, {"team/model": NOTHING_LOADED})
    return before


def test_a_model_that_is_not_loaded_is_loading(plane: Plane) -> None:
    unload(plane)
    answer = plane.call("POST", PATH, json={"inputs": "x"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["error"].startswith("Model team/model is currently loading")
    assert answer.json()["estimated_time"] == 1
    assert plane.call("GET", f"{PATH}/health").status_code == 503


@pytest.mark.parametrize(
    ("options", "headers"),
    [({"wait_for_model": True}, {}), ({}, {"x-wait-for-model": "true"})],
)
def test_a_caller_may_wait_for_the_model(
    plane: Plane, options: dict[str, Any], headers: dict[str, str]
) -> None:
    before = unload(plane)

    async def run() -> Any:
        headers["Authorization"] = "Bearer good-key"
        body = {"inputs": "good", "options": options}
        asking = asyncio.create_task(plane.acall("POST", PATH, json=body, headers=headers))
        await asyncio.sleep(0.3)
        assert not asking.done()
        plane.serving.table = before
        return await asking

    started = time.monotonic()
    assert asyncio.run(run()).status_code == 200
    assert time.monotonic() - started < 3
