"""One rule in every dialect and for every task: what nobody knows is ignored and said (or refused,
natively), what is known and wrong is refused, each in the dialect's own shape.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conformance.matrix import NAMES
from tests.conformance.models import make_models
from tests.inference.conftest import Plane, a_plane


@dataclass(frozen=True)
class Case:
    """What a model of one task is asked: its input, what it needs, and a parameter that is wrong.

    `tensors` are the input for the Open Inference Protocol, where it is more than a text.
    """

    inputs: Any
    wrong: tuple[str, Any]
    needs: dict[str, Any] | None = None
    tensors: dict[str, list[str]] | None = None


QUESTION = {"question": "Who?", "context": "Ada Lovelace met Charles Babbage."}
COMPARED = {"source_sentence": "a dog", "sentences": ["a film", "a dog"]}
CASES = {
    "model": Case("good", ("top_k", "x")),
    "embedder": Case("a dog", ("normalize", "x")),
    "similar": Case(
        COMPARED,
        ("pooling", "sum"),
        tensors={"source_sentence": ["a dog"], "sentences": ["a film", "a dog"]},
    ),
    "ranker": Case("a dog", ("multi_label", 7), needs={"candidate_labels": ["a film"]}),
    "filler": Case("a [MASK] dog", ("top_k", 0)),
    "tagger": Case("Ada in London.", ("aggregation_strategy", "all")),
    "reader": Case(
        QUESTION,
        ("top_k", 0),
        tensors={name: [text] for name, text in QUESTION.items()},
    ),
    "writer": Case("A model", ("temperature", "hot"), needs={"max_new_tokens": 2}),
    "rewriter": Case("A model", ("num_beams", 0), needs={"max_new_tokens": 2}),
    "summarizer": Case("A model", ("seed", "x"), needs={"max_new_tokens": 2}),
    "translator": Case("A model", ("stop", 7), needs={"max_new_tokens": 2}),
}
WRITERS = ("writer", "rewriter", "summarizer", "translator")
WARNED = [
    *(("huggingface", role) for role in CASES),
    *(("huggingface-stream", role) for role in ("writer", "rewriter")),
    *(("oip", role) for role in CASES),
    *(("oip-generate", role) for role in WRITERS),
    *(("oip-generate-stream", role) for role in WRITERS),
    ("openai-embeddings", "embedder"),
    ("openai-embeddings", "similar"),
]
SAMPLED = ["openai-chat", "openai-completions", "openai-chat-stream", "openai-completions-stream"]


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plane]:
    models = make_models(tmp_path_factory.mktemp("models"), NAMES)
    with a_plane(others=models) as plane:
        yield plane


def ask(plane: Plane, dialect: str, role: str, parameters: dict[str, Any]) -> httpx.Response:
    """One request to the model of `role`, with what its task needs and `parameters`."""
    case, model = CASES[role], NAMES.get(role, "team/model")
    given = {**(case.needs or {}), **parameters}
    path, body = f"/models/{model}", {"inputs": case.inputs, "parameters": given}
    if dialect == "native":
        path = f"/api/v1/models/{model}/predict"
    elif dialect == "huggingface-stream":
        body["stream"] = True
    elif dialect == "oip":
        tensors = case.tensors or {"text": [case.inputs]}
        inputs = [
            {
                "name": name,
                "shape": [1, len(values)] if name == "sentences" else [len(values)],
                "datatype": "BYTES",
                "data": values,
            }
            for name, values in tensors.items()
        ]
        path, body = f"/v2/models/{model}/infer", {"inputs": inputs, "parameters": given}
    elif dialect.startswith("oip-generate"):
        path = f"/v2/models/{model}/{dialect.removeprefix('oip-').replace('-', '_')}"
        body = {"text_input": case.inputs, "parameters": given}
    elif dialect == "openai-embeddings":
        path, body = "/v1/embeddings", {"model": model, "input": "a dog", **given}
    elif dialect.startswith("openai-chat"):
        messages = [{"role": "user", "content": "A model"}]
        path, body = "/v1/chat/completions", {"model": model, "messages": messages, **parameters}
    elif dialect.startswith("openai-completions"):
        path, body = "/v1/completions", {"model": model, "prompt": "A model", **parameters}
    if dialect.startswith("openai-c"):
        body |= {"max_tokens": 2, "stream": dialect.endswith("-stream")}
    return plane.call("POST", path, json=body)


def read_error(dialect: str, answer: httpx.Response) -> tuple[str, str, str | None]:
    """Code, message and field of an error, which must have the dialect's own shape."""
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    if dialect == "native":
        assert set(body) == {"error"}
        error = body["error"]
        assert set(error) == {"code", "message", "details"}
        return error["code"], error["message"], error["details"].get("field")
    if dialect.startswith("openai"):
        error = body["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert error["type"] == "invalid_request_error"
        return error["code"], error["message"], error["param"]
    assert set(body) == {"error", "error_code", "details"}
    return body["error_code"], body["error"], body["details"].get("field")


@pytest.mark.parametrize(("dialect", "role"), WARNED)
def test_what_nobody_knows_is_ignored_and_said(plane: Plane, dialect: str, role: str) -> None:
    answer = ask(plane, dialect, role, {"colour": "red"})
    assert answer.status_code == 200, answer.text
    said = answer.headers["x-bellwether-warning"]
    assert said.startswith("Ignored parameters; ")
    assert said.endswith("colour")
    is_hub = dialect.startswith("huggingface")
    assert answer.headers.get("x-hf-warning") == (said if is_hub else None)
    plain = ask(plane, dialect, role, {})
    assert "x-bellwether-warning" not in plain.headers


@pytest.mark.parametrize("dialect", SAMPLED)
def test_what_a_writer_does_not_know_is_ignored_and_said(plane: Plane, dialect: str) -> None:
    answer = ask(plane, dialect, "writer", {"logit_bias": {}, "colour": "red"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-bellwether-warning"].endswith("does not use colour, logit_bias")


@pytest.mark.parametrize("role", CASES)
def test_natively_what_nobody_knows_is_refused(plane: Plane, role: str) -> None:
    answer = ask(plane, "native", role, {"colour": "red"})
    code, message, field = read_error("native", answer)
    assert (answer.status_code, code, field) == (422, "unknown_parameter", "parameters.colour")
    assert "colour" in message


@pytest.mark.parametrize(("dialect", "role"), [*WARNED, *(("native", role) for role in CASES)])
def test_what_is_wrong_is_refused_in_the_dialects_shape(
    plane: Plane, dialect: str, role: str
) -> None:
    name, value = CASES[role].wrong
    answer = ask(plane, dialect, role, {name: value})
    code, message, field = read_error(dialect, answer)
    has_422 = dialect.startswith(("native", "huggingface"))
    assert (answer.status_code, code) == (422 if has_422 else 400, "invalid_request"), message
    assert field is not None
    assert field.split(".")[-1] == name
    assert name in message


@pytest.mark.parametrize("dialect", SAMPLED)
@pytest.mark.parametrize(
    ("name", "value"),
    [("temperature", "hot"), ("top_p", 7), ("n", 0), ("stop", [""]), ("seed", "x")],
)
def test_what_is_wrong_with_a_chat_or_a_text_is_refused(
    plane: Plane, dialect: str, name: str, value: Any
) -> None:
    answer = ask(plane, dialect, "writer", {name: value})
    code, message, field = read_error(dialect, answer)
    assert (answer.status_code, code) == (400, "invalid_request")
    assert field is not None
    assert field.split("[")[0] == name
    assert name in message


@pytest.mark.parametrize(
    ("path", "more", "status"),
    [
        ("/sentiment", {"text": "a"}, 422),
        ("/batch-sentiment", {"texts": ["a"]}, 422),
        ("/analyze", {"text": "a"}, 422),
    ],
)
def test_the_classic_dialect_refuses_what_it_does_not_know(
    plane: Plane, path: str, more: dict[str, Any], status: int
) -> None:
    answer = plane.call("POST", path, json={**more, "colour": "red"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, "unknown_parameter")
    assert "colour" in answer.json()["detail"]
