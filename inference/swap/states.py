"""Where a version stands in one process: legal steps, their times and what they showed (pure).

REGISTERED → VERIFIED → STAGED → LOADING → SMOKE → WARMING → READY
READY → ACTIVE → DRAINING → STANDBY → UNLOADED      (STANDBY and DRAINING → ACTIVE: a roll-back)
any step before READY → FAILED                      (FAILED and UNLOADED → REGISTERED: again)
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from registry.specs import VersionSpec

Identity = tuple[str, int, str]


def identity_of(spec: VersionSpec) -> Identity:
    """What tells a version from every other, also from one of its name and number before."""
    return (spec.model, spec.number, spec.digest)


class SwapState(StrEnum):
    """A version's step in one process."""

    REGISTERED = "registered"
    VERIFIED = "verified"
    STAGED = "staged"
    LOADING = "loading"
    SMOKE = "smoke"
    WARMING = "warming"
    READY = "ready"
    ACTIVE = "active"
    DRAINING = "draining"
    STANDBY = "standby"
    UNLOADED = "unloaded"
    FAILED = "failed"


_S = SwapState
NEXT: Mapping[SwapState, frozenset[SwapState]] = {
    _S.REGISTERED: frozenset({_S.VERIFIED, _S.FAILED}),
    _S.VERIFIED: frozenset({_S.STAGED, _S.FAILED}),
    _S.STAGED: frozenset({_S.LOADING, _S.FAILED}),
    _S.LOADING: frozenset({_S.SMOKE, _S.FAILED}),
    _S.SMOKE: frozenset({_S.WARMING, _S.FAILED}),
    _S.WARMING: frozenset({_S.READY, _S.FAILED}),
    _S.READY: frozenset({_S.ACTIVE, _S.UNLOADED}),
    _S.ACTIVE: frozenset({_S.DRAINING}),
    _S.DRAINING: frozenset({_S.STANDBY, _S.ACTIVE, _S.UNLOADED}),
    _S.STANDBY: frozenset({_S.ACTIVE, _S.UNLOADED}),
    _S.UNLOADED: frozenset({_S.REGISTERED}),
    _S.FAILED: frozenset({_S.REGISTERED}),
}
IN_MEMORY = frozenset({_S.READY, _S.ACTIVE, _S.DRAINING, _S.STANDBY})


class IllegalStep(Exception):
    """A bug: a version was moved to a step that cannot follow the one it is at."""


class CannotServe(Exception):
    """A version must not get traffic here.

    `code` names the step that it failed; `is_final` says that trying again would show the same.
    """

    def __init__(self, code: str, message: str, *, is_final: bool = True) -> None:
        super().__init__(message)
        self.code, self.message, self.is_final = code, message, is_final


class Track:
    """One version's way; written by one thread, read by any.

    `reason` is `code: what happened` once it failed; `evidence` what the steps measured; `times`
    the seconds since the epoch at which each step was reached.
    """

    def __init__(self, spec: VersionSpec, clock: Callable[[], float]) -> None:
        self.spec, self._clock = spec, clock
        self.state = SwapState.REGISTERED
        self.reason = ""
        self.evidence: dict[str, Any] = {}
        self.times: dict[str, float] = {self.state.value: clock()}

    def move(self, state: SwapState, **evidence: Any) -> None:
        """Take the next step; raises IllegalStep. Back at REGISTERED, all is forgotten."""
        if state not in NEXT[self.state]:
            raise IllegalStep(f"{self.spec.model} v{self.spec.number}: {self.state} → {state}")
        if state is SwapState.REGISTERED:
            self.reason, self.evidence, self.times = "", {}, {}
        self.note(**evidence)
        # Replaced, not changed: another thread may be writing them down.
        self.times = {**self.times, state.value: self._clock()}
        self.state = state

    def note(self, **evidence: Any) -> None:
        """Keep what the present step showed."""
        self.evidence = {**self.evidence, **evidence}

    def fail(self, code: str, message: str) -> None:
        """The version does not get any further, from any step before READY."""
        self.move(SwapState.FAILED)
        self.reason = f"{code}: {message}"

    def facts(self) -> dict[str, Any]:
        """The track as plain JSON values."""
        return {
            "version": self.spec.number,
            "digest": self.spec.digest,
            "state": self.state.value,
            "reason": self.reason or None,
            "evidence": self.evidence,
            "times": {state: round(at, 3) for state, at in self.times.items()},
        }
