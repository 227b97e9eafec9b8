"""Answers as JSON that never takes more than its bound, and is always JSON."""

import json
import random
from typing import Any

import pytest

from inference.shortening import MAX_ANSWER_BYTES, encode_within


def test_what_fits_is_as_it_was() -> None:
    answer = {"generated_text": "Ünïcode, \u0000 and \n", "n": 3, "sequences": ["a", "b"]}
    encoded = encode_within(answer)
    assert json.loads(encoded) == answer
    assert "\0" not in encoded


@pytest.mark.parametrize(
    "answer",
    [
        {"generated_text": "word " * 5000, "finish_reason": "length", "n_generated": 5000},
        {"generated_text": "日本" * 5000, "finish_reason": "length"},
        {"generated_text": '"\\\n' * 5000},
        {"generated_text": "short", "sequences": ["short", "long " * 5000]},
        {"entities": [{"entity_group": "PER", "score": 0.5, "word": "Ann"}] * 1000},
        {"fills": [[{"score": 0.1, "token_str": "a"}] * 400] * 20},
        {"similarities": [0.123456789] * 2000},
        {"answer": "a", "score": 0.5, "answers": [{"answer": "a" * 90, "score": 0.5}] * 100},
    ],
    ids=["text", "wide", "escaped", "sequences", "entities", "fills", "numbers", "answers"],
)
def test_what_does_not_fit_is_cut_and_says_so(answer: dict[str, Any]) -> None:
    encoded = encode_within(answer)
    read = json.loads(encoded)
    assert MAX_ANSWER_BYTES - 120 < len(encoded.encode()) <= MAX_ANSWER_BYTES
    assert read.pop("is_cut") is True
    assert list(read) == list(answer)
    for name, value in read.items():
        _is_beginning(value, answer[name])


def _is_beginning(cut: Any, whole: Any) -> None:
    if isinstance(cut, str) and cut != whole:
        assert cut.endswith("…")
        assert whole.startswith(cut[:-1])
    elif isinstance(cut, list):
        for one, other in zip(cut, whole, strict=False):
            _is_beginning(one, other)
    else:
        assert cut == whole


def test_no_bound_is_ever_broken() -> None:
    draw = random.Random(7)
    for _ in range(300):
        answer: dict[str, Any] = {
            "text": draw.choice('aé日😀"\n') * draw.randrange(400),
            "list": [draw.choice(["x" * draw.randrange(99), 0.5, {"a": 1}]) for _ in range(9)],
            "n": 1,
        }
        bound = draw.randrange(60, 900)
        encoded = encode_within(answer, bound)
        assert len(encoded.encode()) <= bound
        assert ("is_cut" in json.loads(encoded)) == (json.loads(encoded) != answer)
