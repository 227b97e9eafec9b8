"""How a text came to be, token by token: natively, and as Hugging Face's client reads it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import InferenceClient
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from inference.predictor import Predictor
from tests.inference.conftest import Plane, a_plane, behind_socket
from tests.inference.loaded import load
from tests.inference.tiny_generators import save_generator

PATH = "/models/team/tiny"
FAMILIES = {"text-generation": "gpt2", "text2text-generation": "t5"}
GREEDY: dict[str, Any] = {"max_new_tokens": 12, "do_sample": False}


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {
        task: save_generator(tmp_path_factory.mktemp(task), family)
        for task, family in FAMILIES.items()
    }
    beams = {"generation": {"num_beams": 3}}
    return made | {"beams": save_generator(tmp_path_factory.mktemp("beams"), "t5", **beams)}


@pytest.fixture(scope="module")
def predictors(views: dict[str, Path]) -> dict[str, Predictor]:
    tasks = {"beams": "text2text-generation"}
    return {name: load(view, tasks.get(name, name)) for name, view in views.items()}


@pytest.fixture
def plane(request: pytest.FixtureRequest, predictors: dict[str, Predictor]) -> Iterator[Plane]:
    with a_plane(predictor=predictors[request.param]) as plane:
        yield plane


@pytest.fixture
def client(plane: Plane) -> Iterator[InferenceClient]:
    with behind_socket(plane) as url:
        yield InferenceClient(model=f"{url}{PATH}", token="good-key", timeout=20)


def serving(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("plane", names, indirect=True)


def theirs(view: Path, task: str, text: str, ids: list[int]) -> list[float]:
    """The log-probabilities that transformers' model gives the tokens `ids` after `text`."""
    inputs = AutoTokenizer.from_pretrained(view)(text, return_tensors="pt")
    if task == "text-generation":
        model = AutoModelForCausalLM.from_pretrained(view)
        n_before = inputs["input_ids"].shape[1]
        whole = torch.cat([inputs["input_ids"], torch.tensor([ids])], dim=1)
        with torch.no_grad():
            logits = model(whole).logits[0, n_before - 1 : -1]
    else:
        model = AutoModelForSeq2SeqLM.from_pretrained(view)
        start = model.config.decoder_start_token_id
        decoder = torch.tensor([[start, *ids[:-1]]])
        with torch.no_grad():
            logits = model(**inputs, decoder_input_ids=decoder).logits[0]
    found: list[float] = logits.float().log_softmax(-1)[range(len(ids)), ids].tolist()
    return found


@serving(*FAMILIES)
@pytest.mark.parametrize(
    "options", [GREEDY, {"max_new_tokens": 12, "do_sample": True, "temperature": 3.0, "seed": 5}]
)
def test_the_client_reads_every_token_with_the_models_own_probability(
    client: InferenceClient, plane: Plane, views: dict[str, Path], options: dict[str, Any]
) -> None:
    task = plane.predictor.spec.task
    found = client.text_generation("A model", details=True, **options)
    details = found.details
    ids = [token.id for token in details.tokens]
    assert details.generated_tokens == len(ids) > 1
    assert details.finish_reason in {"length", "eos_token"}
    assert details.seed == options.get("seed")
    assert details.prefill == []
    assert details.best_of_sequences is None
    assert "".join(token.text for token in details.tokens) == found.generated_text
    logprobs = [token.logprob for token in details.tokens]
    assert logprobs == pytest.approx(theirs(views[task], task, "A model", ids), abs=1e-3)


@serving("text-generation")
def test_the_client_reads_the_prompts_tokens(
    client: InferenceClient, views: dict[str, Path]
) -> None:
    found = client.text_generation("A model", details=True, decoder_input_details=True, **GREEDY)
    expected = AutoTokenizer.from_pretrained(views["text-generation"])("A model")["input_ids"]
    assert [token.id for token in found.details.prefill] == expected
    assert "".join(token.text for token in found.details.prefill) == "A model"
    assert {token.logprob for token in found.details.prefill} == {None}


