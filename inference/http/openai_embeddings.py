"""Embeddings as OpenAI's clients ask for them and read them. Pure."""

import base64
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
import numpy as np

from inference.errors import InvalidRequest
from inference.tasks.ports import Floats

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
