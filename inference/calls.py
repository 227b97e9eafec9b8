"""What goes into the pipeline and what comes out of it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import msgspec

from inference.engine.limits import Priority
from inference.routing import UNSTEERED, Steering
from inference.tasks.inputs import Input
from inference.tasks.ports import Decoded, Prepared
from registry.specs import VersionSpec

NO_PARAMETERS = msgspec.Raw(b"{}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, whatever dialect it came in; `subject` is whom its texts are about or from.

    `tell` hears what a version writes while it is written: Started, then events of
    `inference.generation.events`.
    """

    model: str
    inputs: Sequence[Input]
    parameters: msgspec.Raw
    request_id: str
    dialect: str
    key_id: str
    segment: str = ""
    subject: str = ""
    priority: Priority = Priority.INTERACTIVE
    timeout_s: float = 30.0
    steering: Steering = UNSTEERED
    tell: Callable[[Any], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """Which version answers, and what it has read: told before anything is computed."""

    spec: VersionSpec
    prepared: Sequence[Prepared]


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer; `id` is None when it could not be recorded (it cannot get feedback then)."""

    id: UUID | None
    decoded: Decoded
    n_tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Timing:
    """Where the time went, in seconds: `queue_s` and `inference_s` are the slowest text's."""

    tokenize_s: float
    queue_s: float
    inference_s: float
    total_s: float

    def by_stage(self) -> dict[str, float]:
        """Return the seconds under the names that metrics and answers give the stages."""
        return {
            "tokenize": self.tokenize_s,
            "queue": self.queue_s,
            "inference": self.inference_s,
            "total": self.total_s,
        }


@dataclass(frozen=True, slots=True)
class Answer:
    spec: VersionSpec
    predictions: list[Prediction]
    timing: Timing
