"""What the `openai` package does: models, embeddings, chats and texts, and their errors.

Run by a pinned client's own interpreter; the one argument is JSON: `url`, `model`, `embedder`,
`writer`, and `script`, which does what the last word of a text says. Says of each step whether it
has passed.
"""

import asyncio
import json
import math
import sys
import traceback
import urllib.request

import openai

GIVEN = json.loads(sys.argv[1])
EMBEDDER, WRITER, SCRIPT = GIVEN["embedder"], GIVEN["writer"], GIVEN["script"]
BASE = GIVEN["url"] + "/v1"
CLIENT = openai.OpenAI(base_url=BASE, api_key="good-key", max_retries=0, timeout=20)
STEPS = []


def step(function):
    STEPS.append(function)
    return function


def refusal(kind, work, *arguments, **options):
    try:
        work(*arguments, **options)
    except kind as error:
        return error
    raise AssertionError(f"there was no {kind.__name__}")


def user(text):
    return [{"role": "user", "content": text}]


def token_ids(model, text):
    """The ids of a text, by the model's own tokenizer."""
    request = urllib.request.Request(
        f"{GIVEN['url']}/api/v1/models/{model}/tokenize",
        json.dumps({"inputs": text, "ids": True}).encode(),
        {"Authorization": "Bearer good-key"},
    )
    with urllib.request.urlopen(request, timeout=20) as answer:
        return json.load(answer)["inputs"][0]["ids"][0]


def length(vector):
    return math.sqrt(sum(number * number for number in vector))


@step
def models_list():
    assert EMBEDDER in [model.id for model in CLIENT.models.list()]


@step
def models_retrieve():
    assert CLIENT.models.retrieve(EMBEDDER).id == EMBEDDER


@step
def embeddings_base64_by_default():
    raw = CLIENT.embeddings.with_raw_response.create(model=EMBEDDER, input=["a film", "a dog"])
    assert isinstance(json.loads(raw.text)["data"][0]["embedding"], str)
    found = raw.parse()
    assert [len(each.embedding) for each in found.data] == [32, 32]
    assert abs(length(found.data[0].embedding) - 1) < 1e-4
    assert found.usage.prompt_tokens == found.usage.total_tokens > 0
    assert raw.headers["x-model-version"] == "1"


@step
def embeddings_float():
    given = {"model": EMBEDDER, "input": "a film"}
    plain = CLIENT.embeddings.create(**given, encoding_format="float").data[0].embedding
    packed = CLIENT.embeddings.create(**given).data[0].embedding
    assert all(abs(a - b) < 1e-6 for a, b in zip(plain, packed, strict=True))


@step
def embeddings_dimensions():
    found = CLIENT.embeddings.create(model=EMBEDDER, input="a film", dimensions=8)
    assert len(found.data[0].embedding) == 8
    assert abs(length(found.data[0].embedding) - 1) < 1e-4


@step
def embeddings_of_token_ids():
    texts = ["a film", "a dog"]
    ids = [token_ids(EMBEDDER, text) for text in texts]
    plain = CLIENT.embeddings.create(model=EMBEDDER, input=texts)
    for given, n in ((ids, 2), (ids[0], 1)):
        found = CLIENT.embeddings.create(model=EMBEDDER, input=given)
        assert len(found.data) == n
        for one, other in zip(found.data, plain.data):  # noqa: B905
            assert all(abs(a - b) < 1e-5 for a, b in zip(one.embedding, other.embedding))  # noqa: B905


@step
def embeddings_async():
    async def run():
        async with openai.AsyncOpenAI(base_url=BASE, api_key="good-key") as client:
            return await client.embeddings.create(model=EMBEDDER, input="a film")

    assert len(asyncio.run(run()).data[0].embedding) == 32


@step
def not_found_error():
    error = refusal(openai.NotFoundError, CLIENT.models.retrieve, "team/other")
    assert error.code == "model_not_found"
    refusal(openai.NotFoundError, CLIENT.embeddings.create, model="team/other", input="x")


@step
def bad_request_error():
    create = CLIENT.embeddings.create
    error = refusal(openai.BadRequestError, create, model=EMBEDDER, input=[])
    assert (error.param, error.type) == ("input", "invalid_request_error")
    error = refusal(openai.BadRequestError, create, model=EMBEDDER, input=[100257])
    assert "check_embedding_ctx_length" in error.message
    refusal(openai.BadRequestError, create, model=GIVEN["model"], input="x")
    refusal(openai.BadRequestError, create, model=EMBEDDER, input="x", dimensions=9999)


@step
def authentication_and_permission_errors():
    def listing(key):
        openai.OpenAI(base_url=BASE, api_key=key, max_retries=0).models.list()

    assert refusal(openai.AuthenticationError, listing, "wrong").code == "invalid_key"
    assert refusal(openai.PermissionDeniedError, listing, "reader").code == "scope_missing"


@step
def rate_limit_error_with_retry_after():
    hasty = openai.OpenAI(base_url=BASE, api_key="hasty", max_retries=0)

    def ask_often():
        for _ in range(3):
            hasty.models.list()

    error = refusal(openai.RateLimitError, ask_often)
    assert int(error.response.headers["retry-after"]) >= 1
    assert error.code == "rate_limited"


