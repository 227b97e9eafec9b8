"""Whether one more model fits into memory, asked before it is loaded (pure).

The figure is an estimate: weights in the format they run in, as many copies as loading needs at its
peak, and what the last load needed beyond that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference.swap.states import CannotServe

# What answering needs beside weights, and what others may take meanwhile.
HEADROOM_BYTES = 128 * 1024**2

_ITEM_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1}
DTYPE_BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True, slots=True)
class Memory:
    """What there is where models live, in bytes; `where` names the limit that binds."""

    limit: int
    used: int
    where: str


@dataclass(frozen=True, slots=True)
class Admission:
    """The figures of a decision, in bytes."""

    memory: Memory
    estimate: int
    headroom: int = HEADROOM_BYTES

    @property
    def fits(self) -> bool:
        return not self.shortfall

    @property
    def shortfall(self) -> int:
        """How much is missing; 0 when it fits."""
        return max(0, self.memory.used + self.estimate + self.headroom - self.memory.limit)

    def facts(self) -> dict[str, Any]:
        return {
            "limit_bytes": self.memory.limit,
            "limit_of": self.memory.where,
            "used_bytes": self.memory.used,
            "estimated_bytes": self.estimate,
            "headroom_bytes": self.headroom,
        }


def weigh(header: Mapping[str, Any], dtype: str) -> int:
    """Bytes of the tensors of one safetensors `header` once loaded as `dtype`.

    Floating-point tensors are converted, others stay as they are.

    >>> weigh({"w": {"dtype": "F16", "shape": [2, 3], "data_offsets": [0, 12]}}, "float32")
    24
    """
    total = 0
    for name, tensor in header.items():
        if name == "__metadata__":
            continue
        start, end = tensor["data_offsets"]
        kept = _ITEM_BYTES.get(tensor["dtype"])
        total += (end - start) if kept is None else (end - start) // kept * DTYPE_BYTES[dtype]
    return total


def estimate(weights: int, *, copies: float, overhead: int) -> int:
    """Bytes that loading takes at its peak."""
    return int(weights * copies) + overhead


def admit(memory: Memory, estimated: int) -> Admission:
    """Return the decision's figures; raises CannotServe (`does_not_fit`) with them."""
    admission = Admission(memory, estimated)
    if not admission.fits:
        raise CannotServe(
            "does_not_fit",
            f"it needs about {_mb(estimated)} and {_mb(admission.headroom)} to spare, but "
            f"{_mb(memory.used)} of {_mb(memory.limit)} ({memory.where}) are in use",
        )
    return admission


def _mb(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.0f} MB"
