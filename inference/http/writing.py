"""The port by which dialects have text written, piece by piece. Pure."""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from inference.routing import UNSTEERED, Steering
from registry.specs import VersionSpec

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Turn:
    role: Role
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be written: what comes after each of `prompts`, or the next turn after `turns`.

    Prompts are texts or, all of them, token ids of the model's own. Each gets `n` texts of at most
    `max_tokens`, which end before a text of `stop`. None leaves a choice to the version. `subject`
    is whom the texts are about or from; `wants_logprobs` asks for a Piece a token.
    """

    model: str
    prompts: Sequence[str] | Sequence[Sequence[int]] = ()
    turns: tuple[Turn, ...] = ()
    n: int = 1
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    timeout_s: float
    request_id: str
    key_id: str
    subject: str = ""
    wants_logprobs: bool = False
    steering: Steering = field(default=UNSTEERED)


@dataclass(frozen=True, slots=True)
class Begun:
    """The first event: which version writes, and how many tokens it has read."""

    spec: VersionSpec
    n_prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Piece:
    """What text `index` goes on with; those of the first prompt come first. `logprob` is the
    token's, where the order wants it.
    """

    index: int
    text: str
    logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of text `index`, which has `n_tokens`."""

    index: int
    reason: FinishReason
    n_tokens: int


Event: TypeAlias = Begun | Piece | Finished


class Writer(Protocol):
    def write(self, order: Order) -> AsyncGenerator[Event, None]:
        """Write; closing the generator ends the writing.

        Raises ModelNotFound, ModelNotReady, InvalidRequest, QueueFull and the like before the
        first event, or later what ends the writing.
        """
        ...
