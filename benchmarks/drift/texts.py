"""The real texts that streams are made of, in their sources' order, and what may befall them. Pure
but for reading.
"""

import gzip
import json
import os
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starter.corpus import DATA_VARIABLE

TYPO_RATE = 0.06
KEPT_SHARE = 0.4
# What scanners read for a letter (a few of the usual confusions).
_LOOK_ALIKE = {"o": "0", "l": "1", "i": "l", "e": "c", "s": "5", "b": "6", "g": "9", "n": "u"}
_SPAM = (
    "Congratulations {name}! You have been selected for a free {thing}. Call 0800 {number} now or "
    "reply YES to claim your prize before {day}."
)
_NAMES = ("Anna", "Ben", "Carla", "Deniz", "Emil", "Farah", "Goran", "Hana", "Ivo", "Jana")
_THINGS = ("phone", "holiday", "gift card", "laptop", "cruise", "television", "upgrade")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Texts:
    """Texts of one kind and, where their source gives them, the names of their classes."""

    texts: tuple[str, ...]
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def head(self, n: int) -> "Texts":
        return Texts(self.texts[:n], self.classes[:n])


def data_folder() -> Path:
    """Where the texts lie; exits with advice where nothing is named."""
    folder = os.environ.get(DATA_VARIABLE)
    if not folder or not Path(folder).is_dir():
        raise SystemExit(f"No texts to measure with: set {DATA_VARIABLE} to the data folder.")
    return Path(folder)


def load_rows(path: Path) -> list[dict[str, Any]]:
    """Every object of a gzipped file of JSON lines, in its order."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def load_classified(*paths: Path) -> Texts:
    """Texts with their class, one file after another."""
    rows = [row for path in paths for row in load_rows(path)]
    return Texts(
        tuple(row["text"].strip() for row in rows), tuple(row["label_name"] for row in rows)
    )


def load_captions(path: Path, languages: Sequence[str]) -> Texts:
    """Captions in the named languages, in turn."""
    return Texts(tuple(row[name] for row in load_rows(path) for name in languages))


def load_premises(path: Path) -> Texts:
    """Each premise once."""
    return Texts(tuple(dict.fromkeys(row["premise"] for row in load_rows(path))))


def load_sentences(path: Path, *, fewest_words: int = 6) -> Texts:
    """The sentences of running text; headings are left out."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        paragraphs = [line.strip() for line in lines if line.strip() and line[:2] != " ="]
    parts = (part.strip() for text in paragraphs for part in text.split(" . "))
    return Texts(tuple(part for part in parts if len(part.split()) >= fewest_words))


def mistyped(texts: Iterable[str], *, seed: int, rate: float = TYPO_RATE) -> Texts:
    """The same texts with each letter lost, doubled, swapped or misread at `rate`."""
    draw = random.Random(seed)
    return Texts(tuple(_mistype(text, draw, rate) for text in texts))


def _mistype(text: str, draw: random.Random, rate: float) -> str:
    letters = list(text)
    for place, letter in enumerate(letters):
        if not letter.isalpha() or draw.random() >= rate:
            continue
        kind = draw.randrange(4)
        if kind == 0:
            letters[place] = ""
        elif kind == 1:
            letters[place] = letter * 2
        elif kind == 2 and place:
            letters[place - 1], letters[place] = letter, letters[place - 1]
        else:
            letters[place] = _LOOK_ALIKE.get(letter.lower(), letter)
    return "".join(letters)


def shortened(texts: Iterable[str], *, share: float = KEPT_SHARE) -> Texts:
    """The beginnings of texts: `share` of their words, at least one."""
    words = (text.split() for text in texts)
    return Texts(tuple(" ".join(each[: max(1, round(len(each) * share))]) for each in words))


def spam(n: int, *, seed: int) -> Texts:
    """n texts out of one template: the one kind that nobody wrote by hand."""
    draw = random.Random(seed)
    return Texts(
        tuple(
            _SPAM.format(
                name=draw.choice(_NAMES),
                thing=draw.choice(_THINGS),
                number=draw.randrange(100_000, 1_000_000),
                day=draw.choice(_DAYS),
            )
            for _ in range(n)
        )
    )
