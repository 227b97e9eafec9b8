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
