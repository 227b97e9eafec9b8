"""Tensors of the Open Inference Protocol v2, as JSON and as bytes: texts in, texts and numbers out.

A binary request is its JSON, of as many bytes as the header Inference-Header-Content-Length says,
and then the tensors' values in the order of `inputs`, each of `parameters.binary_data_size` bytes.
Numbers are little-endian; a text is its length in bytes (uint32) and its UTF-8. Pure.

Source: Open Inference Protocol, `inference_rest.md`, and Triton's `extension_binary_data.md`.
"""

import math
import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
import numpy.typing as npt

from inference import decoding
from inference.errors import InvalidRequest, InvalidText
from inference.tasks.ports import Floats

MAX_ELEMENTS = 65_536
MAX_RANK = 2
LENGTH_HEADER = "Inference-Header-Content-Length"
_LENGTH = re.compile(r"[0-9]{1,10}")
_SIZE = struct.Struct("<I")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
Dimension = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Parameters = dict[str, msgspec.Raw]
Values = Floats | npt.NDArray[np.bool_] | list[str]
ABSENT = msgspec.Raw()


class InputTensor(msgspec.Struct, frozen=True):
    """Row-major values: flat or nested in `data`, or after the JSON as bytes."""

    name: Name
    shape: Annotated[list[Dimension], msgspec.Meta(max_length=8)]
    datatype: Annotated[str, msgspec.Meta(max_length=16)]
    parameters: Parameters = {}
    data: msgspec.Raw = msgspec.field(default_factory=lambda: ABSENT)


class OutputTensor(msgspec.Struct, frozen=True, omit_defaults=True):
    """`data` is flat; it is absent when the values come after the JSON as bytes."""

    name: str
    datatype: str
    shape: list[int]
    parameters: dict[str, int] = {}
    data: list[Any] | None = None


@dataclass(frozen=True, slots=True)
class Texts:
    """The values of one BYTES tensor, row-major."""

    shape: tuple[int, ...]
    values: list[str]


@dataclass(frozen=True, slots=True)
class Output:
    """One answer tensor: its flat `values` are numbers (FP32), truths (BOOL) or texts (BYTES)."""

    name: str
    shape: tuple[int, ...]
    values: Values

    @property
    def datatype(self) -> str:
        if isinstance(self.values, list):
            return "BYTES"
        return "BOOL" if self.values.dtype == np.bool_ else "FP32"


def split(body: bytes, length: str | None) -> tuple[bytes, bytes]:
    """Return the JSON and the bytes after it; `length` is the header's value, None without it.

    Raises InvalidRequest when it is no number, or more than there is.
    """
    if length is None:
        return body, b""
    if not _LENGTH.fullmatch(length) or int(length) > len(body):
        raise InvalidRequest(
            f"{LENGTH_HEADER} must be the number of bytes of the JSON, at most the "
            f"{len(body)} of the body, not {length!r:.40}.",
            details={"field": LENGTH_HEADER},
        )
    return body[: int(length)], body[int(length) :]


def read_texts(inputs: Sequence[InputTensor], raw: bytes) -> dict[str, Texts]:
    """Return the texts of every tensor by its name; `raw` are the bytes after the JSON.

    Raises InvalidRequest for what is not BYTES, for values that do not fill the shape, for lengths
    that do not fit, and for a name that comes twice; InvalidText for what is not UTF-8.
    """
    found: dict[str, Texts] = {}
    at = 0
    for index, tensor in enumerate(inputs):
        field = f"inputs[{index}]"
        n = _n_elements(tensor, field)
        size = _binary_size(tensor, field)
        if size is None:
            values = _from_json(tensor, n, field)
        else:
            if size > len(raw) - at:
                raise _wrong(field, f"says {size} bytes; {len(raw) - at} are left in the body")
            values = unpack(raw[at : at + size], n, field)
            at += size
        if tensor.name in found:
            raise _wrong(field, f"has the name {tensor.name!r} a second time")
        found[tensor.name] = Texts(tuple(tensor.shape), values)
    if at != len(raw):
        raise _wrong("inputs", f"leave {len(raw) - at} bytes of the body over")
    return found