GREEDY = {"max_tokens": 12, "temperature": 0}


def greedy_chat():
    return CLIENT.chat.completions.create(model=WRITER, messages=user("hello"), **GREEDY)


@step
def chat_completions():
    found = greedy_chat()
    (choice,) = found.choices
    assert (choice.message.role, choice.message.content == "") == ("assistant", False)
    assert choice.finish_reason in ("stop", "length")
    usage = found.usage
    assert 1 <= usage.completion_tokens <= 12
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    asked = {"n": 2, "temperature": 1.5, "seed": 1, "max_tokens": 5}
    drawn = CLIENT.chat.completions.create(model=WRITER, messages=user("hello"), **asked)
    assert [each.index for each in drawn.choices] == [0, 1]


@step
def chat_completions_stream():
    whole = greedy_chat()
    stream = CLIENT.chat.completions.create(
        model=WRITER,
        messages=user("hello"),
        stream=True,
        stream_options={"include_usage": True},
        **GREEDY,
    )
    chunks = list(stream)
    pieces = [each.choices[0].delta.content or "" for each in chunks if each.choices]
    assert "".join(pieces) == whole.choices[0].message.content
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == whole.choices[0].finish_reason
    assert chunks[-1].usage == whole.usage


@step
def chat_completions_logprobs():
    create = CLIENT.chat.completions.create
    asked = {"model": WRITER, "messages": user("hello"), "logprobs": True, **GREEDY}
    (choice,) = create(**asked).choices
    assert "".join(each.token for each in choice.logprobs.content) == choice.message.content
    told = [each.choices[0].logprobs for each in create(stream=True, **asked)]
    logprobs = [each.content[0].logprob for each in told if each]
    assert len(logprobs) == len(choice.logprobs.content)
    assert all(each < 0 for each in logprobs)


@step
def chat_completions_stream_async():
    async def run():
        async with openai.AsyncOpenAI(base_url=BASE, api_key="good-key") as client:
            stream = await client.chat.completions.create(
                model=WRITER, messages=user("hello"), stream=True, **GREEDY
            )
            return [chunk async for chunk in stream]

    chunks = asyncio.run(run())
    text = "".join(each.choices[0].delta.content or "" for each in chunks)
    assert text == greedy_chat().choices[0].message.content


@step
def chat_completions_stream_closed_early():
    create = CLIENT.chat.completions.create
    asked = {"max_tokens": 80, "temperature": 0}
    with create(model=WRITER, messages=user("hello"), stream=True, **asked) as stream:
        for _, chunk in zip(range(3), stream):  # noqa: B905
            assert chunk.choices
    assert greedy_chat().choices


@step
def chat_completions_errors():
    create = CLIENT.chat.completions.create
    for stream in (False, True):
        asked = {"messages": user("hello"), "stream": stream}
        refusal(openai.BadRequestError, create, model=WRITER, messages=[], stream=stream)
        error = refusal(openai.BadRequestError, create, model=WRITER, top_p=0, **asked)
        assert error.param == "top_p"
        error = refusal(openai.BadRequestError, create, model=GIVEN["model"], **asked)
        assert error.param == "model"
        refusal(openai.NotFoundError, create, model="team/other", **asked)
        refusal(openai.InternalServerError, create, model=GIVEN["loading"], **asked)


@step
def chat_completions_that_fail_on_the_way():
    create = CLIENT.chat.completions.create
    error = refusal(openai.RateLimitError, create, model=SCRIPT, messages=user("busy"), stream=True)
    assert error.response.headers["retry-after"] == "3"
    refusal(openai.InternalServerError, create, model=SCRIPT, messages=user("poison"))

    def read():
        list(create(model=SCRIPT, messages=user("poison"), stream=True))

    assert "Change the input" in refusal(openai.APIError, read).message


@step
def completions_and_their_stream():
    create = CLIENT.completions.create
    whole = create(model=WRITER, prompt="A model", **GREEDY)
    assert whole.choices[0].text
    stream = create(model=WRITER, prompt="A model", stream=True, **GREEDY)
    assert "".join(chunk.choices[0].text for chunk in stream) == whole.choices[0].text


@step
def completions_of_several_prompts():
    create = CLIENT.completions.create
    prompts = ["A model", "Numbers 0 1"]
    texts = [each.text for each in create(model=WRITER, prompt=prompts, **GREEDY).choices]
    assert texts == [create(model=WRITER, prompt=p, **GREEDY).choices[0].text for p in prompts]
    error = refusal(openai.BadRequestError, create, model=WRITER, prompt=[100257], **GREEDY)
    assert error.param == "prompt"


if __name__ == "__main__":
    FAILED = 0
    for each in STEPS:
        try:
            each()
            print("passed", each.__name__, flush=True)
        except Exception:
            FAILED += 1
            print("failed", each.__name__, traceback.format_exc(), flush=True)
    sys.exit(bool(FAILED))
