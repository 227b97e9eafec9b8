"""What `tritonclient.http` does with a classifier, a writer and an embedding model: steps assert.

Run by a pinned client's own interpreter; the one argument is JSON: `url`, `model`, `embedder`,
`writer`. Says of each step whether it has passed.
"""

import asyncio
import json
import sys
import traceback

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

GIVEN = json.loads(sys.argv[1])
MODEL, EMBEDDER = GIVEN["model"], GIVEN["embedder"]
ADDRESS = GIVEN["url"].removeprefix("http://")
# Each call gets a copy: the client writes the length of a body into it.
KEY = {"Authorization": "Bearer good-key"}
CLIENT = triton.InferenceServerClient(ADDRESS)
STEPS = []


def step(function):
    STEPS.append(function)
    return function


def texts(*values, name="text", binary=True, shape=None):
    array = np.array([value.encode() for value in values], dtype=np.object_)
    array = array.reshape(shape or [len(values)])
    tensor = triton.InferInput(name, list(array.shape), "BYTES")
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def labels(result):
    return [label.decode() for label in result.as_numpy("label")]


def refusal(status, work, *arguments, **options):
    try:
        work(*arguments, **options)
    except InferenceServerException as error:
        if error.status() != str(status):
            raise AssertionError(f"it was refused otherwise: {error}") from error
        return error.message()
    raise AssertionError(f"{work.__name__} was not refused")


@step
def is_server_live_and_ready():
    assert CLIENT.is_server_live()
    assert CLIENT.is_server_ready()


@step
def get_server_metadata():
    assert "binary_tensor_data" in CLIENT.get_server_metadata()["extensions"]


@step
def is_model_ready():
    assert CLIENT.is_model_ready(MODEL, headers=dict(KEY))
    assert CLIENT.is_model_ready(MODEL, "1", headers=dict(KEY))
    assert not CLIENT.is_model_ready("team/other", headers=dict(KEY))


@step
def get_model_metadata():
    found = CLIENT.get_model_metadata(MODEL, headers=dict(KEY))
    assert (found["name"], found["versions"]) == (MODEL, ["1"])
    assert found["inputs"][0] == {"name": "text", "datatype": "BYTES", "shape": [-1]}


@step
def get_model_config():
    found = CLIENT.get_model_config(MODEL, headers=dict(KEY))
    assert found["output"][0]["data_type"] == "TYPE_STRING"


@step
def infer_with_bytes_both_ways():
    result = CLIENT.infer(MODEL, [texts("a good film", "bad")], headers=dict(KEY))
    assert labels(result) == ["POSITIVE", "NEGATIVE"]
    assert result.as_numpy("score").dtype == np.float32
    assert len(result.as_numpy("prediction_id")[0]) == 36
    assert list(result.as_numpy("abstained")) == [False, False]


@step
def infer_with_json_both_ways():
    asked = [triton.InferRequestedOutput(name, binary_data=False) for name in ("label", "score")]
    given = [texts("a good film", "bad", binary=False)]
    result = CLIENT.infer(MODEL, given, outputs=asked, request_id="mine", headers=dict(KEY))
    assert labels_of_json(result) == ["POSITIVE", "NEGATIVE"]
    assert result.get_response()["id"] == "mine"
    assert result.as_numpy("score").shape == (2,)


def labels_of_json(result):
    return [str(label) for label in result.as_numpy("label")]


@step
def infer_with_bytes_in_and_json_out():
    asked = [triton.InferRequestedOutput("label", binary_data=False)]
    result = CLIENT.infer(MODEL, [texts("good")], outputs=asked, headers=dict(KEY))
    assert labels_of_json(result) == ["POSITIVE"]


@step
def infer_columns_and_pairs():
    assert labels(CLIENT.infer(MODEL, [texts("good", "bad", shape=[2, 1])], headers=dict(KEY)))
    pair = [texts("good"), texts("bad", name="text_pair")]
    assert len(labels(CLIENT.infer(MODEL, pair, headers=dict(KEY)))) == 1


