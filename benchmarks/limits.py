"""Figures that must hold, and how a run is judged by them. Pure."""

from collections.abc import Iterable

import msgspec

# Stated for the two-core machine on which the design was made; see README.md.
MAX_OVERHEAD_MS, GOAL_OVERHEAD_MS = 1.0, 0.5
MIN_TIMES_BLOG = 3.0
GOAL_OF_ORACLE = 0.95
MIN_AGREEMENT = 0.999


class Limit(msgspec.Struct, frozen=True, kw_only=True):
    """One figure and its bound: `is_floor` when the value must not be below it. A goal (not
    `is_required`) is judged, and never fails a run.
    """

    name: str
    value: float
    bound: float
    is_floor: bool
    is_required: bool = True

    @property
    def is_met(self) -> bool:
        # NaN, a figure that was not measured, meets nothing.
        return self.value >= self.bound if self.is_floor else self.value <= self.bound

    def sentence(self) -> str:
        verdict = "met" if self.is_met else "MISSED" if self.is_required else "goal not reached"
        sign = "≥" if self.is_floor else "≤"
        return f"{self.name}: {self.value:.3f} ({sign} {self.bound:g}): {verdict}"


def has_missed(limits: Iterable[Limit]) -> bool:
    return any(limit.is_required and not limit.is_met for limit in limits)
