"""What a caller receives. Pure."""

from dataclasses import dataclass
from typing import TypeAlias

from inference.errors import InferenceError
from inference.generation.ports import FinishReason


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEvent:
    """One new token of sequence `sequence` of prompt `index`.

    `text` is the piece to append; it is empty while a character is not whole yet, for special
    tokens, and while a stop text may have begun. `logprob`: see `ports.Choice`.
    """

    index: int
    sequence: int
    token_id: int
    text: str
    logprob: float
    is_special: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishEvent:
    """The last event of one sequence."""

    index: int
    sequence: int
    finish_reason: FinishReason
    n_tokens: int
    seed: int | None
    text: str
    """All of it, equal to its pieces joined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedEvent:
    """The last event of a sequence on which the model failed; the others go on."""

    index: int
    sequence: int
    error: InferenceError


Event: TypeAlias = TokenEvent | FinishEvent | FailedEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """One finished sequence.

    `tokens` are what a stream would have told; empty where beams were kept. `seed` is None where
    nothing was drawn. `queue_s` is the wait before the first pass, `inference_s` the time from then
    to the last token.
    """

    text: str
    token_ids: tuple[int, ...]
    tokens: tuple[TokenEvent, ...]
    finish_reason: FinishReason
    seed: int | None
    n_prompt_tokens: int
    is_truncated: bool
    queue_s: float
    inference_s: float

    @property
    def n_tokens(self) -> int:
        return len(self.token_ids)

    @property
    def logprobs(self) -> tuple[float, ...]:
        """One number for each of `tokens`."""
        return tuple(token.logprob for token in self.tokens)


Outcome: TypeAlias = tuple[Generated, ...] | InferenceError
"""One prompt's sequences, or why there are none."""
