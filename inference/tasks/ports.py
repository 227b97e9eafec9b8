"""The Task port: text ↔ model inputs, model outputs ↔ answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from inference.tasks.inputs import Input

Floats = npt.NDArray[np.float32]
T = TypeVar("T")


class Head(StrEnum):
    """What one forward pass gives for one piece of n tokens, as `Forwarded.logits`."""

    LABELS = "labels"
    """One number a label: [n_labels]."""
    TOKENS = "tokens"
    """One number a token and label: [n, n_labels]."""
    SPANS = "spans"
    """For each token, that the answer begins there, and that it ends there: [n, 2]."""
    MASKS = "masks"
    """One number a masked place and word of the vocabulary: [len(places), n_words]."""
    STATES = "states"
    """The last hidden states, reduced in each way of `POOLED`: [4, hidden]."""


POOLED = ("cls", "mean", "max", "last")


class Prepared(Protocol):
    """One input, ready for the engine: its `pieces` run as rows of batches, together or apart."""

    @property
    def pieces(self) -> "Sequence[Encoded]": ...

    @property
    def n_tokens(self) -> int:
        """Tokens of the input, special tokens included, those in two pieces once."""
        ...

    @property
    def truncated(self) -> bool:
        """Whether tokens were cut off, so that the answer does not know them."""
        ...

    @property
    def n_unknown(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Encoded:
    """One tokenised text, special tokens included, no padding: an input that is its only piece.

    `type_ids` is None for architectures without segment embeddings; `truncated` says that tokens
    were cut off to fit the model; `n_unknown` of the ids say only that the vocabulary has no such
    token; `places` are the masked ones, where a task asks what belongs there.
    """

    ids: list[int]
    type_ids: list[int] | None
    truncated: bool
    n_unknown: int = field(default=0, kw_only=True)
    places: tuple[int, ...] = field(default=(), kw_only=True)

    @property
    def n_tokens(self) -> int:
        return len(self.ids)

    @property
    def pieces(self) -> "tuple[Encoded, ...]":
        return (self,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Divided:
    """An input of several pieces: windows of a long text, or texts that are compared.

    `context` is what the task needs to put the pieces' outputs together.
    """

    pieces: tuple[Encoded, ...]
    n_tokens: int
    truncated: bool
    n_unknown: int = 0
    context: Any = None


def flatten(prepared: Sequence[Prepared]) -> list[Encoded]:
    """All pieces, in order."""
    return [piece for each in prepared for piece in each.pieces]


def regroup(prepared: Sequence[Prepared], outputs: Sequence[T]) -> Iterator[Sequence[T]]:
    """The outputs of the pieces that `flatten` gives, by input."""
    start = 0
    for each in prepared:
        end = start + len(each.pieces)
        yield outputs[start:end]
        start = end


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
    """What one forward pass gives for one piece: `logits` as the task's Head says, and the pooled
    `embedding` [hidden].
    """

    logits: Floats
    embedding: Floats


@dataclass(frozen=True, slots=True)
class Decoded:
    """One answer: the task's own `fields`, and what is recorded whatever the caller asked to see.

    `score` is the probability of `label`; `scores` maps every label to its probability (at most
    `MAX_RECORDED_LABELS`, the likeliest ones). `answer` is what is kept besides, where these do not
    say it all: JSON, in which `word` or `answer` beside `start` and `end` is a piece of the input.
    """

    fields: dict[str, Any]
    label: str
    score: float
    scores: dict[str, float]
    answer: dict[str, Any] | None = None


MAX_RECORDED_LABELS = 64


class Task(Protocol):
    """What a predictor needs to know about one task for one version.

    `accepts` are the types of its inputs; `defaults` parameters that go with every example.
    """

    @property
    def accepts(self) -> tuple[type[Any], ...]: ...

    @property
    def parameters_type(self) -> type[Any]: ...

    @property
    def defaults(self) -> Any: ...

    @property
    def max_tokens(self) -> int | None:
        """How many tokens the model reads at once; None where that is not known here."""
        ...

    def example(self, text: str) -> Input:
        """An input of this task made from any text, to try a version out."""
        ...

    def encode(self, inputs: Sequence[Any], parameters: Any, *, short: bool) -> Sequence[Prepared]:
        """Tokenise; `short` picks the event loop's own tokenizer, else the long-text thread's.

        Raises InvalidRequest for parameters that do not go with the inputs.
        """
        ...

    def decode(self, prepared: Prepared, outputs: Sequence[Forwarded], parameters: Any) -> Decoded:
        """The answer to one input, from what its pieces gave."""
        ...


class LocalTask(Task, Protocol):
    """A task whose texts are tokenised here: `form` says how they become one rectangle."""

    @property
    def form(self) -> InputForm: ...
