"""Paths, lines, ranges and tokens, without a server."""

import io
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import BellwetherError
from registry.errors import RangeNotSatisfiable, UploadRefused
from registry.hub import ndjson
from registry.hub.app import routes
from registry.hub.errors import BodyTooLarge, MethodRefused, PathNotFound, header_text
from registry.hub.ranges import parse_range
from registry.hub.routing import Router
from registry.hub.signing import sign, unsign

ROUTER = Router(routes())


@pytest.mark.parametrize(
    ("path", "pattern", "params"),
    [
        ("/api/models/a/b/tree/feature%2Fx", "tree", {"rev": "feature/x", "path": ""}),
        ("/api/models/a/b/tree/main/x%2Fy", "tree", {"rev": "main", "path": "x/y"}),
        ("/api/models/a/b/tree/main/x/y", "tree", {"rev": "main", "path": "x/y"}),
        ("/a/b/resolve/feature%2Fx/d/e.json", "resolve", {"rev": "feature/x", "path": "d/e.json"}),
        ("/a/b/resolve/v1/d%20e.json", "resolve", {"rev": "v1", "path": "d e.json"}),
        ("/a/b.git/info/lfs/objects/batch", "batch", {"name": "b"}),
        ("/api/models/a/b/branch/x%2Fy", "branch", {"branch": "x/y"}),
    ],
)
def test_a_path_is_split_before_it_is_unquoted(
    path: str, pattern: str, params: dict[str, str]
) -> None:
    method = "POST" if pattern in ("batch", "branch") else "GET"
    found = ROUTER.find(method, path.encode())
    assert pattern in found.route.pattern
    assert params.items() <= found.params.items()


@pytest.mark.parametrize(
    "path",
    ["/api/v1/models", "/admin/x/resolve/main/y", "/static/a/raw/b/c", "/a/b", "/", "/docs", "/v2"],
)
def test_other_rooms_keep_their_paths(path: str) -> None:
    assert not ROUTER.is_ours(path.encode())


@pytest.mark.parametrize(
    "path", ["/api/agent-harnesses", "/api/telemetry/x", "/datasets/a/b/resolve/main/x", "/_cas/x"]
)
def test_the_rest_of_the_hub_is_answered_here(path: str) -> None:
    assert ROUTER.is_ours(path.encode())


def test_a_wrong_method_names_the_right_ones() -> None:
    with pytest.raises(MethodRefused) as refusal:
        ROUTER.find("PATCH", b"/api/models/a/b/branch/x")
    assert refusal.value.details["allow"] == "DELETE, POST"


@given(st.binary(max_size=80))
def test_no_path_breaks_the_router(path: bytes) -> None:
    ROUTER.is_ours(b"/" + path)
    with pytest.raises((PathNotFound, MethodRefused)):
        ROUTER.find("PATCH", b"/" + path)


@pytest.mark.parametrize(
    ("header", "span"),
    [
        (None, None),
        ("bytes=0-0", (0, 1)),
        ("bytes=0-", (0, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-1000", (0, 100)),
        ("BYTES=5-9", (5, 10)),
        ("bytes=99-1000", (99, 100)),
        ("bytes=9-5", None),
        ("bytes=-", None),
        ("bytes=0-1,3-4", None),
        ("bytes=a-b", None),
        ("items=0-1", None),
        ("bytes=" + "9" * 200 + "-", None),
        ("bytes=٣-٤", None),
    ],
)
def test_one_range_of_bytes_is_understood(header: str | None, span: object) -> None:
    assert parse_range(header, 100) == span


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=1000-2000", "bytes=-0"])
def test_a_range_without_bytes_is_refused(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        parse_range(header, 100)


@given(st.text(max_size=40), st.integers(0, 1_000))
def test_no_range_leaves_the_file(header: str, size: int) -> None:
    try:
        span = parse_range(f"bytes={header}", size)
    except RangeNotSatisfiable:
        return
    assert span is None or 0 <= span[0] < span[1] <= size


def test_a_token_says_what_was_signed() -> None:
    token = sign("lfs-put", {"upload": "x", "part": 2}, 100.0)
    assert unsign("lfs-put", token, now=99) == {"upload": "x", "part": 2}


@pytest.mark.parametrize("spoil", [lambda t: t[:-1], lambda t: t + "A", lambda t: "A" + t])
def test_a_spoilt_token_is_refused(spoil: Any) -> None:
    with pytest.raises(UploadRefused):
        unsign("lfs-put", spoil(sign("lfs-put", {}, 100.0)), now=99)


@given(st.text(max_size=60))
def test_no_made_up_token_passes(token: str) -> None:
    with pytest.raises(UploadRefused):
        unsign("lfs-put", token, now=0)


def test_a_token_is_for_one_purpose_and_until_a_time() -> None:
    token = sign("lfs-put", {}, 100.0)
    with pytest.raises(UploadRefused, match="not ours"):
        unsign("lfs-complete", token, now=99)
    with pytest.raises(UploadRefused, match="expired"):
        unsign("lfs-put", token, now=101)


def test_lines_are_read_in_order() -> None:
    text = (
        b'{"key": "header", "value": {"summary": "s", "description": "d"}}\n\n'
        b'{"key": "file", "value": {"path": "a", "content": "YQ==", "encoding": "base64"}}\n'
        b'{"key": "lfsFile", "value": {"path": "b", "oid": "' + b"0" * 64 + b'"}}\n'
        b'{"key": "deletedFile", "value": {"path": "c"}}\n'
        b'{"key": "deletedFolder", "value": {"path": "d/"}}'
    )
    assert list(ndjson.read_lines(io.BytesIO(text))) == [
        ndjson.Header("s", "d", None),
        ndjson.AddRegular("a", b"a"),
        ndjson.AddStored("b", "0" * 64, None),
        ndjson.Delete("c", is_folder=False),
        ndjson.Delete("d/", is_folder=True),
    ]


def test_a_long_line_is_refused_without_being_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ndjson, "MAX_LINE_BYTES", 100)
    stream = io.BytesIO(b"x" * 100_000)
    with pytest.raises(BodyTooLarge, match="line 1 is over 100 bytes"):
        list(ndjson.read_lines(stream))
    assert stream.tell() <= 101


@given(st.lists(st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode))))
def test_no_bytes_break_the_reader_of_lines(lines: list[bytes]) -> None:
    with pytest.raises(BellwetherError):
        list(ndjson.read_lines(io.BytesIO(b"\n".join(lines))))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=5,
)
KEYS = st.sampled_from(["header", "file", "lfsFile", "deletedFile", "deletedFolder", "x"])
FIELDS = st.sampled_from(
    ["path", "content", "encoding", "oid", "size", "algo", "summary", "description", "parentCommit"]
)


@given(st.lists(st.tuples(KEYS, st.dictionaries(FIELDS, VALUES)), max_size=4))
def test_no_json_breaks_the_reader_of_lines(rows: list[tuple[str, dict[str, Any]]]) -> None:
    text = "\n".join(json.dumps({"key": key, "value": value}) for key, value in rows)
    with suppress(BellwetherError):
        for line in ndjson.read_lines(io.BytesIO(text.encode())):
            assert isinstance(line, ndjson.Line)


def test_a_header_is_one_line_of_ascii() -> None:
    assert header_text("a\r\nSet-Cookie: x=1\n\n\u202eé") == "a Set-Cookie: x=1 ?"
    assert len(header_text("a" * 9_000)) == 500
