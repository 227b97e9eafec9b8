"""What is kept of one answered prediction."""

from uuid import UUID

import msgspec


class Compared(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What became of a copy that a shadow got, beside the shadow's own answer in the record.

    `outcome` is compared, failed, or off (it gets no more copies, `reason` says why). `delta` is
    how far the two versions' probabilities of the primary's label are apart, in [0, 1]; `seconds_*`
    are of the forward pass, for each text in it. `primary_id` is None for an answer without an id.
    """

    outcome: str
    primary_id: UUID | None
    primary_version: int
    primary_label: str = ""
    delta: float = 0.0
    seconds_primary: float = 0.0
    seconds_shadow: float = 0.0
    reason: str = ""


LIVE, PINNED, SHADOW, FAILED = "live", "pinned", "shadow", "failed"


class PredictionRecord(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """One prediction as the journal holds it and the monitor reads it.

    `id` is a uuid7; `at` seconds since the epoch (UTC) when the answer was ready; `text` is None
    where texts are not stored; `scores` maps each label to its score; `embedding` is the pooled
    last hidden state as little-endian float16 bytes. Durations are seconds. `array_like` keeps a
    record small: new fields are added at the end, with a default.

    `route` says for whom it was: live for callers, pinned for somebody who looks at one version (no
    sample of the traffic, so not part of its counts), shadow for nobody. A shadow's record has no
    text, scores or embedding, and says in `compared` what it is to the primary's. A failed one is a
    request that a version could not answer: `label` is the error's code, the rest is empty.

    `n_unknown` tokens are out of vocabulary; `script` is the text's main writing system (an ISO
    15924 code, or empty); `is_empty` says that nothing but blanks was sent; `fingerprint` is a
    keyed 64-bit hash of the text, `subject` one of whom the caller says it is about. `is_cached`
    says that somebody had asked the same, and nothing was computed. `answer` is what the task keeps
    beside label and scores, as JSON of bounded size: None where these say it all, or where texts
    are not stored.
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
    route: str = LIVE
    compared: Compared | None = None
    n_unknown: int = 0
    script: str = ""
    is_empty: bool = False
    fingerprint: int = 0
    subject: str = ""
    is_cached: bool = False
    answer: str | None = None
