"""A form body that lies in a file: where its parts are (pure, apart from reading the file)."""

import mmap
import re
from dataclasses import dataclass
from email.message import Message
from pathlib import Path

from registry.errors import InvalidField

MAX_PARTS = 16
MAX_HEADER_BYTES = 4_096

_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=? -]{1,70}")


@dataclass(frozen=True, slots=True)
class Part:
    """One field of the form; its content lies in the file from `start` to `end`."""

    name: str
    is_file: bool
    start: int
    end: int


def boundary_of(content_type: str) -> bytes | None:
    """What separates the parts; None where the type is not multipart/form-data."""
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() != "multipart/form-data":
        return None
    found = message.get_param("boundary")
    if not isinstance(found, str) or not _BOUNDARY.fullmatch(found):
        raise _broken("the Content-Type names no boundary")
    return found.encode("ascii")


def find_parts(path: Path, boundary: bytes) -> list[Part]:
    """The form's parts in order; raises InvalidField when the body is no such form."""
    if not path.stat().st_size:
        raise _broken("it is empty")
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as body:
        return _scan(body, b"--" + boundary)


def _scan(body: mmap.mmap, mark: bytes) -> list[Part]:
    parts: list[Part] = []
    if body[: len(mark)] != mark:
        raise _broken("it does not begin with its boundary")
    at = len(mark)
    while body[at : at + 2] == b"\r\n":
        end_of_head = body.find(b"\r\n\r\n", at, at + MAX_HEADER_BYTES)
        end = body.find(b"\r\n" + mark, max(end_of_head, at))
        if end_of_head < 0 or end < end_of_head + 2 or len(parts) >= MAX_PARTS:
            raise _broken("a part has no end, no headers, or there are too many")
        name, is_file = _disposition(bytes(body[at + 2 : end_of_head]))
        parts.append(Part(name, is_file, min(end_of_head + 4, end), end))
        at = end + 2 + len(mark)
    if body[at : at + 2] != b"--":
        raise _broken("it is cut short")
    return parts


def _disposition(head: bytes) -> tuple[str, bool]:
    for line in head.decode("latin-1").split("\r\n"):
        field, _, value = line.partition(":")
        if field.strip().lower() == "content-disposition":
            message = Message()
            message["Content-Disposition"] = value.strip()
            name = message.get_param("name", header="content-disposition")
            if isinstance(name, str):
                file = message.get_param("filename", header="content-disposition")
                return name, file is not None
    raise _broken("a part has no name")


def _broken(problem: str) -> InvalidField:
    return InvalidField(
        f"the body is not a multipart form: {problem}; sending the archive itself as the body is "
        "simpler",
        details={"field": "body"},
    )
