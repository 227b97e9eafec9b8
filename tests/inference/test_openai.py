"""OpenAI's dialect: models, embeddings, and text that a scripted writer writes."""

import asyncio
import base64
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModel, AutoTokenizer

from inference.errors import InvalidRequest, RequestError
from inference.http.openai_embeddings import reduced
from inference.http.openai_input import Detokenize, read_items, texts_of
from inference.predictor import Predictor
from tests.inference.conftest import Plane, a_plane, behind_socket
from tests.inference.loaded import load
from tests.inference.tiny import save_tiny

EMBEDDER = "team/tiny"


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    view: Path = save_tiny(tmp_path_factory.mktemp("embedder"), auto=AutoModel)
    return load(view, "feature-extraction")


@pytest.fixture
def plane(embedder: Predictor) -> Iterator[Plane]:
    """A tiny real embedding model beside the classifier."""
    with a_plane(others=[embedder]) as plane:
        yield plane


def embed(plane: Plane, given_input: Any, **more: Any) -> httpx.Response:
    return plane.call(
        "POST", "/v1/embeddings", json={"model": EMBEDDER, "input": given_input, **more}
    )


def vectors(answer: httpx.Response) -> np.ndarray[Any, Any]:
    assert answer.status_code == 200, answer.text
    return np.array([each["embedding"] for each in answer.json()["data"]])


def test_texts_become_unit_vectors_with_usage(plane: Plane) -> None:
    answer = embed(plane, ["a fine film", "a dog"])
    body = answer.json()
    assert (body["object"], body["model"]) == ("list", EMBEDDER)
    assert [each["index"] for each in body["data"]] == [0, 1]
    assert np.linalg.norm(vectors(answer), axis=1) == pytest.approx([1, 1], abs=1e-5)
    n = sum(record.n_tokens for record in plane.recorder.records)
    assert body["usage"] == {"prompt_tokens": n, "total_tokens": n}
    assert {record.dialect for record in plane.recorder.records} == {"openai"}
    assert answer.headers["x-model-version"] == "1"


def test_base64_holds_the_same_float32(plane: Plane) -> None:
    plain = vectors(embed(plane, "a fine film"))[0]
    packed = embed(plane, "a fine film", encoding_format="base64").json()["data"][0]["embedding"]
    found = np.frombuffer(base64.b64decode(packed), "<f4")
    assert found == pytest.approx(plain, abs=1e-6)


def test_fewer_dimensions_are_the_first_ones_at_length_one(plane: Plane) -> None:
    full = vectors(embed(plane, "a fine film"))[0]
    short = vectors(embed(plane, "a fine film", dimensions=8))[0]
    assert short == pytest.approx(full[:8] / np.linalg.norm(full[:8]), abs=1e-5)
    refused = embed(plane, "a fine film", dimensions=len(full) + 1)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "dimensions")


def test_the_task_s_own_parameters_may_stand_beside(plane: Plane) -> None:
    answer = embed(plane, "a film", normalize=False, pooling="max", colour="red", truncate=True)
    assert np.linalg.norm(vectors(answer)) != pytest.approx(1, abs=1e-3)
    assert answer.headers["x-bellwether-warning"] == (
        "Ignored parameters; team/tiny does not use colour"
    )
    wrong = embed(plane, "a film", pooling="sum")
    assert wrong.status_code == 400


