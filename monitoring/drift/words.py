"""Which words tell two collections of texts apart."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# Counted at most, so that one long text neither dominates nor takes long.
MOST_CHARACTERS = 1000
PRIOR_WORDS = 500.0
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Word:
    """`z` is above 0 where the word is more frequent in the window; beyond ±2 it is no accident."""

    word: str
    z: float
    n_reference: int
    n_window: int


def distinguishing(reference: Iterable[str], window: Iterable[str], most: int) -> list[Word]:
    """At most `most` words, the most telling first.

    Log-odds ratio with an informative Dirichlet prior, the pooled frequencies, divided by its
    standard deviation (Monroe, Colaresi and Quinn, 2008). A word counts once a text.

    >>> [w.word for w in distinguishing(["a b", "a b"] * 9, ["a c", "a c"] * 9, 2)]
    ['c', 'b']
    """
    before, now = _counts(reference), _counts(window)
    n_before, n_now = before.total(), now.total()
    if not n_before or not n_now:
        return []
    words = []
    for word in before.keys() | now.keys():
        a, b = now[word], before[word]
        prior = PRIOR_WORDS * (a + b) / (n_before + n_now)
        odds = _log_odds(a, n_now, prior) - _log_odds(b, n_before, prior)
        z = odds / math.sqrt(1 / (a + prior) + 1 / (b + prior))
        words.append(Word(word, z, b, a))
    return sorted(words, key=lambda word: (-abs(word.z), -word.z, word.word))[:most]


def _log_odds(count: int, total: int, prior: float) -> float:
    return math.log((count + prior) / (total + PRIOR_WORDS - count - prior))


def _counts(texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        words = _WORD.findall(text[:MOST_CHARACTERS].casefold())
        # The last word of a cut text may be cut too.
        counts.update(set(words[:-1] if len(text) > MOST_CHARACTERS else words))
    return counts
