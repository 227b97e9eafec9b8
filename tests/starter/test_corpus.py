"""Reading, respelling and splitting the training texts."""

from pathlib import Path

import pytest

from starter.corpus import (
    DATA_VARIABLE,
    Example,
    as_written,
    detokenise,
    resolve_data_folder,
    sentence_case,
    split_held_out,
)


@pytest.mark.parametrize(
    ("tokenised", "written"),
    [
        ("it did n't work . ", "it didn't work."),
        ("you ca n't miss it", "you can't miss it"),
        (
            "it 's theirs , and we 've come",
            "it's theirs, and we've come",
        ),
        ("one -lrb- or two -rrb- !", "one (or two)!"),
        ("`` auto focus '' works", '"auto focus" works'),
        ("he said `` no ! ''", 'he said "no!"'),
        ("gon na leave , wan na stay , got ta run", "gonna leave, wanna stay, gotta run"),
        ("i can not wait", "i cannot wait"),
        ("well ... no", "well... no"),
        (r"a heaven\/hell \*\*\*\* film", r"a heaven\/hell \*\*\*\* film"),
        ("a $ 5 ticket , 30 % off", "a $5 ticket, 30% off"),
        ("", ""),
    ],
)
def test_detokenise_joins_what_the_treebank_cut(tokenised: str, written: str) -> None:
    assert detokenise(tokenised) == written


def test_detokenise_leaves_ordinary_text_alone() -> None:
    text = "I didn't like it (at all). It wasn't funny!"

    assert detokenise(text) == text


@pytest.mark.parametrize(
    ("lower", "cased"),
    [
        ("it failed. nobody cared.", "It failed. Nobody cared."),
        ("what if i'm wrong, i asked", "What if I'm wrong, I asked"),
        ('"so it goes" (or not)', '"So it goes" (or not)'),
        ("at 3.5 stars", "At 3.5 stars"),
    ],
)
def test_sentence_case_capitalises_starts_and_the_pronoun(lower: str, cased: str) -> None:
    assert sentence_case(lower) == cased


def test_as_written_does_both() -> None:
    assert as_written("i did n't laugh . not once ! ") == "I didn't laugh. Not once!"


SENTENCES = [Example(f"the plot {n} is thin .", n % 2) for n in range(6)]


def test_no_training_phrase_stands_inside_a_held_out_sentence() -> None:
    phrases = [Example(f"plot {n} ", 0) for n in range(6)] + [Example("is thin", 0), *SENTENCES]

    split = split_held_out(phrases, SENTENCES, size=2, seed=3)

    inside = [row for row in split.train if any(row.text.strip() in s.text for s in split.held_out)]
    assert inside == []
    assert len(split.train) + split.dropped == len(phrases)
    # Two sentences, their two inner phrases, and the one that all sentences share.
    assert split.dropped == 5


def test_words_are_compared_whole_when_phrases_are_dropped() -> None:
    split = split_held_out([Example("thin", 0), Example("hin", 0)], SENTENCES[:1], size=1, seed=0)

    assert [row.text for row in split.train] == ["hin"]


def test_repeated_phrases_are_kept_once_and_conflicting_labels_both() -> None:
    rows = [Example("fine", 1), Example("fine", 1), Example("fine", 0)]

    assert split_held_out(rows, SENTENCES, size=1, seed=0).train == [rows[0], rows[2]]


def test_the_same_seed_holds_out_the_same_sentences() -> None:
    first, second = (split_held_out([], SENTENCES, size=3, seed=9) for _ in range(2))

    assert first.held_out == second.held_out


def test_a_missing_folder_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DATA_VARIABLE, raising=False)

    with pytest.raises(SystemExit, match=r"--data DIR or set BELLWETHER_TEST_DATA"):
        resolve_data_folder(None)


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"sst2/train_phrases\.jsonl\.gz"):
        resolve_data_folder(tmp_path)
