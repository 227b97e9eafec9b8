"""Texts written for the demo: film reviews whose label is known, and messages to a help desk. Pure.

The same seed makes the same texts, other seeds others of the same kind: a reference and quiet
traffic from two seeds cannot be told apart but by chance.
"""

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from config.demo.words import NEGATIVE, POSITIVE, SUPPORT, Rules

LABELS = ("NEGATIVE", "POSITIVE")
SEGMENTS = ("web", "app")
_SHARE_OF_WEB = 0.65
# Those that are hard to judge: a model that is always right would be no model.
_SHARE_OF_TORN = 0.07
_NAME = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, slots=True)
class Text:
    """What a caller sends; `label` is what is true of it, None where nobody will say."""

    text: str
    label: str | None
    segment: str


Texts = Iterator[Text]


def expand(rules: Rules, name: str, rng: random.Random) -> str:
    """One sentence of the rule `name`; a choice that the sentence has already is avoided.

    >>> rules = {"greeting": ("hello {who}",), "who": ("world",)}
    >>> expand(rules, "greeting", random.Random(1))
    'hello world'
    """
    used: set[str] = set()

    def choose(found: re.Match[str] | str) -> str:
        rule = found if isinstance(found, str) else found[1]
        fresh = [each for each in rules[rule] if each not in used or len(each) == 1]
        chosen = rng.choice(fresh or rules[rule])
        used.add(chosen)
        return _NAME.sub(choose, chosen)

    return choose(name)


def reviews(seed: int) -> Texts:
    """Film reviews without end, half of them good ones, with their true labels."""
    rng = random.Random(f"reviews {seed}")  # noqa: S311
    while True:
        label = rng.choice(LABELS)
        rules = POSITIVE if label == "POSITIVE" else NEGATIVE
        kind = "torn" if rng.random() < _SHARE_OF_TORN else "review"
        yield Text(_sentence(expand(rules, kind, rng)), label, _segment(rng))


def messages(seed: int) -> Texts:
    """Messages to a help desk without end: no label is right for them."""
    rng = random.Random(f"messages {seed}")  # noqa: S311
    while True:
        yield Text(_sentence(expand(SUPPORT, "message", rng)), None, _segment(rng))


def mislabelled(texts: Texts, seed: int, *, share: float) -> Texts:
    """The same texts, a `share` of the labels turned into the other one."""
    rng = random.Random(f"mislabelled {seed}")  # noqa: S311
    for text in texts:
        is_turned = rng.random() < share
        yield replace(text, label=_other(text.label)) if is_turned else text


def _other(label: str | None) -> str | None:
    return None if label is None else LABELS[1 - LABELS.index(label)]


def _segment(rng: random.Random) -> str:
    return SEGMENTS[0] if rng.random() < _SHARE_OF_WEB else SEGMENTS[1]


def _sentence(text: str) -> str:
    """`text` with a capital at the start of each sentence, and articles that fit."""
    fitted = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
    return re.sub(r"(^|[.!?] )([a-z])|\bi\b", _raise, fitted)


def _raise(found: re.Match[str]) -> str:
    return found[0].upper()


Source = Callable[[int], Texts]
