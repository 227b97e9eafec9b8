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
    """`scores` is there when `top_k` asked for it; `abstained` where the score is below the
    threshold, so that the label is only a guess.
    """

    label: str
    score: float
    scores: list[LabelScore] | None = None
    abstained: bool = False


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


class PromptToken(msgspec.Struct, frozen=True):
    """One token that the model has read; how likely it was is not computed."""

    id: int
    text: str
    logprob: None = None


class WrittenToken(msgspec.Struct, frozen=True):
    """One token that was written. `text` is what it adds: nothing while a character is not whole.

    `logprob` is the natural logarithm of its probability in the model's own distribution, before
    temperature, penalties and whatever else changes what is drawn.
    """

    id: int
    text: str
    logprob: float
    special: bool


class SequenceDetails(msgspec.Struct, frozen=True):
    """How one text came to be; `seed` is null where nothing was drawn."""

    finish_reason: str
    n_generated: int
    seed: int | None
    tokens: list[WrittenToken]


class WrittenReply(PredictionReply, frozen=True, kw_only=True):
    """What was written is in `generated_text`, `summary_text` or `translation_text`, by the task.

    `finish_reason` is eos_token, length or stop_sequence; `n_generated` tokens were made; `seed`
    repeats what was drawn; `sequences` are all texts where several were asked for. A text over the
    model's limit is answered in `n_chunks` pieces, summaries of summaries at several `levels`.
    `details`, one a text, and `prompt_tokens` are there when they were asked for.
    """

    generated_text: str | None = None
    summary_text: str | None = None
    translation_text: str | None = None
    finish_reason: str
    n_generated: int
    seed: int | None = None
    sequences: list[str] | None = None
    details: list[SequenceDetails] | None = None
    prompt_tokens: list[PromptToken] | None = None
    n_chunks: int = 1
    levels: int = 1


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
