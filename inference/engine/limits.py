"""How much the engine takes on, and in which order."""

import math
from dataclasses import dataclass
from enum import IntEnum


class Priority(IntEnum):
    """Who goes first; lower runs earlier. `EngineLimits.max_age_s` keeps the rest from starving."""

    INTERACTIVE = 0
    JOB = 1
    SHADOW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLimits:
    """Bounds of one engine. Raises ValueError, naming the field, for a bound that cannot hold."""

    n_lanes: int = 1
    """Threads that run batches, each one batch at a time."""
    max_batch: int = 32
    """Entries in one batch."""
    max_batch_tokens: int = 8192
    """Longest entry times count, what a padded batch costs; a longer single entry runs alone."""
    max_padding: float = 0.3
    """Share of a batch that may be padding at most, 1 - sum(lengths) / (count * longest). Below it,
    what batches are seen to cost decides."""
    max_queue: int = 2048
    """Entries that may wait."""
    max_queue_tokens: int = 262_144
    """Tokens that may wait, all entries together."""
    max_age_s: float = 1.0
    """Entries of one runner and priority get a batch this often, whatever else is urgent."""
    low_priority_share: float = 0.5
    """Share of the queue that work below INTERACTIVE may fill, so that jobs refuse no person."""
    max_forward_s: float = 60.0
    """A batch that runs longer makes the engine unhealthy."""
    restart_backoff_s: float = 0.1
    """Pause before a dead lane starts again; doubles with every death in a row, up to 5 s."""

    def __post_init__(self) -> None:
        for name in ("n_lanes", "max_batch", "max_batch_tokens", "max_queue", "max_queue_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
        for name in ("max_age_s", "max_forward_s", "restart_backoff_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ValueError(f"{name} must be more than 0 s, not {getattr(self, name)}.")
        if not 0 <= self.max_padding < 1:
            raise ValueError(f"max_padding must be in [0, 1), not {self.max_padding}.")
        if not 0 < self.low_priority_share <= 1:
            raise ValueError(
                f"low_priority_share must be in (0, 1], not {self.low_priority_share}."
            )

    def get_room(self, priority: Priority) -> tuple[int, int]:
        """Entries and tokens that the queue may hold after work of `priority` has joined it."""
        if priority == Priority.INTERACTIVE:
            return self.max_queue, self.max_queue_tokens
        share = self.low_priority_share
        return max(1, int(self.max_queue * share)), max(1, int(self.max_queue_tokens * share))