@serving(*FAMILIES)
def test_a_stream_tells_the_same_tokens(client: InferenceClient) -> None:
    whole = client.text_generation("A model", details=True, **GREEDY)
    told = list(client.text_generation("A model", details=True, stream=True, **GREEDY))
    assert [each.token.id for each in told] == [each.id for each in whole.details.tokens]
    assert [each.token.logprob for each in told] == pytest.approx(
        [each.logprob for each in whole.details.tokens], abs=1e-3
    )
    assert told[-1].generated_text == whole.generated_text
    assert told[-1].details.generated_tokens == whole.details.generated_tokens


@serving("text-generation")
def test_a_stop_text_ends_the_tokens_too(client: InferenceClient) -> None:
    text = client.text_generation("A model", **GREEDY)
    found = client.text_generation("A model", details=True, stop=[text[4:6]], **GREEDY)
    assert found.details.finish_reason == "stop_sequence"
    assert "".join(token.text for token in found.details.tokens) == found.generated_text


@serving("text-generation")
def test_several_texts_are_told_beside_the_first(plane: Plane) -> None:
    asked = {"max_new_tokens": 6, "num_return_sequences": 3, "do_sample": True, "seed": 1}
    body = {"inputs": "A model", "parameters": {**asked, "details": True}}
    (answer,) = plane.call("POST", PATH, json=body).json()
    first, *others = [answer["details"], *answer["details"].pop("best_of_sequences")]
    assert [each["seed"] for each in (first, *others)] == [1, 2, 3]
    for each in others:
        assert "".join(token["text"] for token in each["tokens"]) == each["generated_text"]
        assert len(each["tokens"]) == each["generated_tokens"]


@serving("text-generation")
def test_natively_details_are_asked_for_by_the_same_name(plane: Plane) -> None:
    asked = {**GREEDY, "details": True, "decoder_input_details": True}
    (answer,) = plane.predict("A model", parameters=asked).json()["predictions"]
    (details,) = answer["details"]
    assert details["n_generated"] == answer["n_generated"] == len(details["tokens"])
    assert set(details["tokens"][0]) == {"id", "text", "logprob", "special"}
    assert len(answer["prompt_tokens"]) == answer["n_tokens"]
    (plain,) = plane.predict("A model", parameters=GREEDY).json()["predictions"]
    assert not {"details", "prompt_tokens"} & set(plain)


@serving("beams")
def test_beams_have_no_details(plane: Plane) -> None:
    asked = {"max_new_tokens": 6, "details": True}
    refused = plane.predict("A model", parameters=asked | {"num_beams": 2})
    assert (refused.status_code, "num_beams" in refused.text) == (422, True)
    assert refused.json()["error"]["details"]["field"] == "parameters.details"
    (answer,) = plane.predict("A model", parameters=asked).json()["predictions"]
    one_beam = {"max_new_tokens": 6, "num_beams": 1}
    (greedy,) = plane.predict("A model", parameters=one_beam).json()["predictions"]
    assert answer["generated_text"] == greedy["generated_text"]


@serving("text-generation")
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"inputs": ["A model", "Numbers"]}, "inputs"),
        (
            {"inputs": "A model", "parameters": {"num_return_sequences": 2}},
            "parameters.num_return_sequences",
        ),
    ],
)
def test_one_text_is_streamed(plane: Plane, body: dict[str, Any], field: str) -> None:
    answer = plane.call("POST", PATH, json=body | {"stream": True})
    assert (answer.status_code, answer.json()["details"]["field"]) == (422, field)


@serving("text-generation")
def test_a_stream_says_what_was_ignored(plane: Plane) -> None:
    body = {"inputs": "A model", "parameters": {**GREEDY, "watermark": True}, "stream": True}
    answer = plane.call("POST", PATH, json=body)
    assert "parameters.watermark" in answer.headers["x-hf-warning"]
    last = json.loads(answer.text.split("\n\n")[-3].removeprefix("data: "))
    assert last["details"]["generated_tokens"] == last["index"]
