"""How good entities are: those that are exactly right, by type and place. Pure.

The definition of CoNLL-2003's shared task, as `seqeval` has it: an entity counts where its type,
its first and its last character are those of the truth.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

Span = tuple[str, int, int]
"""An entity's type, its first character and the one after its last."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Counts over many texts; a rate of nothing is 0."""

    n_true: int
    n_found: int
    n_right: int

    @property
    def precision(self) -> float:
        return self.n_right / self.n_found if self.n_found else 0.0

    @property
    def recall(self) -> float:
        return self.n_right / self.n_true if self.n_true else 0.0

    @property
    def f1(self) -> float:
        both = self.n_true + self.n_found
        return 2 * self.n_right / both if both else 0.0


def score(pairs: Iterable[tuple[Set[Span], Set[Span]]]) -> Scores:
    """Scores of (true, found) entities, one pair a text.

    >>> score([({("PER", 0, 3)}, {("PER", 0, 3), ("LOC", 5, 7)})]).f1
    0.6666666666666666
    """
    n_true = n_found = n_right = 0
    for true, found in pairs:
        n_true, n_found = n_true + len(true), n_found + len(found)
        n_right += len(true & found)
    return Scores(n_true, n_found, n_right)


def spans_of(tokens: Sequence[str], tags: Sequence[str]) -> set[Span]:
    """The entities of IOB2 `tags`, as characters of the tokens joined by blanks.

    An I- of another type than the tag before it begins an entity.

    >>> spans_of(["Ada", "Lovelace", "in", "York"], ["B-PER", "I-PER", "O", "B-LOC"])
    ... # doctest: +SKIP
    {('PER', 0, 12), ('LOC', 16, 20)}
    """
    spans: list[Span] = []
    start, before = 0, "O"
    for token, tag in zip(tokens, tags, strict=True):
        kind, end = tag[2:], start + len(token)
        if tag.startswith("I-") and before[2:] == kind:
            spans[-1] = (kind, spans[-1][1], end)
        elif tag != "O":
            spans.append((kind, start, end))
        start, before = end + 1, tag
    return set(spans)
