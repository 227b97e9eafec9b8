"""Phrases made up for distillation."""

from starter.alteration import alter

TEXTS = ["a fine film ", "dull and slow", "never boring"] * 40


def test_every_text_gets_one_altered_phrase() -> None:
    assert len(alter(TEXTS, seed=1)) == len(TEXTS)


def test_the_seed_decides() -> None:
    assert alter(TEXTS, seed=1) == alter(TEXTS, seed=1)
    assert alter(TEXTS, seed=1) != alter(TEXTS, seed=2)


def test_no_word_comes_from_outside() -> None:
    known = {word for text in TEXTS for word in text.split()} | {".", ",", "and", "but"}

    assert {word for text in alter(TEXTS, seed=1) for word in text.split()} <= known


def test_about_half_the_phrases_are_joined_to_another() -> None:
    longer = [
        a for a, t in zip(alter(TEXTS, 1), TEXTS, strict=True) if len(a.split()) > len(t.split())
    ]

    assert 0.35 < len(longer) / len(TEXTS) < 0.65


def test_nothing_in_nothing_out() -> None:
    assert alter([], seed=1) == []
