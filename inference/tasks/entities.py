"""From labelled tokens to entities, by the rules of transformers' TokenClassificationPipeline.

Pure but for the tokenizer, which says how tokens read.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol, Self

import numpy as np

from inference.tasks.ports import Floats

Strategy = Literal["none", "simple", "first", "average", "max"]


class Spelling(Protocol):
    """How tokens read; `has_word_pieces` where a token itself shows that it goes on a word."""

    @property
    def has_word_pieces(self) -> bool: ...
    @property
    def unk_id(self) -> int | None: ...
    def token(self, token_id: int) -> str: ...
    def join(self, tokens: list[str]) -> str: ...


@dataclass(frozen=True, slots=True)
class Label:
    """A label such as B-PER: it begins a PER, which is its `tag` and its entity's `group`."""

    name: str
    begins: bool
    tag: str
    group: str

    @classmethod
    def of(cls, name: str) -> Self:
        tag = name[2:] if name.startswith(("B-", "I-")) else name
        return cls(name, name.startswith("B-"), tag, name.split("-", 1)[-1])


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of a text, in order, without special ones: `offsets` are characters of the text,
    `places` count from 0 with special tokens, `probabilities` are [n, n_labels].
    """

    ids: list[int]
    offsets: list[tuple[int, int]]
    places: list[int]
    probabilities: Floats

    def part(self, start: int, end: int) -> "Tokens":
        return Tokens(
            self.ids[start:end],
            self.offsets[start:end],
            self.places[start:end],
            self.probabilities[start:end],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A stretch [start, end) of the text; `place` is a token's, None for a group of tokens."""

    label: str
    score: float
    word: str
    start: int
    end: int
    place: int | None = None

    def fields(self) -> dict[str, Any]:
        where = {"word": self.word, "start": self.start, "end": self.end}
        if self.place is None:
            return {"entity_group": self.label, "score": self.score, **where}
        return {"entity": self.label, "score": self.score, "index": self.place, **where}


@dataclass(frozen=True, slots=True)
class _Unit:
    """What gets one label: the tokens [first, last]."""

    label: Label
    score: np.float32
    first: int
    last: int


def find_entities(
    tokens: Tokens,
    text: str,
    labels: Sequence[Label],
    spelling: Spelling,
    *,
    strategy: Strategy,
    ignored: Collection[str],
) -> Iterator[Entity]:
    """The entities in the text's order, but those with an `ignored` label; with the strategy `none`
    each token by itself.
    """
    if strategy == "none":
        for unit in _units(tokens.probabilities, labels):
            if unit.label.name not in ignored:
                yield _single(tokens, text, unit, spelling)
        return
    is_simple = strategy == "simple"
    units = (
        _units(tokens.probabilities, labels)
        if is_simple
        else _words(tokens, text, labels, strategy, spelling)
    )
    for group in _groups(units):
        if group[0].label.group not in ignored:
            words = [_word(tokens, text, unit, spelling, is_joined=not is_simple) for unit in group]
            yield Entity(
                label=group[0].label.group,
                score=float(np.mean([unit.score for unit in group])),
                word=spelling.join(words),
                start=tokens.offsets[group[0].first][0],
                end=tokens.offsets[group[-1].last][1],
            )


def _single(tokens: Tokens, text: str, unit: _Unit, spelling: Spelling) -> Entity:
    start, end = tokens.offsets[unit.first]
    return Entity(
        label=unit.label.name,
        score=float(unit.score),
        word=_word(tokens, text, unit, spelling, is_joined=False),
        start=start,
        end=end,
        place=tokens.places[unit.first],
    )


def merge_overlapping(entities: Sequence[Entity]) -> list[Entity]:
    """What windows found, with the longest, then the likeliest, of those that overlap."""
    merged: list[Entity] = []
    for entity in sorted(entities, key=lambda each: each.start):
        if not merged or not merged[-1].start <= entity.start < merged[-1].end:
            merged.append(entity)
        elif _size(entity) > _size(merged[-1]):
            merged[-1] = entity
    return merged


def _size(entity: Entity) -> tuple[int, float]:
    return entity.end - entity.start, entity.score


def _units(probabilities: Floats, labels: Sequence[Label]) -> list[_Unit]:
    best = probabilities.argmax(axis=1) if len(probabilities) else np.zeros(0, dtype=int)
    scores = probabilities[np.arange(len(best)), best]
    return [
        _Unit(labels[label], score, at, at)
        for at, (label, score) in enumerate(zip(best.tolist(), scores, strict=True))
    ]


def _words(
    tokens: Tokens, text: str, labels: Sequence[Label], strategy: Strategy, spelling: Spelling
) -> list[_Unit]:
    """One unit a word, whose label `strategy` takes from its tokens."""
    starts = [
        at for at in range(len(tokens.ids)) if at == 0 or not _goes_on(tokens, text, at, spelling)
    ]
    units = []
    for first, after in pairwise([*starts, len(tokens.ids)]):
        rows = tokens.probabilities[first:after]
        row = _row(rows, strategy)
        best = int(row.argmax())
        units.append(_Unit(labels[best], row[best], first, after - 1))
    return units


def _row(rows: Floats, strategy: Strategy) -> Floats:
    row: Floats
    if strategy == "first":
        row = rows[0]
    elif strategy == "max":
        row = rows[rows.max(axis=1).argmax()]
    else:
        row = rows.mean(axis=0)
    return row


def _goes_on(tokens: Tokens, text: str, at: int, spelling: Spelling) -> bool:
    """Whether a token goes on the word of the one before it."""
    start, end = tokens.offsets[at]
    if tokens.ids[at] == spelling.unk_id:
        return False
    if spelling.has_word_pieces:
        return len(spelling.token(tokens.ids[at])) != end - start
    # Without a mark of pieces, a word is what stands between blanks.
    return start > 0 and " " not in text[start - 1 : start + 1]


def _groups(units: Sequence[_Unit]) -> list[list[_Unit]]:
    """Neighbours of one tag, apart where a label says that another entity begins."""
    groups: list[list[_Unit]] = []
    for unit in units:
        if groups and groups[-1][-1].label.tag == unit.label.tag and not unit.label.begins:
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def _word(tokens: Tokens, text: str, unit: _Unit, spelling: Spelling, *, is_joined: bool) -> str:
    """How a unit reads; several tokens are joined, and so is one where several might be."""
    words = [
        text[slice(*tokens.offsets[at])]
        if tokens.ids[at] == spelling.unk_id
        else spelling.token(tokens.ids[at])
        for at in range(unit.first, unit.last + 1)
    ]
    return spelling.join(words) if is_joined else words[0]
