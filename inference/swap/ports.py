"""What hot swap asks of the world around it, and a fake of each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from inference.swap.admission import Memory
from registry.golden import GoldenSpec
from registry.specs import DesiredState, VersionSpec


class Registry(Protocol):
    """What should be served; `registry.queries` is one."""

    def load_generation(self) -> int: ...
    def load_desired_state(self) -> DesiredState: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaReport:
    """What one process says of itself. `states` is by model: `{"prepared", "applied", "failed",
    "reason", "versions": [track facts]}`, generations being the model's.
    """

    is_ready: bool
    rss_bytes: int
    states: Mapping[str, Any] = field(default_factory=dict)


class Desk(Protocol):
    """Where this process reports, and asks what concerns others too."""

    def stage(self, spec: VersionSpec) -> dict[str, Any]:
        """Check the version's files, state and signature; return evidence. Raises a
        BellwetherError.
        """
        ...

    def load_golden(self, spec: VersionSpec) -> GoldenSpec | None:
        """The version's golden inputs, None while there are none."""
        ...

    def keep_golden(self, spec: VersionSpec, golden: GoldenSpec) -> None: ...

    def report(self, report: ReplicaReport) -> Mapping[str, int]:
        """Say that this process is alive; returns the committed generation of every model."""
        ...

    def commit(self, model: str) -> bool:
        """Let the prepared routes answer if all replicas are that far; True if it was done now."""
        ...

    def leave(self) -> None:
        """This process serves no longer."""
        ...

    def hang_up(self) -> None:
        """The calling thread has no more to say: what it holds open may be closed."""
        ...


class NullDesk:
    """Nobody else is there, and nothing is kept."""

    def stage(self, spec: VersionSpec) -> dict[str, Any]:
        return {}

    def load_golden(self, spec: VersionSpec) -> GoldenSpec | None:
        return None

    def keep_golden(self, spec: VersionSpec, golden: GoldenSpec) -> None:
        return None

    def report(self, report: ReplicaReport) -> Mapping[str, int]:
        return {}

    def commit(self, model: str) -> bool:
        return False

    def leave(self) -> None:
        return None

    def hang_up(self) -> None:
        return None


class Room(Protocol):
    """Memory where models live."""

    def weigh(self, spec: VersionSpec) -> int:
        """Bytes of the version's weights in the format that they run in."""
        ...

    def read(self) -> Memory: ...

    @property
    def peak_copies(self) -> float:
        """How many times its weights a model needs while it is loaded."""
        ...
