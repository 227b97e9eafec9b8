"""The Task port: text ↔ model inputs, model outputs ↔ answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Encoded:
    """One tokenised text, special tokens included, no padding.

    `type_ids` is None for architectures without segment embeddings; `truncated` says that tokens
    were cut off to fit the model; `n_unknown` of the ids say only that the vocabulary has no such
    token.
    """

    ids: list[int]
    type_ids: list[int] | None
    truncated: bool
    n_unknown: int = field(default=0, kw_only=True)

    @property
    def n_tokens(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class InputForm:
    """How a version's texts become one rectangle: what pads, on which side, segment ids or not."""

    pad_id: int
    pads_left: bool
    has_types: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The arrays that the model takes, in order."""
        names = ("input_ids", "attention_mask")
        return (*names, "token_type_ids") if self.has_types else names


@dataclass(frozen=True, slots=True)
class Forwarded:
    """What one forward pass gives for one text: `logits` [n_labels] and the pooled `embedding`
    [hidden].
    """

    logits: Floats
    embedding: Floats


@dataclass(frozen=True, slots=True)
class Decoded:
    """One answer: the task's own `fields`, and what is recorded whatever the caller asked to see.

    `score` is the probability of `label`; `scores` maps every label to its probability (at most
    `MAX_RECORDED_LABELS`, the likeliest ones).
    """

    fields: dict[str, Any]
    label: str
    score: float
    scores: dict[str, float]


MAX_RECORDED_LABELS = 64


class Task(Protocol):
    """What a predictor needs to know about one task for one version."""

    @property
    def parameters_type(self) -> type[Any]: ...

    def encode(self, inputs: Sequence[Any], *, short: bool) -> list[Encoded]:
        """Tokenise; `short` picks the event loop's own tokenizer, else the long-text thread's."""
        ...

    def decode(self, forwarded: Forwarded, parameters: Any) -> Decoded: ...
