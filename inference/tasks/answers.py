"""What a prediction says, by task: the fields that every dialect shapes in its own way. Pure."""

from uuid import UUID

import msgspec


class LabelScore(msgspec.Struct, frozen=True):
    label: str
    score: float


class PredictionReply(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One answer. `id` is what feedback names; `truncated` says that tokens were cut off."""

    id: UUID | None
    n_tokens: int
    truncated: bool


class LabelReply(PredictionReply, frozen=True, kw_only=True):
    """`scores` is there when `top_k` asked for it."""

    label: str
    score: float
    scores: list[LabelScore] | None = None


class Entity(msgspec.Struct, frozen=True, omit_defaults=True):
    """Characters [start, end) of the text: a group of tokens, or with `aggregation_strategy` "none"
    one token, whose place is `index`.
    """

    score: float
    word: str
    start: int
    end: int
    entity_group: str | None = None
    entity: str | None = None
    index: int | None = None


class EntitiesReply(PredictionReply, frozen=True, kw_only=True):
    """The entities in the order of the text."""

    entities: list[Entity]


class Span(msgspec.Struct, frozen=True):
    """Characters [start, end) of the context; empty where it holds no answer."""

    answer: str
    score: float
    start: int
    end: int


class SpanReply(PredictionReply, frozen=True, kw_only=True):
    """The likeliest answer; `answers` is there when `top_k` asked for more than one."""

    answer: str
    score: float
    start: int
    end: int
    answers: list[Span] | None = None
