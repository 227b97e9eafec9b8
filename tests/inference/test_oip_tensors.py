"""Tensors as JSON and as bytes, and what is no tensor."""

import re
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.errors import InvalidRequest, InvalidText, RequestError
from inference.http.oip_messages import InferRequest, read_infer
from inference.http.oip_tensors import (
    MAX_ELEMENTS,
    InputTensor,
    Output,
    pack,
    read_texts,
    split,
    unpack,
    write,
)

TEXTS = st.lists(st.text(max_size=20), max_size=6)
FEW = settings(max_examples=150, deadline=None)


def tensor(**fields: Any) -> InputTensor:
    given = {"name": "text", "shape": [1], "datatype": "BYTES", **fields}
    return msgspec.json.decode(msgspec.json.encode(given), type=InputTensor)


def binary(size: Any, **fields: Any) -> InputTensor:
    return tensor(parameters={"binary_data_size": size}, **fields)


@FEW
@given(TEXTS)
def test_texts_come_back_from_bytes(texts: list[str]) -> None:
    blob = pack(texts)
    assert unpack(blob, len(texts), "x") == texts
    found = read_texts([binary(len(blob), shape=[len(texts)])], blob)
    assert found["text"].values == texts


@FEW
@given(TEXTS)
def test_texts_come_back_from_json_flat_and_nested(texts: list[str]) -> None:
    n = len(texts)
    flat = read_texts([tensor(shape=[n], data=texts)], b"")["text"]
    nested = read_texts([tensor(shape=[n, 1], data=[[text] for text in texts])], b"")["text"]
    assert flat.values == nested.values == texts
    assert (flat.shape, nested.shape) == ((n,), (n, 1))


@FEW
@given(st.binary(max_size=60), st.integers(0, 8))
def test_any_bytes_are_texts_or_refused(blob: bytes, n: int) -> None:
    try:
        texts = unpack(blob, n, "x")
    except (InvalidRequest, InvalidText):
        return
    assert pack(texts) == blob
    assert len(texts) == n


@FEW
@given(
    st.binary(max_size=200),
    st.one_of(st.none(), st.text(max_size=12), st.integers(-5, 300).map(str)),
)
def test_any_body_is_read_or_refused(body: bytes, length: str | None) -> None:
    headers = {} if length is None else {"inference-header-content-length": length}
    try:
        found = read_infer(body, headers)
        read_texts(found.request.inputs, found.raw)
    except RequestError:
        pass


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@FEW
@given(
    st.fixed_dictionaries(
        {
            "name": st.just("text") | JSON,
            "shape": st.lists(st.integers(-2, 2**70), max_size=4) | JSON,
            "datatype": st.sampled_from(["BYTES", "FP32", "INT64", "bytes", ""]) | JSON,
        },
        optional={
            "data": JSON,
            "parameters": st.dictionaries(
                st.sampled_from(["binary_data_size", "shared_memory_region", "x"]), JSON
            ),
        },
    ),
    st.binary(max_size=20),
)
def test_any_tensor_is_read_or_refused(given_tensor: Any, raw: bytes) -> None:
    body = msgspec.json.encode({"inputs": [given_tensor]})
    try:
        found = read_infer(body + raw, {"inference-header-content-length": str(len(body))})
        texts = read_texts(found.request.inputs, found.raw)
    except RequestError:
        return
    (only,) = texts.values()
    assert len(only.values) == np.prod(only.shape)


