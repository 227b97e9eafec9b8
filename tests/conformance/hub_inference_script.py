"""What `huggingface_hub.InferenceClient` does with a classifier.

Run by a pinned client's own interpreter; the one argument is JSON: `url` and `model`. Says of
each step whether it has passed.
"""

import json
import sys
import traceback

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
def errors_are_sentences():
    for path, key, status in (("team/other", "good-key", 404), (GIVEN["model"], "wrong", 401)):
        assert refused_status(path, key) == status


def refused_status(path, key):
    try:
        client(path, key).text_classification("x")
    except HfHubHTTPError as error:
        return error.response.status_code
    raise AssertionError(f"{path} was not refused")


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
