"""Entities count where they are exactly right."""

import pytest

from benchmarks.entity_scores import score, spans_of

WORDS = ["Ada", "Lovelace", "of", "York", "Acme"]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        (["O"] * 5, set()),
        (["B-PER", "I-PER", "O", "B-LOC", "O"], {("PER", 0, 12), ("LOC", 16, 20)}),
        (["B-PER", "B-PER", "O", "O", "O"], {("PER", 0, 3), ("PER", 4, 12)}),
        (["I-PER", "I-LOC", "O", "O", "I-ORG"], {("PER", 0, 3), ("LOC", 4, 12), ("ORG", 21, 25)}),
    ],
)
def test_tags_become_characters(tags, spans):
    assert spans_of(WORDS, tags) == spans


def test_an_entity_that_is_nearly_right_is_wrong():
    true = {("PER", 0, 12)}
    for found in ({("PER", 0, 11)}, {("LOC", 0, 12)}, {("PER", 1, 12)}):
        assert score([(true, found)]).n_right == 0


def test_rates_are_over_all_texts():
    right, wrong = {("PER", 0, 3)}, {("PER", 0, 4)}
    scores = score([(right, right), (right, wrong), (set(), wrong), (right, set())])
    assert (scores.precision, scores.recall) == (1 / 3, 1 / 3)
    assert scores.f1 == pytest.approx(1 / 3)


def test_nothing_scores_nothing():
    scores = score([(set(), set())])
    assert (scores.precision, scores.recall, scores.f1) == (0.0, 0.0, 0.0)
