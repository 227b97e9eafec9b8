"""What clients of the Open Inference Protocol send and read, but for the tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from starlette.datastructures import Headers

from inference import decoding
from inference.errors import UnsupportedMediaType
from inference.http.oip_tensors import (
    LENGTH_HEADER,
    InputTensor,
    Name,
    OutputTensor,
    Parameters,
    split,
)

MAX_INPUTS = 8
MAX_OUTPUTS = 16


class RequestedOutput(msgspec.Struct, frozen=True):
    """`parameters.binary_data` says whether it comes as bytes after the JSON."""

    name: Name
    parameters: Parameters = {}


class InferRequest(msgspec.Struct, frozen=True):
    """`parameters` are the task's, and the protocol's `priority` (2 and more: behind everybody) and
    `timeout` (microseconds). `id` comes back.
    """

    inputs: Annotated[list[InputTensor], msgspec.Meta(min_length=1, max_length=MAX_INPUTS)]
    id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    parameters: Parameters = {}
    outputs: Annotated[list[RequestedOutput], msgspec.Meta(max_length=MAX_OUTPUTS)] = []


@dataclass(frozen=True, slots=True)
class InferBody:
    """A request, and the bytes after its JSON."""

    request: InferRequest
    raw: bytes


def read_infer(body: bytes, headers: Mapping[str, str] | Headers) -> InferBody:
    """Return what a body says; raises UnsupportedMediaType for a compressed one, and as `split` and
    `decoding.decode` do.
    """
    packing = headers.get("content-encoding", "identity")
    if packing != "identity":
        raise UnsupportedMediaType(
            f"The body is packed as {packing!r:.40}, which is not read here. Send it as it is.",
            details={"field": "Content-Encoding"},
        )
    text, raw = split(body, headers.get(LENGTH_HEADER.lower()))
    return InferBody(decoding.decode(text, InferRequest), raw)


class InferReply(msgspec.Struct, frozen=True, omit_defaults=True):
    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str = ""


class RepositoryRequest(msgspec.Struct, frozen=True):
    parameters: dict[str, msgspec.Raw] = {}
    ready: bool = False


def read_repository(body: bytes, headers: Mapping[str, str] | Headers) -> RepositoryRequest:
    """Clients may send no body at all."""
    return decoding.decode(body, RepositoryRequest) if body else RepositoryRequest()


class TensorInfo(msgspec.Struct, frozen=True):
    """-1 stands for any number."""

    name: str
    datatype: str
    shape: list[int]


class ServerInfo(msgspec.Struct, frozen=True):
    name: str
    version: str
    extensions: list[str]


class ServerLive(msgspec.Struct, frozen=True):
    live: bool


class ServerReady(msgspec.Struct, frozen=True):
    ready: bool


class ModelReady(msgspec.Struct, frozen=True):
    name: str
    ready: bool


class ModelNames(msgspec.Struct, frozen=True):
    models: list[str]


class ModelInfo(msgspec.Struct, frozen=True):
    """`versions` are those in memory here."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]


class ConfigTensor(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    data_type: str
    dims: list[int]
    optional: bool = False


class ModelConfig(msgspec.Struct, frozen=True):
    """As Triton names it; `max_batch_size` is 0 because the shapes hold the batch themselves."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    input: list[ConfigTensor]
    output: list[ConfigTensor]
    parameters: dict[str, dict[str, str]]


class ModelStats(msgspec.Struct, frozen=True):
    """Triton's statistics, in nanoseconds since this process started."""

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: dict[str, dict[str, int]]
    batch_stats: list[Any] = []


class Statistics(msgspec.Struct, frozen=True):
    model_stats: list[ModelStats]


class IndexEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    name: str
    version: str = ""
    state: Literal["", "READY", "LOADING", "UNAVAILABLE"] = ""
    reason: str = ""


class Loaded(msgspec.Struct, frozen=True):
    """Nothing: the status says it."""
