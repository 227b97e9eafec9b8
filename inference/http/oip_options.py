"""An inference request's `parameters`, sorted: the task's, the protocol's, and nobody's. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

import msgspec

from inference import decoding
from inference.engine.limits import Priority
from inference.errors import InvalidRequest
from inference.http.oip_messages import InferRequest, RequestedOutput
from inference.http.oip_tensors import Output, Parameters
from inference.tasks.kinds import TaskKind

# Nothing here lives longer than one request, so sequences need no care.
SEQUENCE = frozenset({"sequence_id", "sequence_start", "sequence_end"})
_NULL = msgspec.Raw(b"null")
T = TypeVar("T")
_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`given` are the task's parameters, `ignored` the names of those that nobody here knows.

    `timeout_s` is None where the caller does not say; `is_binary` is the default of its outputs.
    """

    given: dict[str, msgspec.Raw]
    ignored: list[str]
    priority: Priority
    timeout_s: float | None
    is_binary: bool


def read_options(request: InferRequest, kind: TaskKind) -> Options:
    """Raises InvalidRequest for one that is known, and wrong."""
    own = set(kind.parameters.__struct_fields__)
    asked = request.parameters
    known = own | SEQUENCE | {"priority", "timeout", "binary_data_output"}
    timeout_us = _read(asked, "timeout", _Count, 0)
    return Options(
        given=_task_parameters(request, own),
        ignored=[f"parameters.{name}" for name in asked if name not in known],
        # Triton's 0 is the default and 1 the highest: people wait for both.
        priority=Priority.INTERACTIVE if _read(asked, "priority", _Count, 0) <= 1 else Priority.JOB,
        timeout_s=timeout_us / 1e6 if timeout_us else None,
        is_binary=_read(asked, "binary_data_output", bool, False),
    )


def _read(parameters: Parameters, name: str, kind: type[T], default: T) -> T:
    value = parameters.get(name)
    if value is None:
        return default
    return decoding.convert(value, kind, f"parameters.{name}")


def _task_parameters(request: InferRequest, own: set[str]) -> dict[str, msgspec.Raw]:
    given = {name: value for name, value in request.parameters.items() if name in own}
    if "top_k" not in own:
        return given
    wants_scores = any(output.name == "scores" for output in request.outputs)
    if bytes(given.get("top_k", b"")) == b"-1" or (wants_scores and "top_k" not in given):
        given["top_k"] = _NULL
    if wants_scores and bytes(given["top_k"]) != b"null":
        raise InvalidRequest(
            "The output 'scores' holds every label's: leave 'top_k' out, or send -1.",
            details={"field": "parameters.top_k"},
        )
    return given


def select(
    found: dict[str, Output], asked: Sequence[RequestedOutput], *, is_binary: bool
) -> list[tuple[Output, bool]]:
    """The outputs that were asked for, in that order, or all of them; True for those as bytes."""
    if not asked:
        return [(output, is_binary) for output in found.values()]
    return [(found[each.name], _is_binary(each, default=is_binary)) for each in asked]


def check_outputs(asked: Sequence[RequestedOutput], names: Sequence[str]) -> None:
    """Raise InvalidRequest for an output that is not there, comes twice, or is to be otherwise."""
    for index, output in enumerate(asked):
        field = f"outputs[{index}]"
        if output.name not in names:
            raise InvalidRequest(
                f"There is no output {output.name!r}; there are {', '.join(names)}.",
                details={"field": field},
            )
        if any(other.name == output.name for other in asked[:index]):
            raise InvalidRequest(
                f"The output {output.name!r} is asked for twice.", details={"field": field}
            )
        if unknown := sorted({"shared_memory_region", "classification"} & set(output.parameters)):
            raise InvalidRequest(
                f"The output {output.name!r} cannot come by {unknown[0]!r}. Leave that out.",
                details={"field": f"{field}.parameters"},
            )
        _is_binary(output, default=False)


def _is_binary(output: RequestedOutput, *, default: bool) -> bool:
    value = output.parameters.get("binary_data")
    field = f"outputs.{output.name}.parameters.binary_data"
    return default if value is None else decoding.convert(value, bool, field)
