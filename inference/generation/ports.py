"""What the step loop asks of a model, and what it gets. Pure.

A plan says what one prompt of a request needs; a row is one sequence that grows; a cohort is the
rows that share forwards, with their caches.
"""

from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from inference.generation.options import GenerationOptions

FinishReason = Literal["eos_token", "length", "stop_sequence"]


@dataclass(frozen=True, slots=True)
class Prompt:
    """One tokenised prompt, special tokens included.

    `is_truncated` says that tokens were cut off to fit; `forced_bos_token_id` is the target
    language of a translation, where the model takes it so; `task` chooses the defaults that the
    model's config and transformers' pipelines have for it.
    """

    ids: tuple[int, ...]
    is_truncated: bool = False
    forced_bos_token_id: int | None = None
    task: str | None = None

    @property
    def n_tokens(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a prompt's sequences need, all defaults filled in. `settings` is the model's own."""

    prompt: Prompt
    max_new_tokens: int
    num_beams: int
    n_sequences: int
    do_sample: bool
    stop: tuple[str, ...]
    settings: Any

    @property
    def n_final(self) -> int:
        """Columns that one sequence may come to fill in a cache."""
        return self.prompt.n_tokens + self.max_new_tokens


@dataclass(frozen=True, slots=True)
class Choice:
    """One token that a row grows by.

    `logprob` is its natural logarithm of probability in the model's own distribution: before
    temperature, penalties and whatever else changes what is drawn.
    """

    token_id: int
    logprob: float


class Row(Protocol):
    """One sequence, as models see it."""

    plan: Plan
    seed: int
    ids: list[int]
    chooser: Any
    """The model's own, None before the first pass: how this row's tokens are chosen."""


class Cohort(Protocol):
    """Rows that share forwards. Between two calls of the loop every row has a token to feed."""

    rows: list[Any]

    @property
    def n_columns(self) -> int:
        """Tokens that the cache holds for each row, padding included."""
        ...

    def step(self) -> None:
        """Feed every row's last token. One that raises leaves the cohort as it was."""
        ...

    def choose(self) -> list[Choice | Exception]:
        """One token for every row from the last pass, or why there is none for that row."""
        ...

    def keep(self, positions: Sequence[int]) -> None:
        """Drop all rows but these, and the columns that only the others needed."""
        ...

    def split(self, positions: Sequence[int]) -> "Cohort":
        """Return these rows as a cohort of their own; this one is unchanged."""
        ...

    def can_absorb(self, other: "Cohort") -> bool:
        """Whether the two can share forwards at all."""
        ...

    def absorb(self, other: "Cohort") -> None:
        """Take over the rows of `other`, which is of no use afterwards."""
        ...


@dataclass(frozen=True, slots=True)
class BeamInput:
    """One prompt for beam search. `is_awaited` says whether anybody still wants the answer."""

    plan: Plan
    is_awaited: Callable[[], bool]

    @property
    def n_tokens(self) -> int:
        return self.plan.n_final


class GenerationModel(Protocol):
    """A model in memory that makes text; everything but `plan` and `decode` runs on model threads.

    `special_ids` are never shown; `eos_ids` of a plan end its rows.
    """

    special_ids: Container[int]
    can_merge: bool
    """Whether newcomers may join rows that have run for a while."""

    @property
    def device(self) -> str:
        """Where it runs and in which format, for people."""
        ...

    @property
    def cache_bytes_per_token(self) -> int:
        """What one row's column of the cache takes."""
        ...

    def plan(self, prompt: Prompt, options: GenerationOptions, *, is_streaming: bool) -> Plan:
        """Fill in the defaults. Raises InvalidRequest, TextTooLong for what cannot be done."""
        ...

    def context(self, plan: Plan) -> Sequence[int]:
        """Return the tokens that the text continues: the prompt's, or none."""
        ...

    def is_end(self, plan: Plan, token_id: int) -> bool:
        """Whether this token ends the text."""
        ...

    def decode(self, ids: Sequence[int], /) -> str:
        """Return the text of `ids` without special tokens; safe on any thread."""
        ...

    def prefill(self, rows: Sequence[Any]) -> Cohort:
        """Run the prompts of `rows` together. Nothing is left of a call that raises."""
        ...

    def beam_key(self, plan: Plan) -> object:
        """Return what must be equal for prompts to share a beam search; hashable."""
        ...

    def beam(self, inputs: Sequence[BeamInput]) -> list[list[list[int]]]:
        """Token ids of every sequence of every prompt, best first, cut after the end token."""
        ...
