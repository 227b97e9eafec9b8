"""Embeddings as OpenAI's clients ask for them and read them. Pure."""

import base64
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from inference import decoding
from inference.errors import InvalidRequest
from inference.tasks.ports import Floats

TokenId = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
EncodingFormat = Literal["float", "base64"]


class EmbeddingsRequest(msgspec.Struct, frozen=True):
    """`input`: a text, token ids, or a list of either; `user` is whom the texts are about or from.

    `dimensions` keeps the first ones, scaled to length one again, as models trained for that allow.
    What else the task takes may stand beside.
    """

    model: Annotated[str, msgspec.Meta(max_length=200)]
    input: msgspec.Raw
    encoding_format: EncodingFormat = "float"
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=2**31 - 1)] | None = None
    user: Annotated[str, msgspec.Meta(max_length=200)] = ""


class EmbeddingData(msgspec.Struct, frozen=True):
    """`embedding` is a list of numbers, or base64 of little-endian float32."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingUsage(msgspec.Struct, frozen=True):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsReply(msgspec.Struct, frozen=True):
    model: str
    data: list[EmbeddingData]
    usage: EmbeddingUsage
    object: Literal["list"] = "list"


Detokenize = Callable[[Sequence[int]], str]


def read_input(value: msgspec.Raw, detokenize: Detokenize | None) -> list[str]:
    """Return the texts of `input`; token ids become text by the model's own tokenizer.

    Raises InvalidRequest for another shape, and for token ids where there is no such tokenizer.
    """
    kind = str | list[str | TokenId | list[TokenId]]
    items: Any = decoding.convert(value, kind, "input")  # type: ignore[arg-type]
    if isinstance(items, str):
        return [items]
    kinds = {type(item) for item in items}
    if len(kinds) > 1:
        raise _wrong("holds texts and token ids together; send one kind")
    if kinds <= {str}:
        return items  # type: ignore[no-any-return]
    rows = [items] if kinds == {int} else items
    if not all(rows):
        raise _wrong("holds an empty list of token ids")
    if detokenize is None:
        raise _wrong("holds token ids, which this model's task cannot read. Send text")
    return [detokenize(row) for row in rows]


def reduced(vector: Sequence[float], dimensions: int | None) -> Floats:
    """The first `dimensions` of a vector, scaled to length one; all of it where that is None.

    Raises InvalidRequest when it has fewer. (Kusupati et al. 2022, Matryoshka Representation
    Learning: models trained for it keep most of what they know in the first dimensions.)
    """
    full: Floats = np.asarray(vector, np.float32)
    if dimensions is None:
        return full
    if dimensions > len(full):
        raise InvalidRequest(
            f"'dimensions' is {dimensions}; the model gives {len(full)}. Ask for fewer.",
            details={"field": "dimensions", "limit": len(full)},
        )
    kept: Floats = full[:dimensions]
    length = np.linalg.norm(kept)
    return kept / length if length else kept


def shown(vector: Floats, encoding_format: EncodingFormat) -> list[float] | str:
    if encoding_format == "float":
        numbers: list[float] = vector.tolist()
        return numbers
    return base64.b64encode(np.asarray(vector, "<f4").tobytes()).decode()


def _wrong(what: str) -> InvalidRequest:
    return InvalidRequest(f"'input' {what}.", details={"field": "input"})
