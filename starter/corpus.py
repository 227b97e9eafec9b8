"""Texts for training: where they lie, how they are read, split and written out."""

import gzip
import json
import os
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA_VARIABLE = "BELLWETHER_TEST_DATA"
PHRASES = "sst2/train_phrases.jsonl.gz"
SENTENCES = "sst2/train_sentences.jsonl.gz"
DEV = "sst2/dev.jsonl.gz"
# General English, read only to count words for the vocabulary. Sets whose terms
# forbid commercial use are left out although only counts would be taken.
GENERAL_LINES = "lm/wikitext2_test_raw.txt.gz"
GENERAL_ROWS = (
    ("tweet_sentiment/train.jsonl.gz", "text"),
    ("nli/mnli_matched_1k.jsonl.gz", "premise"),
    ("qa_squad/xquad_en.jsonl.gz", "question"),
)

# Words the treebank cuts in two and the form people write.
_WORDS = {
    "-lrb-": "(",
    "-rrb-": ")",
    "-lsb-": "[",
    "-rsb-": "]",
    "``": '"',
    "''": '"',
    r"\/": "/",
    r"\*": "*",
}
_OPENING_QUOTE = "``"
_JOINS = (
    (re.compile(r"\b(\w+) n't\b", re.IGNORECASE), r"\1n't"),
    (re.compile(r"(\w) '(s|re|ve|ll|d|m)\b", re.IGNORECASE), r"\1'\2"),
    (re.compile(r"\b(gon|wan) na\b", re.IGNORECASE), r"\1na"),
    (re.compile(r"\bgot ta\b", re.IGNORECASE), "gotta"),
    (re.compile(r"\bcan not\b", re.IGNORECASE), "cannot"),
    (re.compile(r" (\.\.\.|[.,!?;:%)\]])"), r"\1"),
    (re.compile(r"([(\[$#]) "), r"\1"),
)
_SENTENCE_START = re.compile(r"(^[\"'(\[]*|[.!?][\"')\]]* [\"'(\[]*)([a-z])")
_LONE_I = re.compile(r"\bi\b(?!\.)")


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled text, as the source writes it."""

    text: str
    label: int


@dataclass(frozen=True, slots=True)
class Split:
    """Training phrases and the sentences no part of which is among them."""

    train: list[Example]
    held_out: list[Example]
    dropped: int


def resolve_data_folder(given: Path | None) -> Path:
    """Return the folder that holds the data; exit with advice when there is none."""
    named = given or (Path(value) if (value := os.environ.get(DATA_VARIABLE)) else None)
    if named is None:
        raise SystemExit(f"No data folder. Pass --data DIR or set {DATA_VARIABLE}.")
    wanted = [PHRASES, SENTENCES, DEV, GENERAL_LINES, *(name for name, _ in GENERAL_ROWS)]
    missing = [name for name in wanted if not (named / name).is_file()]
    if missing:
        lines = "\n  ".join(missing)
        raise SystemExit(
            f"The data folder {named} lacks:\n  {lines}\n"
            f"Put these files there, or point --data or {DATA_VARIABLE} at a folder "
            "that has them (JSON Lines with «text» and «label», gzip)."
        )
    return named


def load_examples(path: Path) -> list[Example]:
    """Read a labelled set."""
    return [Example(str(row["text"]), int(row["label"])) for row in _read_rows(path)]


def load_general_texts(folder: Path) -> list[str]:
    """Read English from outside the films, for counting words only."""
    with gzip.open(folder / GENERAL_LINES, "rt", encoding="utf-8") as lines:
        texts = [line for line in lines if line.strip()]
    for name, field in GENERAL_ROWS:
        texts += [str(row[field]) for row in _read_rows(folder / name)]
    return texts


def _read_rows(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def detokenise(text: str) -> str:
    """Undo treebank tokenisation: join clitics and punctuation, restore brackets.

    >>> detokenise("it was n't funny -lrb- at all -rrb- , sadly . ")
    "it wasn't funny (at all), sadly."
    """
    text = _place_quotes(text.split())
    for pattern, written in _JOINS:
        text = pattern.sub(written, text)
    return text


def _place_quotes(words: Sequence[str]) -> str:
    pieces: list[str] = []
    glue = ""
    for word in words:
        closes = word == "''"
        pieces += ["" if closes else glue, _WORDS.get(word, word)]
        glue = "" if word == _OPENING_QUOTE else " "
    return "".join(pieces)


def sentence_case(text: str) -> str:
    """Capitalise sentence starts and the lone pronoun «i»; leave the rest alone."""
    text = _LONE_I.sub("I", text)
    return _SENTENCE_START.sub(lambda found: found[1] + found[2].upper(), text)


def as_written(text: str) -> str:
    """Rewrite a treebank text as a person would have typed it."""
    return sentence_case(detokenise(text))


def split_held_out(
    phrases: Iterable[Example], sentences: Sequence[Example], size: int, seed: int
) -> Split:
    """Hold out whole sentences, and drop every phrase that stands inside one."""
    held_out = random.Random(seed).sample(list(sentences), size)  # noqa: S311, a seed is wanted
    inside: set[str] = set()
    for sentence in held_out:
        inside |= _word_spans(sentence.text.split())
    unique = dict.fromkeys(phrases)
    train = [row for row in unique if " ".join(row.text.split()) not in inside]
    return Split(train, held_out, dropped=len(unique) - len(train))


def _word_spans(words: Sequence[str]) -> set[str]:
    ends = range(1, len(words) + 1)
    return {" ".join(words[start:end]) for end in ends for start in range(end)}
