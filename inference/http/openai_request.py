"""A request of OpenAI's dialect, and what stands beside the fields that are known. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec
from starlette.datastructures import Headers

from inference import decoding
from inference.tasks.kinds import TaskKind

R = TypeVar("R", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class Asked(Generic[R]):
    """`more` are the fields of the body that `request` does not have."""

    request: R
    more: Mapping[str, msgspec.Raw]

    def sort_out(self, kind: TaskKind) -> tuple[dict[str, msgspec.Raw], list[str]]:
        """Those of `more` that the task takes, and the names of those that nobody knows."""
        own = set(kind.parameters.__struct_fields__)
        given = {name: value for name, value in self.more.items() if name in own}
        return given, [name for name in self.more if name not in own]


def reader(kind: type[R]) -> Callable[[bytes, Headers], Asked[R]]:
    """Return what makes an Asked of a body; it raises as `decoding.decode` does."""

    def read(body: bytes, headers: Headers) -> Asked[R]:
        request = decoding.decode(body, kind)
        fields = decoding.decode(body, dict[str, msgspec.Raw])
        known = kind.__struct_fields__
        return Asked(request, {name: fields[name] for name in fields if name not in known})

    return read