@step
def infer_all_scores():
    asked = [triton.InferRequestedOutput("scores")]
    result = CLIENT.infer(MODEL, [texts("good", "bad")], outputs=asked, headers=dict(KEY))
    scores = result.as_numpy("scores")
    assert scores.shape == (2, 2)
    assert list(scores.argmax(axis=1)) == [1, 0]
    more = {"parameters": {"top_k": -1}}
    assert (
        CLIENT.infer(MODEL, [texts("x")], headers=dict(KEY), **more).as_numpy("scores") is not None
    )


@step
def infer_with_version_priority_timeout_and_sequence():
    result = CLIENT.infer(
        MODEL,
        [texts("good")],
        model_version="1",
        priority=2,
        timeout=3_000_000,
        sequence_id=7,
        sequence_start=True,
        headers=dict(KEY),
    )
    assert result.get_response()["model_version"] == "1"


@step
def infer_embeddings():
    result = CLIENT.infer(EMBEDDER, [texts("a film", "a dog")], headers=dict(KEY))
    assert result.as_numpy("embedding").shape == (2, 32)


@step
def infer_a_text_that_is_written():
    asked = {"parameters": {"max_new_tokens": 5, "do_sample": False}}
    result = CLIENT.infer(GIVEN["writer"], [texts("A model")], headers=dict(KEY), **asked)
    answer = json.loads(result.as_numpy("answer")[0])
    assert (answer["n_generated"], answer["finish_reason"]) == (5, "length")


@step
def async_infer():
    waiting = [CLIENT.async_infer(MODEL, [texts("good")], headers=dict(KEY)) for _ in range(3)]
    assert [labels(each.get_result()) for each in waiting] == [["POSITIVE"]] * 3


@step
def infer_with_asyncio():
    async def run():
        async with triton_aio.InferenceServerClient(ADDRESS) as client:
            assert await client.is_server_live()
            return await client.infer(MODEL, [texts("good")], headers=dict(KEY))

    assert labels(asyncio.run(run())) == ["POSITIVE"]


@step
def get_inference_statistics():
    (found,) = CLIENT.get_inference_statistics(MODEL, headers=dict(KEY))["model_stats"]
    before = found["inference_stats"]["success"]["count"]
    CLIENT.infer(MODEL, [texts("good")], headers=dict(KEY))
    (found,) = CLIENT.get_inference_statistics(MODEL, "1", headers=dict(KEY))["model_stats"]
    assert found["inference_stats"]["success"]["count"] == before + 1
    assert len(CLIENT.get_inference_statistics(headers=dict(KEY))["model_stats"]) >= 2


@step
def get_model_repository_index():
    found = {row["name"]: row for row in CLIENT.get_model_repository_index(headers=dict(KEY))}
    assert found[MODEL]["state"] == "READY"


@step
def load_model_and_unload_model():
    CLIENT.load_model(MODEL, headers=dict(KEY))
    assert "team/other" in refusal(404, CLIENT.load_model, "team/other", headers=dict(KEY))
    CLIENT.unload_model(MODEL, headers=dict(KEY))
    found = {row["name"]: row for row in CLIENT.get_model_repository_index(headers=dict(KEY))}
    assert (found[MODEL]["state"], "sleeps" in found[MODEL]["reason"]) == ("UNAVAILABLE", True)
    CLIENT.load_model(MODEL, headers=dict(KEY))
    assert CLIENT.is_model_ready(MODEL, headers=dict(KEY))


@step
def errors_are_sentences():
    good = [texts("good")]
    assert "team/other" in refusal(404, CLIENT.infer, "team/other", good, headers=dict(KEY))
    assert "key" in refusal(401, CLIENT.infer, MODEL, good)
    assert "no text" in refusal(400, CLIENT.infer, MODEL, [texts(" ")], headers=dict(KEY))
    wrong = triton.InferInput("text", [1], "FP32")
    wrong.set_data_from_numpy(np.zeros(1, np.float32))
    assert "BYTES" in refusal(400, CLIENT.infer, MODEL, [wrong], headers=dict(KEY))
    asked = [triton.InferRequestedOutput("logits")]
    assert "logits" in refusal(400, CLIENT.infer, MODEL, good, outputs=asked, headers=dict(KEY))


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