def unpack(blob: bytes, n: int, field: str) -> list[str]:
    """Return the `n` texts in `blob`; raises InvalidRequest where it does not hold just these."""
    values: list[str] = []
    at = 0
    while at < len(blob):
        if len(values) == n:
            raise _wrong(field, f"has more values than the {n} of its shape")
        if len(blob) - at < _SIZE.size:
            raise _wrong(field, "ends within the length of a value")
        (size,) = _SIZE.unpack_from(blob, at)
        at += _SIZE.size
        if size > len(blob) - at:
            raise _wrong(field, f"has a value of {size} bytes where {len(blob) - at} are left")
        values.append(_text(blob[at : at + size], field, len(values)))
        at += size
    if len(values) != n:
        raise _wrong(field, f"has {len(values)} values; its shape asks for {n}")
    return values


def pack(texts: Sequence[str]) -> bytes:
    """Return `texts` as the values of a BYTES tensor."""
    encoded = [text.encode() for text in texts]
    return b"".join(_SIZE.pack(len(each)) + each for each in encoded)


def write(outputs: Sequence[tuple[Output, bool]]) -> tuple[list[OutputTensor], bytes]:
    """Return the JSON tensors and the bytes that follow; True asks for bytes."""
    tensors, blobs = [], []
    for output, is_binary in outputs:
        if is_binary:
            blob = _blob(output.values)
            blobs.append(blob)
            size = {"binary_data_size": len(blob)}
            tensors.append(OutputTensor(output.name, output.datatype, list(output.shape), size))
        else:
            values = output.values
            data = values if isinstance(values, list) else values.tolist()
            tensor = OutputTensor(output.name, output.datatype, list(output.shape), data=data)
            tensors.append(tensor)
    return tensors, b"".join(blobs)


def _blob(values: Values) -> bytes:
    if isinstance(values, list):
        return pack(values)
    return values.tobytes() if values.dtype == np.bool_ else np.asarray(values, "<f4").tobytes()


def _n_elements(tensor: InputTensor, field: str) -> int:
    if tensor.datatype != "BYTES":
        raise _wrong(field, f"is {tensor.datatype!r:.20}; models here take texts, as BYTES")
    if not 1 <= len(tensor.shape) <= MAX_RANK:
        raise _wrong(field, f"has {len(tensor.shape)} dimensions; 1 or {MAX_RANK} are taken")
    n = math.prod(tensor.shape)
    if n > MAX_ELEMENTS:
        raise _wrong(field, f"has {n} values; {MAX_ELEMENTS} are allowed")
    return n


def _binary_size(tensor: InputTensor, field: str) -> int | None:
    _refuse_shared_memory(tensor.parameters, field)
    asked = tensor.parameters.get("binary_data_size")
    if asked is None:
        return None
    if bytes(tensor.data):
        raise _wrong(field, "has both 'data' and 'binary_data_size'")
    return decoding.convert(asked, Dimension, f"{field}.parameters.binary_data_size")


def _refuse_shared_memory(parameters: Mapping[str, Any], field: str) -> None:
    if "shared_memory_region" in parameters:
        raise _wrong(field, "asks for shared memory, which is not offered; send the values")


def _from_json(tensor: InputTensor, n: int, field: str) -> list[str]:
    if not bytes(tensor.data):
        raise _wrong(field, "has no 'data', and no 'binary_data_size' either")
    values: list[Any] = decoding.convert(tensor.data, list[Any], f"{field}.data")
    if values and isinstance(values[0], list):
        values = _flattened(values, tensor.shape, field)
    if len(values) != n:
        raise _wrong(field, f"has {len(values)} values; its shape asks for {n}")
    for value in values:
        if not isinstance(value, str):
            raise _wrong(field, f"holds a {type(value).__name__} where a text belongs")
    return values


def _flattened(rows: list[Any], shape: Sequence[int], field: str) -> list[Any]:
    fits = len(shape) == MAX_RANK and len(rows) == shape[0]
    if not fits or any(not isinstance(row, list) or len(row) != shape[1] for row in rows):
        raise _wrong(field, f"is not nested as its shape {list(shape)} says")
    return [value for row in rows for value in row]


def _text(value: bytes, field: str, index: int) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidText(
            f"Value {index} of {field!r} is not UTF-8: byte {value[error.start]:#04x} at "
            f"{error.start}.",
            details={"field": field},
        ) from None


def _wrong(field: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"{field!r} {what}.", details={"field": field})
