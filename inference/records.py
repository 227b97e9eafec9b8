"""What is kept of one answered prediction."""

from uuid import UUID

import msgspec


class PredictionRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One prediction as the journal holds it and the monitor reads it.

    `id` is a uuid7; `at` seconds since the epoch (UTC) when the answer was ready; `text` is None
    where texts are not stored; `scores` maps each label to its score; `embedding` is the pooled
    last hidden state as little-endian float16 bytes. Durations are seconds. `array_like` keeps a
    record small: new fields are added at the end, with a default.
    """

    id: UUID
    at: float
    model: str
    version: int
    digest: str
    task: str
    text: str | None
    label: str
    score: float
    scores: dict[str, float]
    n_tokens: int
    truncated: bool
    segment: str
    request_id: str
    dialect: str
    key_id: str
    tokenize_s: float
    queue_s: float
    inference_s: float
    total_s: float
    embedding: bytes
