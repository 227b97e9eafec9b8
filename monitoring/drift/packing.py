"""Arrays and numbers as compressed msgpack: how sums, bases and references lie in the database."""

import zlib
from typing import Any

import msgspec
import numpy as np

_LARGEST = 256 * 1024 * 1024


def pack(fields: dict[str, Any]) -> bytes:
    """Encode numbers, strings, lists, dicts and arrays (dtype and shape are kept)."""
    plain = {name: _plain(value) for name, value in fields.items()}
    return zlib.compress(msgspec.msgpack.encode(plain), 1)


def unpack(data: bytes) -> dict[str, Any]:
    """The fields that `pack` encoded, arrays writable. Raises ValueError or MsgspecError."""
    try:
        inflater = zlib.decompressobj()
        raw = inflater.decompress(data, _LARGEST)
    except zlib.error as error:
        raise ValueError(f"damaged: {error}") from error
    if inflater.unconsumed_tail or not inflater.eof:
        raise ValueError("damaged or too large")
    fields = msgspec.msgpack.decode(raw)
    if not isinstance(fields, dict):
        raise ValueError("not a record")
    return {name: _array(value) for name, value in fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"array": value.tobytes(), "dtype": value.dtype.str, "shape": list(value.shape)}
    return value


def _array(value: Any) -> Any:
    if isinstance(value, dict) and value.keys() == {"array", "dtype", "shape"}:
        return np.frombuffer(value["array"], value["dtype"]).reshape(value["shape"]).copy()
    return value
