"""The Runtime port: tensors ↔ device."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from inference.tasks.ports import Encoded, Forwarded


class Runtime(Protocol):
    """A model in memory, ready to run."""

    @property
    def device(self) -> str:
        """Where it runs and in which format, for people: `cpu float32`, `cuda:0 bfloat16`."""
        ...

    def forward(self, batch: Sequence[Encoded]) -> list[Forwarded]:
        """Run one batch; one output per input, in order. Blocks; called on a lane thread."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where and how models run: `device` is cpu, cuda or cuda:N; passes share `n_cores`."""

    device: str
    dtype: str
    n_cores: int
