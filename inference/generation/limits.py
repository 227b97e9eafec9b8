"""How much one generator takes on. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.errors import TextTooLong, TooManyInputs

if TYPE_CHECKING:
    from inference.generation.ports import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationLimits:
    """Bounds of one generator. Raises ValueError, naming the field, for one that cannot hold."""

    max_rows: int = 32
    """Sequences that grow at once, all cohorts together."""
    max_cohorts: int = 4
    """Groups of rows that share forwards; they take turns."""
    max_cached_tokens: int = 65_536
    """Columns times rows that caches may come to hold, padding included."""
    max_padding: float = 0.5
    """Share of a cohort that may be padding when somebody joins it."""
    max_prefill_tokens: int = 4096
    """Longest prompt times prompts of one first pass; a longer one runs alone."""
    max_prompt_tokens: int = 8192
    """Tokens of one prompt, where the model itself sets no lower bound."""
    max_new_tokens: int = 2048
    """Tokens that one sequence may grow by."""
    max_beams: int = 8
    """Highest `num_beams`."""
    max_beam_rows: int = 32
    """Beams that run in one batch."""
    max_sequences: int = 16
    """Prompts times `num_return_sequences` of one request."""
    max_queue: int = 512
    """Sequences that may wait."""
    max_queue_tokens: int = 262_144
    """Tokens that waiting prompts may hold."""
    low_priority_share: float = 0.5
    """Share of the queue that work below INTERACTIVE may fill."""
    max_age_s: float = 5.0
    """Who has waited this long goes before whoever is more urgent."""
    max_buffered_events: int = 256
    """Events that a request's reader may leave unread before its rows pause."""
    max_stall_s: float = 20.0
    """Pause after which a request is cancelled because nobody reads it."""
    max_step_s: float = 60.0
    """A pass that runs longer makes the generator unhealthy."""
    restart_backoff_s: float = 0.1
    """Pause before a dead thread starts again; doubles with every death in a row, up to 5 s."""

    def __post_init__(self) -> None:
        for name in _COUNTS:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("max_age_s", "max_stall_s", "max_step_s", "restart_backoff_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be more than 0 s, not {getattr(self, name)}.")
        if not 0 <= self.max_padding < 1:
            raise ValueError(f"max_padding must be in [0, 1), not {self.max_padding}.")
        if not 0 < self.low_priority_share <= 1:
            raise ValueError(
                f"low_priority_share must be in (0, 1], not {self.low_priority_share}."
            )


_COUNTS = (
    "max_rows",
    "max_cohorts",
    "max_cached_tokens",
    "max_prefill_tokens",
    "max_prompt_tokens",
    "max_new_tokens",
    "max_beams",
    "max_beam_rows",
    "max_sequences",
    "max_queue",
    "max_queue_tokens",
    "max_buffered_events",
)


def check_size(plans: "Sequence[Plan]", limits: GenerationLimits) -> None:
    """Refuse what never fits: TooManyInputs for sequences, TextTooLong for the tokens of one."""
    n_sequences = sum(plan.n_sequences for plan in plans)
    if n_sequences > limits.max_sequences:
        raise TooManyInputs(
            f"{len(plans)} prompts with {n_sequences} sequences are more than a request may "
            f"hold ({limits.max_sequences}); split it.",
            details={"limit": limits.max_sequences},
        )
    longest = max((plan.n_final for plan in plans), default=0)
    if longest > limits.max_cached_tokens:
        raise TextTooLong(
            f"A prompt and its new tokens may be {limits.max_cached_tokens} tokens, "
            f"not {longest}. Shorten the prompt or lower 'parameters.max_new_tokens'.",
            details={"field": "parameters.max_new_tokens"},
        )
