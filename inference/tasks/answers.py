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


class RankedReply(PredictionReply, frozen=True, kw_only=True):
    """The candidates, best first, and the best one by itself."""

    label: str
    score: float
    scores: list[LabelScore]


class Fill(msgspec.Struct, frozen=True):
    """A word for a masked place; `token` is its id, `sequence` the text with it."""

    score: float
    token: int
    token_str: str
    sequence: str


class FillsReply(PredictionReply, frozen=True, kw_only=True):
    """The likeliest words of each masked place, in the order of the places."""

    fills: list[list[Fill]]


class EmbeddingReply(PredictionReply, frozen=True, kw_only=True):
    """`embedding` of a text; `similarities` (cosines) of a source sentence to each other one."""

    embedding: list[float] | None = None
    similarities: list[float] | None = None


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
