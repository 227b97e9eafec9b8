"""Phrases nobody wrote, for the student to hear the teacher's opinion of.

On its own training rows the teacher repeats the labels; on altered ones its soft labels
carry what it has understood (Tang et al., 2019; Jiao et al., 2020). The true label of
such a phrase is unknown, so it must never be trained on as if it had one.
"""

import random
from collections.abc import Sequence

REPLACED_SHARE = 0.1
JOINED_SHARE = 0.5
_LINKS = (".", ".", ",", "and", "but")


def alter(texts: Sequence[str], seed: int) -> list[str]:
    """Return one altered phrase for each text.

    About one word in ten gives way to a word drawn from all texts, as often as it
    occurs there, and every second phrase is joined to another one.
    """
    rng = random.Random(seed)  # noqa: S311, a seed is wanted
    phrases = [text.split() for text in texts]
    words = [word for phrase in phrases for word in phrase]
    return [" ".join(_alter_one(phrase, phrases, words, rng)) for phrase in phrases]


def _alter_one(
    phrase: Sequence[str],
    phrases: Sequence[Sequence[str]],
    words: Sequence[str],
    rng: random.Random,
) -> list[str]:
    altered = list(phrase)
    if rng.random() < JOINED_SHARE:
        altered += [rng.choice(_LINKS), *rng.choice(phrases)]
    return [rng.choice(words) if rng.random() < REPLACED_SHARE else w for w in altered]
