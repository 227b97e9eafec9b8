"""A Predictor: one loaded version, as task + runtime + view."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.runtimes.ports import Runtime
from inference.tasks.ports import Encoded, Forwarded, Task
from registry.specs import VersionKind, VersionSpec


@dataclass(frozen=True, slots=True, weakref_slot=True, kw_only=True, eq=False)
class Predictor:
    """Compared by identity: the engine never puts two of them into one batch."""

    spec: VersionSpec
    task: Task
    runtime: Runtime

    @property
    def is_far(self) -> bool:
        """Whether another machine answers: see `inference.engine.ports.Runner`."""
        return self.spec.kind is VersionKind.REMOTE

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        return self.runtime.forward(batch)