def test_a_text_over_the_model_s_limit_is_refused(plane: Plane) -> None:
    refused = embed(plane, "film " * 100)
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "text_too_long")
    assert embed(plane, "film " * 100, truncate=True).status_code == 200


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"input": []}, "empty"),
        ({"input": ""}, "no text"),
        ({"input": ["a", ""]}, "input[1]"),
        ({"input": [["a"]]}, "input"),
        ({"input": 7}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": ["a", 7]}, "one kind"),
        ({"input": [100257]}, "'input' holds 100257, which is none of this model's"),
        ({"input": [[5], [100257]]}, "'input[1]' holds 100257"),
        ({"input": [[5]] * 65}, "64 may come"),
        ({"input": [5] * 65}, "the model reads 64"),
        ({"input": [[]]}, "empty list"),
        ({"input": [-1]}, "input"),
        ({"input": ["a"] * 65}, "64 may come"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "user": "u" * 201}, "user"),
        ({"input": "a", "model": "team/model"}, "gives no embeddings"),
        ({}, "input"),
    ],
)
def test_what_is_wrong_is_a_400_in_openai_s_shape(
    plane: Plane, body: dict[str, Any], words: str
) -> None:
    answer = plane.call("POST", "/v1/embeddings", json={"model": EMBEDDER, **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"]) == (400, "invalid_request_error")
    assert set(error) == {"message", "type", "param", "code"}
    assert words in error["message"]


def ids_of(view: Path, text: str, *, framed: bool) -> list[int]:
    ids: list[int] = AutoTokenizer.from_pretrained(view)(text, add_special_tokens=framed).input_ids
    return ids


@pytest.mark.parametrize("framed", [False, True])
def test_token_ids_are_the_models_own(plane: Plane, embedder: Predictor, framed: bool) -> None:
    """With or without the special tokens around them, and as a text with an unknown word."""
    texts = ["a fine film", "a dog \N{DOG FACE}", "numbers 1, 2."][: 1 if framed else 3]
    ids = [ids_of(embedder.spec.view, text, framed=framed) for text in texts]
    assert vectors(embed(plane, ids)) == pytest.approx(vectors(embed(plane, texts)), abs=1e-5)
    assert vectors(embed(plane, ids[0])) == pytest.approx(vectors(embed(plane, texts[0])), abs=1e-5)


def test_token_ids_of_another_vocabulary_are_refused(plane: Plane, embedder: Predictor) -> None:
    """Also those that this vocabulary has: they would be another text's."""
    ids = ids_of(embedder.spec.view, "a fine film", framed=False)
    answer = embed(plane, [ids, ids[::-1][:1] + ids_of(embedder.spec.view, "##s", framed=False)])
    assert answer.status_code == 200
    foreign = AutoTokenizer.from_pretrained(embedder.spec.view).convert_tokens_to_ids(
        ["##s", "##e", "a"]
    )
    refused = embed(plane, [ids, foreign])
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "input[1]")
    assert "check_embedding_ctx_length=False" in refused.json()["error"]["message"]


def test_a_task_that_knows_no_tokens_wants_text() -> None:
    async def find() -> None:
        return None

    assert asyncio.run(texts_of(["a"], "input", find)) == ["a"]
    with pytest.raises(InvalidRequest, match="Send text"):
        asyncio.run(texts_of([[1]], "input", find))


@settings(max_examples=100, deadline=None)
@given(st.recursive(st.integers() | st.text(max_size=3) | st.none(), st.lists, max_leaves=6))
def test_any_input_is_texts_or_refused(value: Any) -> None:
    def detokenize(ids: Sequence[int], *, field: str) -> str:
        return f"{field} {len(ids)}"

    async def find() -> Detokenize:
        return detokenize

    raw = msgspec.Raw(msgspec.json.encode(value))
    try:
        items = read_items(raw, "input", max_items=4)
    except RequestError:
        return
    texts = asyncio.run(texts_of(items, "input", find))
    assert all(isinstance(text, str) for text in texts)


def test_a_vector_of_nothing_stays_nothing() -> None:
    assert reduced([0.0, 0.0], 1).tolist() == [0.0]
    with pytest.raises(InvalidRequest, match="gives 2"):
        reduced([0.0, 0.0], 3)


def test_models_are_listed_and_shown(plane: Plane) -> None:
    listed = plane.call("GET", "/v1/models").json()
    assert listed["object"] == "list"
    assert [each["id"] for each in listed["data"]] == ["team/model", EMBEDDER]
    for path in ("team/model", "team%2Fmodel"):
        one = plane.call("GET", f"/v1/models/{path}").json()
        assert one == {"id": "team/model", "object": "model", "created": 0, "owned_by": "team"}
    gone = plane.call("GET", "/v1/models/team/other")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "model_not_found")


@pytest.mark.parametrize(
    ("key", "status", "kind"),
    [("wrong", 401, "authentication_error"), ("reader", 403, "permission_error")],
)
def test_keys_are_refused_by_type(plane: Plane, key: str, status: int, kind: str) -> None:
    answer = plane.call("GET", "/v1/models", headers={"Authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, kind)


def test_a_hasty_caller_is_told_to_wait(plane: Plane) -> None:
    headers = {"Authorization": "Bearer hasty"}
    answers = [plane.call("GET", "/v1/models", headers=headers) for _ in range(3)]
    assert answers[-1].status_code == 429
    assert answers[-1].json()["error"]["type"] == "rate_limit_error"
    assert int(answers[-1].headers["retry-after"]) >= 1


def chat(plane: Plane, text: str, **more: Any) -> httpx.Response:
    messages = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": text}]
    body = {"model": "team/writer", "messages": messages, **more}
    return plane.call("POST", "/v1/chat/completions", json=body)


def events(answer: httpx.Response) -> list[Any]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    lines = answer.text.split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    return [json.loads(line.removeprefix("data: ")) for line in lines[:-2]]


def test_a_chat_is_answered_at_once(plane: Plane) -> None:
    answer = chat(plane, "say something", n=2, max_tokens=9, max_completion_tokens=5, stop="x")
    body = answer.json()
    assert body["id"] == f"chatcmpl-{answer.headers['x-request-id']}"
    assert (body["object"], body["created"]) == ("chat.completion", 1_700_000_000)
    first, second = body["choices"]
    assert first["message"] == {"role": "assistant", "content": "Good day"}
    assert (first["finish_reason"], second["finish_reason"]) == ("stop", "length")
    assert body["usage"] == {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5}
    (order,) = plane.writer.orders
    assert [turn.role for turn in order.turns] == ["system", "user"]
    assert (order.n, order.max_tokens, order.stop) == (2, 5, ("x",))
    assert answer.headers["x-model-version"] == "1"


def test_a_chat_streams_role_pieces_reason_and_usage(plane: Plane) -> None:
    answer = chat(plane, "hello", stream=True, stream_options={"include_usage": True})
    found = events(answer)
    deltas = [each["choices"][0]["delta"] for each in found if each["choices"]]
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"content": "Good"},
        {"content": " day"},
        {},
    ]
    assert found[-2]["choices"][0]["finish_reason"] == "stop"
    assert found[-1]["choices"] == []
    assert found[-1]["usage"]["total_tokens"] == 3
    assert len({each["id"] for each in found}) == 1
    assert (plane.writer.n_ended, answer.headers["x-model-version"]) == (1, "1")


