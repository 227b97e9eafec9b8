"""What `huggingface_hub.InferenceClient` does with a model of every task for texts.

Run by a pinned client's own interpreter; the one argument is JSON: `url`, and the names of models
by what they do. Says of each step whether it has passed.
"""

import json
import sys
import traceback

import huggingface_hub
from huggingface_hub import InferenceClient

try:
    from huggingface_hub.errors import HfHubHTTPError
except ImportError:
    from huggingface_hub.utils import HfHubHTTPError

GIVEN = json.loads(sys.argv[1])
URL = GIVEN["url"] + "/models/"
STEPS = []


def step(function):
    STEPS.append(function)
    return function


def client(path=GIVEN["model"], key="good-key"):
    return InferenceClient(model=URL + path, token=key, timeout=20)


def of(role, timeout=20):
    return InferenceClient(model=URL + GIVEN[role], token="good-key", timeout=timeout)


def labels(found):
    return [each["label"] for each in found]


@step
def text_classification():
    found = client().text_classification("a good film")
    assert labels(found) == ["POSITIVE", "NEGATIVE"]


@step
def text_classification_with_parameters():
    assert labels(client().text_classification("a good film", top_k=1)) == ["POSITIVE"]
    assert len(client().text_classification("a film", function_to_apply="sigmoid")) == 2


@step
def text_classification_naming_the_task():
    named = client(GIVEN["model"] + "/pipeline/text-classification")
    assert labels(named.text_classification("good"))[0] == "POSITIVE"


@step
def token_classification():
    text = "Ada Lovelace met Charles Babbage in London."
    found = of("tagger").token_classification(text, aggregation_strategy="simple")
    assert found
    for each in found:
        assert each.entity_group in {"PER", "LOC", "ORG"}
        assert text[each.start : each.end]
        assert 0 < each.score <= 1


@step
def question_answering():
    context = "Ada Lovelace met Charles Babbage in London."
    one = of("reader").question_answering(question="Who?", context=context)
    several = of("reader").question_answering(question="Who?", context=context, top_k=2)
    assert len(several) == 2
    for each in [one, *several]:
        assert each.answer == context[each.start : each.end]


@step
def zero_shot_classification():
    found = of("ranker").zero_shot_classification("a dog", ["a film", "a dog"])
    assert {each.label for each in found} == {"a film", "a dog"}
    assert abs(sum(each.score for each in found) - 1) < 1e-5


@step
def fill_mask():
    found = of("filler").fill_mask("a [MASK] dog", top_k=2)
    assert len(found) == 2
    assert all(each.token_str and "dog" in each.sequence for each in found)


@step
def feature_extraction():
    assert of("embedder").feature_extraction("a dog", normalize=True).shape == (1, 32)


@step
def sentence_similarity():
    found = of("similar").sentence_similarity("a dog", other_sentences=["a dog", "numbers"])
    assert abs(found[0] - 1) < 1e-5
    assert found[1] < found[0]


@step
def summarization():
    assert isinstance(of("summarizer").summarization("A model makes text.").summary_text, str)


@step
def translation():
    assert isinstance(of("translator").translation("A model makes text.").translation_text, str)


GREEDY = {"max_new_tokens": 12, "do_sample": False}


@step
def text_generation():
    for role in ("writer", "rewriter"):
        assert isinstance(of(role).text_generation("A model", **GREEDY), str)


@step
def text_generation_with_details():
    for role in ("writer", "rewriter"):
        found = of(role).text_generation("A model", details=True, **GREEDY)
        details = found.details
        assert found.generated_text == "".join(each.text for each in details.tokens)
        assert details.generated_tokens == len(details.tokens)
        assert details.finish_reason in ("length", "eos_token")
        assert (details.seed, details.prefill) == (None, [])
        assert all(each.logprob < 0 and each.special in (True, False) for each in details.tokens)
    drawn = of("writer").text_generation("A model", details=True, do_sample=True, seed=7)
    assert drawn.details.seed == 7


@step
def text_generation_with_the_prompts_details():
    asked = {"details": True, "decoder_input_details": True, **GREEDY}
    found = of("writer").text_generation("A model", **asked)
    assert "".join(each.text for each in found.details.prefill) == "A model"


@step
def text_generation_stream():
    client = of("writer")
    told = list(client.text_generation("A model", stream=True, **GREEDY))
    assert "".join(told) == client.text_generation("A model", **GREEDY)


@step
def text_generation_stream_with_details():
    client = of("writer")
    whole = client.text_generation("A model", details=True, **GREEDY)
    told = list(client.text_generation("A model", details=True, stream=True, **GREEDY))
    assert [each.token.id for each in told] == [each.id for each in whole.details.tokens]
    assert told[-1].generated_text == whole.generated_text
    assert told[-1].details.finish_reason == whole.details.finish_reason


MESSAGES = [{"role": "user", "content": "A model"}]


@step
def chat_completion():
    found = of("writer").chat_completion(MESSAGES, max_tokens=12, temperature=0)
    assert found.choices[0].message.role == "assistant"
    assert found.usage.completion_tokens > 0
    assert found.choices[0].finish_reason in ("stop", "length")


@step
def chat_completion_stream():
    client = of("writer")
    whole = client.chat_completion(MESSAGES, max_tokens=12, temperature=0)
    told = list(client.chat_completion(MESSAGES, max_tokens=12, temperature=0, stream=True))
    text = "".join(each.choices[0].delta.content or "" for each in told)
    assert text == whole.choices[0].message.content
    assert told[-1].choices[0].finish_reason == whole.choices[0].finish_reason


def refusal(work, *arguments, **options):
    try:
        work(*arguments, **options)
    except HfHubHTTPError as error:
        return error.response.status_code, str(error)
    raise AssertionError(f"{work.__name__} was not refused")


@step
def errors_are_sentences():
    for path, key, status in (
        ("team/other", "good-key", 404),
        (GIVEN["model"], "wrong", 401),
        (GIVEN["model"], "reader", 403),
    ):
        assert refusal(client(path, key).text_classification, "x")[0] == status
    status, text = refusal(of("model").text_classification, " ")
    assert (status, "holds no text" in text) == (422, True)


@step
def errors_of_texts_that_are_written():
    create = of("writer").text_generation
    for stream in (False, True):
        status, text = refusal(create, "A model", max_new_tokens=-1, stream=stream)
        assert (status, "max_new_tokens" in text) == (422, True)
    chat = of("writer").chat_completion
    status, text = refusal(chat, MESSAGES, top_p=7.0)
    assert (status, "top_p" in text) == (400, True)


@step
def error_while_a_model_is_loading():
    status, text = refusal(of("loading").text_classification, "x")
    assert (status, "loading" in text) == (503, True)


@step
def error_where_a_client_asks_too_often():
    def ask_often():
        for _ in range(3):
            client(key="hasty").text_classification("x")

    assert refusal(ask_often)[0] == 429


@step
def timeout_of_the_client():
    create = of("writer", timeout=0.01).text_generation
    # Before 2.0 it is the error of the HTTP library underneath.
    is_new = huggingface_hub.__version__.startswith("2.")
    names = ("InferenceTimeoutError",) if is_new else ("ReadTimeout", "ConnectTimeout")
    assert raised(create, "A model", max_new_tokens=90, do_sample=False) in names


def raised(work, *arguments, **options):
    try:
        work(*arguments, **options)
    except Exception as error:
        return type(error).__name__
    raise AssertionError(f"{work.__name__} raised nothing")


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
