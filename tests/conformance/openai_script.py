"""What the `openai` package does: models, embeddings, chats and texts, and their errors.

Run by a pinned client's own interpreter; the one argument is JSON: `url`, `embedder`, and `writer`,
a model whose last word says what it does. Says of each step whether it has passed.
"""

import asyncio
import json
import math
import sys
import traceback

import openai

GIVEN = json.loads(sys.argv[1])
EMBEDDER, WRITER = GIVEN["embedder"], GIVEN["writer"]
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
    error = refusal(openai.BadRequestError, create, model=EMBEDDER, input=[1, 2, 3])
    assert "token ids" in error.message
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


@step
def chat_completions():
    found = CLIENT.chat.completions.create(model=WRITER, messages=user("hello"), n=2, max_tokens=5)
    assert found.choices[0].message.content == "Good day"
    assert [each.finish_reason for each in found.choices] == ["stop", "length"]
    assert found.usage.total_tokens > 0


@step
def chat_completions_stream():
    options = {"include_usage": True}
    stream = CLIENT.chat.completions.create(
        model=WRITER, messages=user("hello"), stream=True, stream_options=options
    )
    chunks = list(stream)
    pieces = [each.choices[0].delta.content or "" for each in chunks if each.choices]
    assert "".join(pieces) == "Good day"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-1].usage.completion_tokens == 2


@step
def chat_completions_stream_async():
    async def run():
        async with openai.AsyncOpenAI(base_url=BASE, api_key="good-key") as client:
            stream = await client.chat.completions.create(
                model=WRITER, messages=user("hello"), stream=True
            )
            return [chunk async for chunk in stream]

    chunks = asyncio.run(run())
    assert "".join(each.choices[0].delta.content or "" for each in chunks) == "Good day"


@step
def chat_completions_stream_closed_early():
    create = CLIENT.chat.completions.create
    with create(model=WRITER, messages=user("endless"), stream=True) as stream:
        for _, chunk in zip(range(20), stream):  # noqa: B905
            assert chunk.choices


@step
def chat_completions_errors():
    create = CLIENT.chat.completions.create
    error = refusal(openai.RateLimitError, create, model=WRITER, messages=user("busy"), stream=True)
    assert error.response.headers["retry-after"] == "3"
    refusal(openai.BadRequestError, create, model=WRITER, messages=[])
    refusal(openai.InternalServerError, create, model=WRITER, messages=user("poison"))

    def read():
        list(create(model=WRITER, messages=user("poison"), stream=True))

    assert "Change the input" in refusal(openai.APIError, read).message


@step
def completions_and_their_stream():
    create = CLIENT.completions.create
    assert create(model=WRITER, prompt="once").choices[0].text == "Good day"
    stream = create(model=WRITER, prompt="once", stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "Good day"


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
