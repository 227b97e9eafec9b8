"""A Predictor: one loaded version, as task + runtime + view."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from inference.engine.limits import Priority
from inference.gathering import Gathered
from inference.runtimes.ports import Runtime
from inference.tasks.ports import Encoded, Forwarded, Task
from registry.specs import VersionKind, VersionSpec


@runtime_checkable
class Writer(Protocol):
    """A runtime that makes its answers token by token, on threads of its own."""

    @property
    def is_healthy(self) -> bool: ...

    @property
    def is_drained(self) -> bool:
        """Whether nothing waits or is written."""
        ...

    async def write(
        self, prepared: Sequence[Any], parameters: Any, *, deadline: float, priority: Priority
    ) -> list[Gathered]:
        """Answer every input; `deadline` is on `time.monotonic`."""
        ...

    async def stream(
        self,
        prepared: Sequence[Any],
        parameters: Any,
        tell: Callable[[Any], Awaitable[None]],
        *,
        deadline: float,
        priority: Priority,
    ) -> list[Gathered]:
        """As `write`, telling each token as it comes."""
        ...


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

    @property
    def writer(self) -> Writer | None:
        """What answers token by token, beside the engine; None for all other versions."""
        return self.runtime if isinstance(self.runtime, Writer) else None

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        return self.runtime.forward(batch)