@pytest.mark.parametrize(
    ("given_tensor", "raw", "words"),
    [
        (tensor(datatype="FP32", data=[1.0]), b"", "as BYTES"),
        (tensor(shape=[], data=[]), b"", "0 dimensions"),
        (tensor(shape=[1, 1, 1], data=["a"]), b"", "3 dimensions"),
        (tensor(shape=[2], data=["a"]), b"", "has 1 values"),
        (tensor(shape=[1], data=["a", "b"]), b"", "has 2 values"),
        (tensor(shape=[1], data=[1]), b"", "holds a int"),
        (tensor(shape=[1], data=[None]), b"", "holds a NoneType"),
        (tensor(shape=[2, 2], data=[["a", "b"], ["c"]]), b"", "not nested"),
        (tensor(shape=[2], data=[["a"], ["b"]]), b"", "not nested"),
        (tensor(shape=[1, 1], data=[["a"], "b"]), b"", "not nested"),
        (tensor(shape=[2**31 - 1, 2**31 - 1], data=[]), b"", f"{MAX_ELEMENTS} are allowed"),
        (tensor(shape=[1]), b"", "no 'data'"),
        (tensor(shape=[1], data=["a"], parameters={"binary_data_size": 5}), b"", "has both"),
        (tensor(data=["a"], parameters={"shared_memory_region": "x"}), b"", "shared memory"),
        (binary(9), pack(["a"]), "says 9 bytes"),
        (binary(4), pack(["a"]), "of 1 bytes where 0"),
        (binary(3), pack(["a"])[:3], "within the length"),
        (binary(5, shape=[2]), pack(["a"]), "has 1 values"),
        (binary(10, shape=[1]), pack(["a", "b"]), "more values"),
        (binary(0, shape=[0]), b"x", "leave 1 bytes"),
        (binary(8), struct.pack("<I", 2**32 - 1) + b"abcd", "of 4294967295 bytes"),
        (binary(6), struct.pack("<I", 2) + b"\xff\xfe", "not UTF-8"),
        (binary(-1), b"", ">= 0"),
        (binary("5"), pack(["a"]), "binary_data_size"),
        (binary(2**40), b"", "binary_data_size"),
    ],
)
def test_what_is_no_tensor_is_refused_with_a_sentence(
    given_tensor: InputTensor, raw: bytes, words: str
) -> None:
    with pytest.raises(RequestError, match=re.escape(words)):
        read_texts([given_tensor], raw)


def test_a_name_comes_once() -> None:
    with pytest.raises(InvalidRequest, match="a second time"):
        read_texts([tensor(data=["a"]), tensor(data=["b"])], b"")


@pytest.mark.parametrize("length", ["", "-1", "1.0", "0x2", "99", "9" * 11, "½", "1 "])  # noqa: RUF100
def test_a_length_that_is_none_is_refused(length: str) -> None:
    with pytest.raises(InvalidRequest, match="Inference-Header-Content-Length"):
        split(b"{}", length)


@pytest.mark.parametrize("shape", ["[-1]", "[2147483648]", f"[{'9' * 30}]", "[1.5]", "[[1]]", "7"])
def test_a_dimension_is_a_small_number(shape: str) -> None:
    body = f'{{"inputs":[{{"name":"a","shape":{shape},"datatype":"BYTES","data":[]}}]}}'
    with pytest.raises(InvalidRequest, match="shape"):
        read_infer(body.encode(), {})


def test_deep_nesting_is_refused() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    body = f'{{"inputs":[{{"name":"a","shape":[1],"datatype":"BYTES","data":{deep}}}]}}'
    with pytest.raises(RequestError):
        read_infer(body.encode(), {})


def test_there_are_few_tensors() -> None:
    many = [{"name": str(i), "shape": [1], "datatype": "BYTES", "data": ["a"]} for i in range(9)]
    with pytest.raises(InvalidRequest, match="length <= 8"):
        read_infer(msgspec.json.encode({"inputs": many}), {})
    with pytest.raises(InvalidRequest, match="length >= 1"):
        read_infer(b'{"inputs": []}', {})


def test_outputs_are_json_or_bytes() -> None:
    label = Output("label", (2,), ["a", "é"])
    score = Output("score", (2,), np.array([0.5, 2], np.float32))
    (first, second), blob = write([(label, True), (score, False)])
    assert (first.datatype, first.parameters, first.data) == (
        "BYTES",
        {"binary_data_size": 11},
        None,
    )
    assert unpack(blob, 2, "x") == ["a", "é"]
    assert (second.datatype, second.data, second.parameters) == ("FP32", [0.5, 2.0], {})
    unsure = Output("abstained", (2,), np.array([True, False]))
    (third,), blob = write([(unsure, False)])
    assert (third.datatype, third.data, blob) == ("BOOL", [True, False], b"")
    assert write([(unsure, True)])[1] == b"\x01\x00"
    _, blob = write([(score, True)])
    assert np.frombuffer(blob, "<f4").tolist() == [0.5, 2.0]


def test_a_packed_body_is_refused() -> None:
    body = msgspec.json.encode(InferRequest(inputs=[tensor(data=["a"])]))
    with pytest.raises(RequestError, match="packed as 'gzip'"):
        read_infer(body, {"content-encoding": "gzip"})