def test_a_text_is_gone_on_with(plane: Plane) -> None:
    body = {"model": "team/writer", "prompt": ["once upon"]}
    whole = plane.call("POST", "/v1/completions", json=body).json()
    assert whole["object"] == "text_completion"
    assert whole["choices"][0]["text"] == "Good day"
    streamed = plane.call("POST", "/v1/completions", json={**body, "stream": True})
    assert "".join(each["choices"][0]["text"] for each in events(streamed)) == "Good day"


def test_what_the_writer_refuses_is_an_error_like_any_other(plane: Plane) -> None:
    for stream in (False, True):
        answer = chat(plane, "busy", stream=stream)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "3")
        assert answer.json()["error"]["code"] == "queue_full"
    assert chat(plane, "poison").status_code == 500
    assert plane.writer.n_ended == 1


@pytest.mark.parametrize(("text", "code"), [("poison", "input_failed"), ("bug", "internal_error")])
def test_what_fails_later_is_said_in_band(plane: Plane, text: str, code: str) -> None:
    answer = chat(plane, text, stream=True)
    assert answer.status_code == 200
    last = events(answer)[-1]
    assert last["error"]["code"] == code
    assert "secret" not in answer.text
    assert plane.writer.n_ended == 1


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": [{"role": "cat", "content": "x"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "text": "x"}]}]},
        {"messages": [{"role": "user", "content": " "}]},
        {"messages": [{"role": "user", "content": "x"}], "temperature": 3},
        {"messages": [{"role": "user", "content": "x"}], "n": 17},
        {"messages": [{"role": "user", "content": "x"}], "stop": ["a"] * 5},
        {"messages": [{"role": "user", "content": "x" * 100_001}]},
    ],
)
def test_a_chat_that_is_none_is_a_400(plane: Plane, body: dict[str, Any]) -> None:
    answer = plane.call("POST", "/v1/chat/completions", json={"model": "team/writer", **body})
    assert answer.status_code == 400
    assert plane.writer.orders == []


def test_what_a_chat_does_not_use_is_said(plane: Plane) -> None:
    answer = chat(plane, "hello", logit_bias={}, tools=[])
    assert answer.headers["x-bellwether-warning"].endswith("does not use logit_bias, tools")


def test_a_client_that_closes_its_socket_ends_the_writing(plane: Plane) -> None:
    messages = [{"role": "user", "content": "endless"}]
    body = {"model": "m/m", "messages": messages, "stream": True}
    headers = {"Authorization": "Bearer good-key"}
    with behind_socket(plane) as url, httpx.Client(base_url=url, headers=headers) as client:
        with client.stream("POST", "/v1/chat/completions", json=body) as answer:
            assert next(answer.iter_lines()).startswith("data: {")
        assert plane.writer.ended.wait(5)


def test_a_caller_who_hangs_up_ends_the_writing(plane: Plane) -> None:
    """Asked by hand: the client reads a few events and goes."""
    messages = [{"role": "user", "content": "endless"}]
    body = json.dumps({"model": "m/m", "messages": messages, "stream": True}).encode()
    sent: list[Any] = []

    async def run() -> None:
        gone = asyncio.Event()
        requests = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> Any:
            for request in requests:
                return request
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if len(sent) == 5:
                gone.set()

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/chat/completions",
            "headers": [(b"authorization", b"Bearer good-key")],
            "query_string": b"",
        }
        await asyncio.wait_for(plane.app(scope, receive, send), 5)

    asyncio.run(run())
    assert plane.writer.n_ended == 1
    assert sent[0]["status"] == 200
    assert not any(message.get("more_body") is False for message in sent[1:])
