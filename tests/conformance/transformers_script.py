"""A model's round trip through transformers, and what its names mean while versions are promoted.

Run in a fresh process with nothing but HF_ENDPOINT, HF_TOKEN and HF_HOME set. The argument is JSON:
`model`, `first` and `second` (folders of two versions).
"""

import hashlib
import json
import os
import sys
import time
import urllib.request
from pathlib import Path

import torch
from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import RevisionNotFoundError
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

GIVEN = json.loads(sys.argv[1])
MODEL = GIVEN["model"]
TEXTS = ["It is wonderful.", "A disaster!", "two brothers and their dog 123 \N{DOG FACE}"]
API = HfApi()
WAIT_S = 60


def logits(name, **options):
    tokenizer = AutoTokenizer.from_pretrained(name, **options)
    model = AutoModelForSequenceClassification.from_pretrained(name, **options).eval()
    with torch.no_grad():
        return model(**tokenizer(TEXTS, padding=True, return_tensors="pt")).logits


def push(folder, tag):
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    model.push_to_hub(MODEL)
    AutoTokenizer.from_pretrained(folder).push_to_hub(MODEL)
    API.create_tag(MODEL, tag=tag)


def call(path, body):
    request = urllib.request.Request(
        f"{os.environ['HF_ENDPOINT']}/api/v1/models/{MODEL}/{path}",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {os.environ['HF_TOKEN']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def predict():
    try:
        return call("predict", {"inputs": TEXTS})
    except urllib.error.HTTPError:
        return {"version": None}


def promote(number):
    """Have a version serve, and wait until it answers."""
    call(f"versions/{number}/promote", {})
    deadline = time.monotonic() + WAIT_S
    while predict()["version"] != number:
        assert time.monotonic() < deadline, "the version does not answer"
        time.sleep(0.1)


def sha256s(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in Path(folder).glob("*.safetensors")
    }


def the_pushed_model_is_the_local_one():
    push(GIVEN["first"], "v1")
    assert torch.equal(logits(MODEL, revision="v1"), logits(GIVEN["first"]))
    assert sha256s(snapshot_download(MODEL, revision="v1")) == sha256s(GIVEN["first"])


def a_version_stays_when_the_next_one_comes():
    push(GIVEN["second"], "v2")
    assert torch.equal(logits(MODEL, revision="v2"), logits(GIVEN["second"]))
    assert torch.equal(logits(MODEL, revision="v1"), logits(GIVEN["first"]))
    assert torch.equal(logits(MODEL), logits(GIVEN["second"]))
    assert not torch.equal(logits(MODEL, revision="v1"), logits(MODEL, revision="v2"))


def prod_is_what_serves():
    try:
        API.model_info(MODEL, revision="prod")
    except RevisionNotFoundError:
        pass
    else:
        raise AssertionError("prod is something before anything serves")
    for number, folder in ((1, GIVEN["first"]), (2, GIVEN["second"])):
        promote(number)
        sha = API.model_info(MODEL, revision="prod").sha
        assert sha == API.model_info(MODEL, revision=f"v{number}").sha
        assert torch.equal(logits(MODEL, revision="prod"), logits(folder))
        served = [item["label"] for item in predict()["predictions"]]
        classify = pipeline("text-classification", model=MODEL, revision="prod")
        assert [item["label"] for item in classify(TEXTS)] == served
    first, previous = (API.model_info(MODEL, revision=name).sha for name in ("v1", "previous"))
    assert previous == first


if __name__ == "__main__":
    for each in (
        the_pushed_model_is_the_local_one,
        a_version_stays_when_the_next_one_comes,
        prod_is_what_serves,
    ):
        each()
        print(each.__name__, flush=True)
