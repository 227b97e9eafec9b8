"""Pieces of text: never half a character, never part of a stop text, joined they are the text."""

import random

import pytest

from inference.generation.streaming import StopMatcher, TextStream
from tests.inference.tiny_generators import make_tokenizer

TEXTS = [
    "The bellwether leads the flock.",
    "🐑🐏👨‍👩‍👧 emoji",
    "שלום עולם, مرحبا بالعالم",
    "日本語のテキスト",
    "e\u0301 combining",
    "   leading and trailing   ",
    "\n\tlines\r\n",
    "",
]


@pytest.fixture(scope="module")
def tokenizer():
    return make_tokenizer()


@pytest.mark.parametrize("text", TEXTS)
def test_pieces_join_to_the_text(tokenizer, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    stream = TextStream(tokenizer.decode)
    pieces = [stream.add(each) for each in ids] + [stream.finish()]
    assert "".join(pieces) == stream.text == text
    assert not any("\ufffd" in piece for piece in pieces)


@pytest.mark.parametrize("text", TEXTS)
def test_a_continuation_is_decoded_as_the_rest_of_its_prompt(tokenizer, text: str) -> None:
    prompt, ids = tokenizer("A model that")["input_ids"], tokenizer(text)["input_ids"]
    stream = TextStream(tokenizer.decode, prompt=prompt)
    for each in ids:
        stream.add(each)
    stream.finish()
    assert "A model that" + stream.text == tokenizer.decode([*prompt, *ids])


def test_any_tokens_give_what_decoding_all_of_them_gives(tokenizer) -> None:
    chance = random.Random(0)
    for _ in range(200):
        ids = [chance.randrange(4, 400) for _ in range(40)]
        stream = TextStream(tokenizer.decode)
        text = "".join([*(stream.add(each) for each in ids), stream.finish()])
        assert text == tokenizer.decode(ids)


def test_special_tokens_are_no_text(tokenizer) -> None:
    ids = tokenizer("🐑")["input_ids"]
    stream = TextStream(
        lambda each: tokenizer.decode(each, skip_special_tokens=True), special={0, 1, 2, 3}
    )
    pieces = [stream.add(each) for each in [0, ids[0], 2, *ids[1:], 2]] + [stream.finish()]
    assert "".join(pieces) == "🐑"


def test_what_may_become_a_stop_text_is_held_back() -> None:
    matcher = StopMatcher(["END."])
    assert [matcher.add(each) for each in ("The E", "ND of E", "N", "D. and")] == [
        "The ",
        "END of ",
        "",
        "",
    ]
    assert matcher.has_matched
    assert matcher.add("more") == ""


def test_what_was_held_back_comes_at_the_end() -> None:
    matcher = StopMatcher(["\n\n"])
    assert matcher.add("line\n") == "line"
    assert matcher.finish() == "\n"
    assert not matcher.has_matched


def test_the_first_of_several_stop_texts_counts() -> None:
    matcher = StopMatcher(["three", "two"])
    assert matcher.add("one two three") == "one "


def test_text_before_a_stop_text_does_not_depend_on_the_pieces() -> None:
    chance = random.Random(1)
    for _ in range(300):
        text = "".join(chance.choice("ab") for _ in range(30))
        stop = ["aab", "bbba"]
        ends = [at for at in (text.find(each) for each in stop) if at >= 0]
        matcher, shown, at = StopMatcher(stop), "", 0
        while at < len(text):
            n = chance.randrange(1, 4)
            shown += matcher.add(text[at : at + n])
            at += n
        shown += matcher.finish()
        assert shown == (text[: min(ends)] if ends else text)
