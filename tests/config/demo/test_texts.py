"""The demo's texts: enough of them, alike from any seed, and labelled as they read."""

import random
from collections import Counter
from itertools import islice

import pytest

from config.demo.texts import LABELS, SEGMENTS, Text, expand, messages, mislabelled, reviews
from config.demo.words import NEGATIVE, POSITIVE, SUPPORT, Rules

N = 2000


def take(texts, n: int = N) -> list[Text]:
    return list(islice(texts, n))


def test_a_seed_always_makes_the_same_texts_and_another_makes_others() -> None:
    assert take(reviews(1), 50) == take(reviews(1), 50)
    assert take(reviews(1), 50) != take(reviews(2), 50)
    assert take(messages(1), 50) == take(messages(1), 50)


@pytest.mark.parametrize("texts", [reviews, messages])
def test_thousands_are_distinct(texts) -> None:
    assert len({row.text for row in take(texts(3))}) > 0.9 * N


def test_half_of_the_reviews_are_good_ones_and_both_segments_send() -> None:
    rows = take(reviews(4))
    labels, segments = Counter(row.label for row in rows), Counter(row.segment for row in rows)
    assert set(labels) == set(LABELS)
    assert 0.45 < labels["POSITIVE"] / N < 0.55
    assert set(segments) == set(SEGMENTS)
    assert min(segments.values()) > 0.25 * N


def test_nobody_labels_the_messages() -> None:
    assert {row.label for row in take(messages(5), 100)} == {None}


def test_as_many_labels_are_turned_as_was_asked_for_and_no_text_is() -> None:
    right, wrong = take(reviews(6)), take(mislabelled(reviews(6), 6, share=0.6))
    assert [row.text for row in right] == [row.text for row in wrong]
    n_turned = sum(a.label != b.label for a, b in zip(right, wrong, strict=True))
    assert 0.55 < n_turned / N < 0.65


@pytest.mark.parametrize("texts", [reviews, messages])
def test_sentences_read_well(texts) -> None:
    for row in take(texts(7)):
        assert row.text[0].isupper()
        assert row.text[-1] in ".!?"
        assert "{" not in row.text
        assert "  " not in row.text
        assert " i " not in row.text
        assert not any(f" a {vowel}" in row.text for vowel in "aeiou"), row.text


@pytest.mark.parametrize("rules", [POSITIVE, NEGATIVE, SUPPORT], ids=["good", "bad", "support"])
def test_every_name_in_a_rule_is_a_rule(rules: Rules) -> None:
    for name in rules:
        for seed in range(30):
            expand(rules, name, random.Random(seed))


def test_a_sentence_says_nothing_twice() -> None:
    rules = {"pair": ("{word} {word}",), "word": ("one", "two")}
    said = {expand(rules, "pair", random.Random(seed)) for seed in range(20)}
    assert said == {"one two", "two one"}
