"""Long texts in pieces that fit, answers joined, and the number of pieces told."""

import asyncio
from collections.abc import Sequence

import pytest

from inference.errors import TextTooLong
from inference.generation.chunking import answer_chunks, split, summarise

TEXT = "One two three. Four five six! Seven eight?\n\nNine ten eleven twelve. Thirteen."


def words(text: str) -> int:
    return len(text.split())


def texts(text: str, most: int, **more: object) -> list[str]:
    return [chunk.text for chunk in split(text, words, most, **more)]  # type: ignore[arg-type]


async def shout(pieces: Sequence[str]) -> list[str]:
    return [piece.upper() for piece in pieces]


async def first_word(pieces: Sequence[str]) -> list[str]:
    return [piece.split()[0] for piece in pieces]


def test_a_text_that_fits_stays_whole() -> None:
    assert texts(TEXT, 100) == [TEXT]


def test_paragraphs_come_before_sentences_and_these_before_words() -> None:
    assert texts(TEXT, 8) == [
        "One two three. Four five six! Seven eight?",
        "Nine ten eleven twelve. Thirteen.",
    ]
    assert texts(TEXT, 4)[:2] == ["One two three.", "Four five six!"]
    assert texts("one two three four five", 2) == ["one two", "three four", "five"]


def test_sentences_of_scripts_without_spaces_are_found() -> None:
    assert [chunk.text for chunk in split("これは一。それは二。", len, 5)] == [
        "これは一。",
        "それは二。",
    ]


def test_a_word_without_end_is_cut() -> None:
    assert [chunk.text for chunk in split("a" * 10, len, 4)] == ["aa", "aaa", "aa", "aaa"]


@pytest.mark.parametrize("most", range(1, 13))
def test_every_piece_fits_and_no_word_is_lost(most: int) -> None:
    pieces = texts(TEXT, most)
    assert all(words(piece) <= most for piece in pieces)
    assert " ".join(pieces).split() == TEXT.split()


def test_a_text_of_too_many_pieces_is_refused() -> None:
    with pytest.raises(TextTooLong, match="3"):
        split("a b c d", words, 1, max_chunks=3)


def test_translations_keep_their_paragraphs() -> None:
    answer = asyncio.run(answer_chunks(TEXT, shout, words, 6))
    assert answer.text == TEXT.upper()
    assert (answer.n_chunks, answer.levels) == (3, 1)


def test_summaries_are_summarised_until_one_piece_is_left() -> None:
    text = " ".join(f"W{n} and some more words." for n in range(9))
    answer = asyncio.run(summarise(text, first_word, words, 5))
    assert answer.text == "W0"
    assert (answer.n_chunks, answer.levels) == (9 + 2 + 1, 3)


def test_summaries_that_do_not_get_shorter_end() -> None:
    answer = asyncio.run(summarise("a b c d", shout, words, 1))
    assert (answer.text, answer.n_chunks, answer.levels) == ("A B C D", 4, 1)


def test_levels_are_bounded() -> None:
    text = " ".join(f"W{n} and some more words." for n in range(9))
    answer = asyncio.run(summarise(text, first_word, words, 5, max_levels=1))
    assert answer.levels == 1
    assert answer.text.split() == [f"W{n}" for n in range(9)]


def test_an_empty_text_has_an_empty_answer() -> None:
    assert asyncio.run(summarise("  ", shout, words, 5)).n_chunks == 0
