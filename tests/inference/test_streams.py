"""Text that is told while it is written: to OpenAI's clients, and to Hugging Face's."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from huggingface_hub import InferenceClient
from transformers import AutoTokenizer

from inference.calls import Answer, Call, Started
from inference.errors import QueueFull
from inference.generation.events import FinishEvent, TokenEvent
from inference.http.openai_writer import ServiceWriter
from inference.http.writing import Order
from inference.predictor import Predictor
from inference.streams import MAX_UNREAD, stream
from tests.inference.conftest import Plane, a_plane, behind_socket
from tests.inference.loaded import load
from tests.inference.tiny_generators import CHAT_TEMPLATE, save_generator

CHAT, COMPLETION = "/v1/chat/completions", "/v1/completions"
MESSAGES = [{"role": "user", "content": "A model"}]
HEADERS = {"Authorization": "Bearer good-key"}


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    view = save_generator(tmp_path_factory.mktemp("gpt2"), "gpt2", chat_template=CHAT_TEMPLATE)
    return load(view, "text-generation")


@pytest.fixture
def plane(writer: Predictor) -> Iterator[Plane]:
    with a_plane(predictor=writer) as plane:
        yield plane


@pytest.fixture
def url(plane: Plane) -> Iterator[str]:
    with behind_socket(plane) as url:
        yield url


@pytest.fixture
def client(url: str) -> InferenceClient:
    return InferenceClient(model=f"{url}/models/team/tiny", token="good-key", timeout=20)


def chat(**more: Any) -> dict[str, Any]:
    return {
        "model": "team/tiny",
        "messages": MESSAGES,
        "max_tokens": 12,
        "temperature": 0,
        **more,
    }


def events_of(text: str) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in text.splitlines() if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_chat_is_what_the_same_conversation_is_natively(plane: Plane) -> None:
    answer = plane.call("POST", CHAT, json=chat()).json()
    (choice,) = answer["choices"]
    (native,) = plane.predict(
        {"messages": MESSAGES}, parameters={"max_new_tokens": 12, "do_sample": False}
    ).json()["predictions"]
    assert choice["message"] == {"role": "assistant", "content": native["generated_text"]}
    assert choice["finish_reason"] in {"stop", "length"}
    assert answer["usage"]["completion_tokens"] == native["n_generated"]
    assert answer["usage"]["prompt_tokens"] == native["n_tokens"]


def test_a_streamed_chat_is_the_whole_one_in_pieces(plane: Plane) -> None:
    whole = plane.call("POST", CHAT, json=chat()).json()
    asked = chat(stream=True, stream_options={"include_usage": True})
    answer = plane.call("POST", CHAT, json=asked)
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["x-model-version"] == "1"
    *chunks, last = events_of(answer.text)
    pieces = [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks]
    assert "".join(pieces) == whole["choices"][0]["message"]["content"]
    assert len([piece for piece in pieces if piece]) > 1
    assert chunks[-1]["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    assert last["usage"] == whole["usage"]


def test_several_texts_are_told_apart(plane: Plane) -> None:
    asked = {"model": "team/tiny", "prompt": "A model", "max_tokens": 6, "n": 3, "seed": 3}
    whole = plane.call("POST", COMPLETION, json=asked | {"temperature": 1.5}).json()
    texts = {choice["index"]: choice["text"] for choice in whole["choices"]}
    assert sorted(texts) == [0, 1, 2]
    streamed = plane.call("POST", COMPLETION, json=asked | {"temperature": 1.5, "stream": True})
    pieces: dict[int, str] = {}
    for chunk in events_of(streamed.text):
        (choice,) = chunk["choices"]
        pieces[choice["index"]] = pieces.get(choice["index"], "") + choice["text"]
    assert pieces == texts


def test_several_prompts_are_answered_in_their_order(plane: Plane) -> None:
    asked = {"model": "team/tiny", "max_tokens": 6, "temperature": 0}
    prompts = ["A model", "Numbers 0 1 2"]

    def choices(prompt: Any, **more: Any) -> list[tuple[int, str]]:
        answer = plane.call("POST", COMPLETION, json={**asked, "prompt": prompt, **more})
        assert answer.status_code == 200, answer.text
        return [(choice["index"], choice["text"]) for choice in answer.json()["choices"]]

    alone = [choices(prompt)[0][1] for prompt in prompts]
    assert choices(prompts) == list(enumerate(alone))
    drawn = choices(prompts, n=2, temperature=1.5, seed=1)
    assert [index for index, _ in drawn] == [0, 1, 2, 3]
    assert drawn[:2] == choices(prompts[0], n=2, temperature=1.5, seed=1)


def test_a_prompt_may_be_the_models_own_token_ids(plane: Plane, writer: Predictor) -> None:
    asked = {"model": "team/tiny", "max_tokens": 6, "temperature": 0}
    tokenizer = AutoTokenizer.from_pretrained(writer.spec.view)
    prompts = ["A model", "Привет, мир! 1"]
    ids = [tokenizer(prompt).input_ids for prompt in prompts]

    def said(prompt: Any) -> Any:
        answer = plane.call("POST", COMPLETION, json={**asked, "prompt": prompt})
        assert answer.status_code == 200, answer.text
        return answer.json()["choices"]

    assert said(ids) == said(prompts)
    assert said(ids[0]) == said(prompts[0])
    assert plane.recorder.records[0].text == "A model"


@pytest.mark.parametrize(
    ("prompt", "param", "words"),
    [
        ([100257], "prompt", "none of this model's"),
        ([[5], [0, 100257]], "prompt[1]", "none of this model's"),
        ([5] * 97, "prompt", "token ids"),
        ([[5]] * 65, "prompt", "64 may come"),
        ([], "prompt", "empty"),
        ([[]], "prompt", "empty list"),
        (["a", [5]], "prompt", "one kind"),
        ({"text": "a"}, "prompt", "prompt"),
        (["a", " "], "prompt[1]", "no text"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
def test_a_prompt_that_is_none_is_refused(
    plane: Plane, prompt: Any, param: str, words: str, stream: bool
) -> None:
    body = {"model": "team/tiny", "prompt": prompt, "stream": stream}
    answer = plane.call("POST", COMPLETION, json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param), error
    assert words in error["message"]


def test_token_ids_that_no_text_has_are_refused(plane: Plane, writer: Predictor) -> None:
    half_a_character = AutoTokenizer.from_pretrained(writer.spec.view).convert_tokens_to_ids("Ã")
    body = {"model": "team/tiny", "prompt": [half_a_character]}
    answer = plane.call("POST", COMPLETION, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "prompt")
    assert "never makes a text" in answer.json()["error"]["message"]


def test_a_chat_tells_how_likely_each_token_was(plane: Plane) -> None:
    asked = {"max_new_tokens": 12, "do_sample": False, "details": True}
    (native,) = plane.predict({"messages": MESSAGES}, parameters=asked).json()["predictions"]
    tokens = [each for each in native["details"][0]["tokens"] if not each["special"]]
    answer = plane.call("POST", CHAT, json=chat(logprobs=True, top_logprobs=2))
    assert answer.headers["x-bellwether-warning"].endswith("does not use top_logprobs")
    (choice,) = answer.json()["choices"]
    content = choice["logprobs"]["content"]
    assert [each["token"] for each in content] == [each["text"] for each in tokens]
    own = pytest.approx([each["logprob"] for each in tokens], abs=1e-3)
    assert [each["logprob"] for each in content] == own
    assert all(bytes(each["bytes"]).decode() == each["token"] for each in content)
    assert {tuple(each["top_logprobs"]) for each in content} == {()}
    streamed = plane.call("POST", CHAT, json=chat(logprobs=True, stream=True))
    told = [chunk["choices"][0]["logprobs"] for chunk in events_of(streamed.text)]
    assert [each["content"][0]["logprob"] for each in told if each] == own
    assert plane.call("POST", CHAT, json=chat()).json()["choices"][0]["logprobs"] is None


def test_a_completion_tells_how_likely_each_token_was(plane: Plane) -> None:
    asked = {"model": "team/tiny", "prompt": "A model", "max_tokens": 12, "temperature": 0}
    answer = plane.call("POST", COMPLETION, json={**asked, "logprobs": 0})
    assert "x-bellwether-warning" not in answer.headers
    (choice,) = answer.json()["choices"]
    told, text = choice["logprobs"], choice["text"]
    assert "".join(told["tokens"]) == text
    assert told["top_logprobs"] is None
    for token, at, logprob in zip(
        told["tokens"], told["text_offset"], told["token_logprobs"], strict=True
    ):
        assert text[at : at + len(token)] == token
        assert logprob < 0
    streamed = plane.call("POST", COMPLETION, json={**asked, "logprobs": 1, "stream": True})
    assert streamed.headers["x-bellwether-warning"].endswith("does not use logprobs above 0")
    pieces = [chunk["choices"][0]["logprobs"] for chunk in events_of(streamed.text)]
    for name in ("tokens", "text_offset"):
        assert [piece[name][0] for piece in pieces if piece] == told[name]
    refused = plane.call("POST", COMPLETION, json={**asked, "logprobs": 6})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "logprobs")


def test_a_streamed_text_is_one_prediction_kept_before_it_ends(plane: Plane) -> None:
    async def scene() -> tuple[int, int]:
        n_at_end = -1
        async for told in stream(plane.service, a_call(plane)):
            if isinstance(told, Answer):
                n_at_end = len(plane.recorder.records)
        return n_at_end, len(plane.recorder.records)

    assert asyncio.run(scene()) == (1, 1)
    (record,) = plane.recorder.records
    assert (record.text, record.dialect) == ("A model", "native")


def a_call(plane: Plane, n: int = 40) -> Call:
    return Call(
        model="team/tiny",
        inputs=("A model",),
        parameters=msgspec.Raw(json.dumps({"max_new_tokens": n, "do_sample": False}).encode()),
        request_id="r",
        dialect="native",
        key_id="k",
    )


def test_events_come_in_order_and_join_to_the_text(plane: Plane) -> None:
    async def scene() -> list[Any]:
        return [told async for told in stream(plane.service, a_call(plane, 12))]

    first, *tokens, end, answer = asyncio.run(scene())
    assert isinstance(first, Started)
    assert all(isinstance(token, TokenEvent) for token in tokens)
    assert isinstance(end, FinishEvent)
    assert isinstance(answer, Answer)
    text = "".join(token.text for token in tokens)
    assert text == end.text == answer.predictions[0].decoded.fields["generated_text"]


def test_who_leaves_a_stream_ends_the_writing(plane: Plane) -> None:
    async def scene() -> bool:
        told = stream(plane.service, a_call(plane, 60))
        async for each in told:
            if isinstance(each, TokenEvent):
                break
        await told.aclose()
        runtime: Any = plane.predictor.runtime
        return bool(await runtime.generator.wait_drained(timeout_s=10))

    assert asyncio.run(scene())
    assert plane.recorder.records == []


def test_a_reader_that_waits_loses_nothing(plane: Plane) -> None:
    async def scene() -> list[Any]:
        told = []
        async for each in stream(plane.service, a_call(plane, MAX_UNREAD + 16)):
            told.append(each)
            if len(told) == 2:
                await asyncio.sleep(0.3)
        return told

    told = asyncio.run(scene())
    n_tokens = sum(isinstance(each, TokenEvent) for each in told)
    (end,) = [each for each in told if isinstance(each, FinishEvent)]
    assert n_tokens == end.n_tokens


def test_what_fails_before_the_first_token_is_an_error_like_any_other(plane: Plane) -> None:
    asked = chat(stream=True, model="team/other")
    answer = plane.call("POST", CHAT, json=asked)
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "model_not_found"
    answer = plane.call("POST", CHAT, json=chat(stream=True, top_p=0.0, temperature=1.0))
    assert answer.status_code == 400, answer.text


def test_a_model_that_does_not_write_says_what_it_does() -> None:
    with a_plane() as plane:

        async def scene() -> None:
            order = Order(
                model="team/model", prompts=["a"], timeout_s=5, request_id="r", key_id="k"
            )
            async for _ in ServiceWriter(plane.service).write(order):
                pass

        with pytest.raises(Exception, match="team/model does text-classification"):
            asyncio.run(scene())


def test_hugging_faces_client_reads_tokens_as_they_come(client: InferenceClient) -> None:
    whole = client.text_generation("A model", max_new_tokens=12, do_sample=False)
    streamed = list(
        client.text_generation(
            "A model", max_new_tokens=12, do_sample=False, stream=True, details=True
        )
    )
    assert "".join(each.token.text for each in streamed) == whole
    assert [each.index for each in streamed] == list(range(1, len(streamed) + 1))
    *before, last = streamed
    assert all(each.generated_text is None for each in before)
    assert last.generated_text == whole
    assert last.details.finish_reason in {"length", "eos_token"}
    assert last.details.generated_tokens == len(streamed)


def test_hugging_faces_client_chats(client: InferenceClient) -> None:
    answer = client.chat_completion(MESSAGES, max_tokens=12, temperature=0)
    whole = answer.choices[0].message.content
    streamed = list(client.chat_completion(MESSAGES, max_tokens=12, temperature=0, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in streamed) == whole
    assert streamed[-1].choices[0].finish_reason == answer.choices[0].finish_reason


async def many(url: str, n: int) -> AsyncIterator[Any]:
    async with httpx.AsyncClient(base_url=url, headers=HEADERS, timeout=60) as client:
        asked = [client.post(CHAT, json=chat(stream=True, max_tokens=24)) for _ in range(n)]
        for answer in await asyncio.gather(*asked):
            yield answer


def test_streams_at_once_share_passes_and_all_end(url: str, plane: Plane) -> None:
    runtime: Any = plane.predictor.runtime
    before = runtime.generator.n_steps

    async def scene() -> list[httpx.Response]:
        return [answer async for answer in many(url, 16)]

    answers = asyncio.run(scene())
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text.count("data: ") for answer in answers}) == 1
    n_tokens = sum(len(events_of(answer.text)) - 2 for answer in answers)
    assert runtime.generator.n_steps - before < n_tokens / 2


def test_refusals_keep_their_code(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: Any, **__: Any) -> Any:
        raise QueueFull("Too much waits.", retry_after_s=2.0)

    monkeypatch.setattr(plane.service, "predict", full)
    answer = plane.call("POST", CHAT, json=chat(stream=True))
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")
