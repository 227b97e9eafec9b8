"""What is written token by token, through the wire: natively, and by Hugging Face's own client."""

import asyncio
import gc
import time
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import InferenceClient
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from inference.predictor import Predictor
from inference.swap.golden import check_golden, check_smoke, make_golden
from inference.swap.warming import warm_up
from tests.inference.conftest import Plane, a_plane, behind_socket
from tests.inference.loaded import load
from tests.inference.tiny_generators import CHAT_TEMPLATE, CORPUS, save_generator

TASKS = {
    "text-generation": "gpt2",
    "text2text-generation": "t5",
    "summarization": "bart",
    "translation": "marian",
}
FIELDS = {
    "text-generation": "generated_text",
    "text2text-generation": "generated_text",
    "summarization": "summary_text",
    "translation": "translation_text",
}
GREEDY = {"max_new_tokens": 12, "do_sample": False, "num_beams": 1}
LONG = " ".join(CORPUS * 4)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        task: save_generator(tmp_path_factory.mktemp(task), family, chat_template=CHAT_TEMPLATE)
        for task, family in TASKS.items()
    }


@pytest.fixture(scope="module")
def predictors(views: dict[str, Path]) -> dict[str, Predictor]:
    return {task: load(view, task) for task, view in views.items()}


@pytest.fixture
def plane(request: pytest.FixtureRequest, predictors: dict[str, Predictor]) -> Iterator[Plane]:
    with a_plane(predictor=predictors[request.param]) as plane:
        yield plane


@pytest.fixture
def client(plane: Plane) -> Iterator[InferenceClient]:
    with behind_socket(plane) as url:
        yield InferenceClient(model=f"{url}/models/team/tiny", token="good-key", timeout=20)


