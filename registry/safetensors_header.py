"""What a safetensors file says of its tensors, read from its header alone (pure).

The file begins with the header's length (8 bytes, little endian) and the header, a JSON object from
tensor name to `{"dtype", "shape", "data_offsets"}`; `__metadata__` is no tensor.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from registry.content import MAX_SAFETENSORS_HEADER_BYTES
from registry.errors import ContentRefused


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's type in safetensors' words (F32, BF16, I64, …) and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def n_values(self) -> int:
        return math.prod(self.shape)


def read_tensors(stream: BinaryIO) -> dict[str, Tensor]:
    """The tensors of a safetensors file by name, in its order; reads no more than the header.

    Raises ContentRefused for a header that is too long or not of the form.
    """
    length = int.from_bytes(stream.read(8), "little")
    if not 2 <= length <= MAX_SAFETENSORS_HEADER_BYTES:
        raise ContentRefused(f"the safetensors header claims {length} bytes")
    data = stream.read(length)
    try:
        header = json.loads(data)
        return {name: _tensor(facts) for name, facts in header.items() if name != "__metadata__"}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise ContentRefused("the safetensors header is not of the form") from error


def count_parameters(tensors: Iterable[Tensor]) -> dict[str, int]:
    """How many values there are of each type, most first."""
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[tensor.dtype] += tensor.n_values
    return dict(counts.most_common())


def _tensor(facts: Mapping[str, Any]) -> Tensor:
    shape = tuple(int(size) for size in facts["shape"])
    if any(size < 0 for size in shape) or len(shape) > 64:
        raise ValueError("a shape holds sizes")
    return Tensor(str(facts["dtype"])[:16], shape)
