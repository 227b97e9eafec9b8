"""The lines of a commit request (pure).

One JSON object a line: first the header, then what is added and deleted, in order; what comes later
wins. Lines are read one at a time, so memory holds one file's content, not the request.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from registry.hub.errors import BodyNotJson, BodyRefused, BodyTooLarge

MAX_TOTAL_BYTES = 1024**3
MAX_LINE_BYTES = 14 * 1024**2
MAX_LINES = 4_000
MAX_REGULAR_BYTES = 10 * 1024**2

_SHA256 = re.compile(r"[0-9a-f]{64}")
_OID = re.compile(r"[0-9a-f]{7,40}")


@dataclass(frozen=True, slots=True)
class Header:
    """What the commit is called, and the commit it must build on (None: whatever is there)."""

    title: str
    message: str
    parent: str | None


@dataclass(frozen=True, slots=True)
class AddRegular:
    """A file whose bytes are in the line."""

    path: str
    content: bytes


@dataclass(frozen=True, slots=True)
class AddStored:
    """A file whose bytes are stored already; `size` is None in a copy."""

    path: str
    sha256: str
    size: int | None


@dataclass(frozen=True, slots=True)
class Delete:
    """A file, or with `is_folder` all below a folder, to delete."""

    path: str
    is_folder: bool


Line = Header | AddRegular | AddStored | Delete


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """The lines of a commit, the header first and once.

    Raises BodyTooLarge, BodyNotJson, or BodyRefused naming the line.
    """
    number = 0
    for number, raw in enumerate(_raw_lines(stream), start=1):
        line = _parse(number, raw)
        if isinstance(line, Header) != (number == 1):
            raise _refused(number, "the header comes first, and once")
        yield line
    if number == 0:
        raise _refused(1, "the header is missing")


def _raw_lines(stream: BinaryIO) -> Iterator[bytes]:
    n_lines = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        if len(raw) > MAX_LINE_BYTES:
            raise BodyTooLarge(
                f"line {n_lines + 1} is over {MAX_LINE_BYTES} bytes: send the file by LFS",
                details={"limit_bytes": MAX_LINE_BYTES},
            )
        if not raw.strip():
            continue
        n_lines += 1
        if n_lines > MAX_LINES:
            raise BodyTooLarge(
                f"a commit may have {MAX_LINES} lines: make several commits",
                details={"limit": MAX_LINES},
            )
        yield raw


def _parse(number: int, raw: bytes) -> Line:
    try:
        line = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BodyNotJson(f"line {number} of the commit is not JSON") from error
    if not isinstance(line, dict) or not isinstance(line.get("value"), dict):
        raise _refused(number, 'it must be {"key": …, "value": {…}}')
    value = line["value"]
    match line.get("key"):
        case "header":
            return _header(number, value)
        case "file":
            return _regular(number, value)
        case "lfsFile":
            return _stored(number, value)
        case "deletedFile":
            return Delete(_text(number, value, "path"), is_folder=False)
        case "deletedFolder":
            return Delete(_text(number, value, "path"), is_folder=True)
    raise _refused(number, "its key must be header, file, lfsFile, deletedFile or deletedFolder")


def _header(number: int, value: dict[str, Any]) -> Header:
    parent = value.get("parentCommit")
    if parent is not None and not (isinstance(parent, str) and _OID.fullmatch(parent)):
        raise _refused(number, "parentCommit must be a commit id")
    return Header(
        title=_text(number, value, "summary", default=""),
        message=_text(number, value, "description", default=""),
        parent=parent,
    )


def _regular(number: int, value: dict[str, Any]) -> AddRegular:
    path, content = _text(number, value, "path"), _text(number, value, "content")
    if value.get("encoding", "utf-8") not in ("base64", "utf-8"):
        raise _refused(number, "encoding must be base64 or utf-8")
    try:
        is_base64 = value.get("encoding") == "base64"
        data = base64.b64decode(content, validate=True) if is_base64 else content.encode()
    except (binascii.Error, ValueError) as error:
        raise _refused(number, "content is not base64") from error
    if len(data) > MAX_REGULAR_BYTES:
        raise BodyTooLarge(
            f"{path:.120}: {len(data)} bytes are too many for a commit's own body: send it by LFS",
            details={"limit_bytes": MAX_REGULAR_BYTES},
        )
    return AddRegular(path, data)


def _stored(number: int, value: dict[str, Any]) -> AddStored:
    path, sha256, size = _text(number, value, "path"), value.get("oid"), value.get("size")
    if value.get("algo", "sha256") != "sha256":
        raise _refused(number, "algo must be sha256")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise _refused(number, "oid must be 64 lower-case hex digits")
    if size is not None and (type(size) is not int or size < 0):
        raise _refused(number, "size must be a number of bytes")
    return AddStored(path, sha256, size)


def _text(number: int, value: dict[str, Any], field: str, *, default: str | None = None) -> str:
    text = value.get(field)
    text = default if text is None else text
    if not isinstance(text, str) or (default is None and field == "path" and not text):
        raise _refused(number, f"{field} must be text")
    if any("\ud800" <= char <= "\udfff" for char in text) if not text.isascii() else False:
        raise _refused(number, f"{field} holds half a character")
    return text


def _refused(number: int, problem: str) -> BodyRefused:
    return BodyRefused(f"line {number} of the commit: {problem}", details={"line": number})