def serving(task: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("plane", [task], indirect=True)


def theirs(view: Path, text: str, **options: Any) -> str:
    """What transformers' own `generate` writes."""
    tokenizer = AutoTokenizer.from_pretrained(view)
    inputs = tokenizer(text, return_tensors="pt")
    is_causal = view.name.startswith("text-generation")
    kind = AutoModelForCausalLM if is_causal else AutoModelForSeq2SeqLM
    ids = kind.from_pretrained(view).generate(**inputs, **options)[0]
    start = inputs["input_ids"].shape[1] if is_causal else 0
    return str(tokenizer.decode(ids[start:], skip_special_tokens=True))


@pytest.mark.parametrize("task", TASKS)
def test_a_version_that_writes_passes_what_it_must_before_it_serves(
    predictors: dict[str, Predictor], task: str
) -> None:
    predictor = predictors[task]
    assert check_smoke(predictor)["smoke_tokens"]
    assert check_golden(predictor, make_golden(predictor))["golden_cases"] > 0
    assert warm_up(predictor, budget_s=0.01)["warm_rounds"] >= 1


@pytest.mark.parametrize("plane", ["text-generation", "text2text-generation"], indirect=True)
def test_what_is_written_is_what_transformers_writes(plane: Plane, views: dict[str, Path]) -> None:
    task = plane.predictor.spec.task
    answers = plane.predict(CORPUS, parameters=GREEDY).json()["predictions"]
    expected = [theirs(views[task], text, **GREEDY) for text in CORPUS]
    assert [answer["generated_text"] for answer in answers] == expected


@pytest.mark.parametrize("plane", TASKS, indirect=True)
def test_every_answer_is_recorded_with_how_it_ended(plane: Plane) -> None:
    task = plane.predictor.spec.task
    reply = plane.predict(["A model.", "The weather."], parameters=GREEDY)
    assert reply.status_code == 200, reply.text
    answers = reply.json()["predictions"]
    records = plane.recorder.records
    assert [str(record.id) for record in records] == [answer["id"] for answer in answers]
    for answer, record in zip(answers, records, strict=True):
        assert isinstance(answer[FIELDS[task]], str)
        assert 1 <= answer["n_generated"] <= 12
        assert record.label == answer["finish_reason"] in {"eos_token", "length"}
        assert 0 < record.score <= 1
        assert record.n_tokens == answer["n_tokens"] > 0


@serving("text-generation")
def test_the_same_seed_writes_the_same(plane: Plane) -> None:
    asked = {"max_new_tokens": 8, "do_sample": True, "temperature": 2.0}
    first, again, other = (
        plane.predict("A model", parameters=asked | {"seed": seed}).json()["predictions"][0]
        for seed in (7, 7, 8)
    )
    assert first["generated_text"] == again["generated_text"] != other["generated_text"]
    assert first["seed"] == 7


@serving("text-generation")
def test_several_sequences_and_the_prompt_may_be_asked_for(plane: Plane) -> None:
    asked = {"max_new_tokens": 4, "do_sample": True, "num_return_sequences": 3, "seed": 1}
    (answer,) = plane.predict("A model", parameters=asked | {"return_full_text": True}).json()[
        "predictions"
    ]
    assert len(answer["sequences"]) == 3
    assert answer["sequences"][0] == answer["generated_text"]
    assert all(text.startswith("A model") for text in answer["sequences"])


@serving("text-generation")
def test_a_conversation_goes_on(plane: Plane) -> None:
    messages = [{"role": "user", "content": "Hello"}]
    reply = plane.predict({"messages": messages}, parameters=GREEDY)
    assert reply.status_code == 200, reply.text
    (answer,) = reply.json()["predictions"]
    assert answer["n_generated"] >= 1
    assert plane.recorder.records[0].text == "Hello"


@pytest.mark.parametrize("plane", ["summarization", "translation"], indirect=True)
def test_a_text_over_the_limit_is_answered_in_pieces_and_says_so(plane: Plane) -> None:
    reply = plane.predict(LONG, parameters=GREEDY)
    assert reply.status_code == 200, reply.text
    (answer,) = reply.json()["predictions"]
    assert answer["n_chunks"] > 1
    assert answer.get("levels", 1) >= 1
    assert answer["truncated"] is False
    (cut,) = plane.predict(LONG, parameters=GREEDY | {"truncation": True}).json()["predictions"]
    assert cut["truncated"] is True
    assert "n_chunks" not in cut


@serving("text-generation")
@pytest.mark.parametrize(
    ("inputs", "parameters", "code", "field"),
    [
        ("a", {"max_new_tokens": 0}, "invalid_request", "parameters.max_new_tokens"),
        ("a", {"do_sample": False, "top_k": 5}, "invalid_request", "parameters.top_k"),
        ("a", {"temperature": "hot"}, "invalid_request", "parameters.temperature"),
        ("a", {"colour": 1}, "unknown_parameter", "parameters.colour"),
        (LONG, {}, "text_too_long", None),
        ({"messages": []}, {}, "invalid_request", "messages"),
        (
            {"messages": [{"role": "king", "content": "a"}]},
            {},
            "invalid_request",
            "messages[0].role",
        ),
    ],
)
def test_what_cannot_be_written_names_the_field(
    plane: Plane, inputs: Any, parameters: dict[str, Any], code: str, field: str | None
) -> None:
    answer = plane.predict(inputs, parameters=parameters)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (422, code), error
    if field:
        assert error["details"]["field"] == field


@serving("text-generation")
def test_the_client_writes(client: InferenceClient, views: dict[str, Path]) -> None:
    text = client.text_generation("A model", max_new_tokens=12, do_sample=False)
    assert text == theirs(views["text-generation"], "A model", max_new_tokens=12, do_sample=False)


@serving("summarization")
def test_the_client_summarises(client: InferenceClient) -> None:
    found = client.summarization(CORPUS[0], generate_parameters=GREEDY)
    assert isinstance(found.summary_text, str)
    cut = client.summarization(LONG, truncation="longest_first", generate_parameters=GREEDY)
    assert isinstance(cut.summary_text, str)


@serving("summarization")
def test_the_classic_path_summarises_with_the_model_there_is(plane: Plane) -> None:
    answer = plane.call("POST", "/summarize", json={"text": CORPUS[0], "max_length": 12})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    (record,) = plane.recorder.records
    assert (body["model"], body["version"], body["n_chunks"]) == ("team/tiny", 1, 1)
    assert body["prediction_id"] == str(record.id)
    assert record.dialect == "classic"
    wrong = plane.call("POST", "/summarize", json={"text": " "})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "invalid_text")


@serving("text-generation")
def test_without_a_model_that_summarises_it_says_what_to_do(plane: Plane) -> None:
    answer = plane.call("POST", "/summarize", json={"text": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert "BELLWETHER_SUMMARY_MODEL" in answer.json()["detail"]


@serving("translation")
def test_the_client_translates(client: InferenceClient) -> None:
    found = client.translation(CORPUS[0], generate_parameters=GREEDY)
    assert isinstance(found.translation_text, str)


def test_an_unloaded_version_ends_its_threads_and_leaves_memory(views: dict[str, Path]) -> None:
    predictor = load(views["text-generation"], "text-generation")
    runtime: Any = predictor.runtime
    generator = runtime.generator
    gone = weakref.ref(generator._model)
    del predictor, runtime
    gc.collect()
    deadline = time.monotonic() + 30
    while generator.is_healthy and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not generator.is_healthy
    del generator
    while gone() is not None and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.02)
    assert gone() is None


@serving("text-generation")
def test_who_hangs_up_frees_the_generator(plane: Plane) -> None:
    async def scene() -> None:
        asked = {"inputs": "A model", "parameters": {"max_new_tokens": 60, "do_sample": False}}
        path = "/api/v1/models/team/tiny/predict"
        task = asyncio.create_task(plane.acall("POST", path, json=asked))
        await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        runtime: Any = plane.predictor.runtime
        assert await runtime.generator.wait_drained(timeout_s=10)

    asyncio.run(scene())
