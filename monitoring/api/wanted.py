"""What somebody who asks for a reference wants: read from JSON, a form, or a file as the body."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from django.core.files.uploadedfile import UploadedFile
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

from monitoring.errors import InvalidReference
from monitoring.models import ReferenceOrigin
from monitoring.references.readers import (
    MOST_BYTES,
    Columns,
    Row,
    Shape,
    parse_items,
    read_rows,
    shape_of,
)

_BODY_FIELDS = ("version", "origin", "texts", "rows", "n", "note")
_FILE_FIELDS = ("version", "note", "text_column", "label_column")
_LARGEST_VERSION = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """`rows` is for texts, `n` for accepted predictions; `version` None is the live one."""

    origin: ReferenceOrigin
    version: int | None
    note: str
    n: int = 0
    rows: list[Row] = field(default_factory=list)


class _FileParser(BaseParser):
    """A body that is the file itself, at most as long as the management plane lets in."""

    shape: Shape

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, "FileBody"]:
        return {"file": FileBody(self.shape, stream.read(MOST_BYTES))}


class CsvParser(_FileParser):
    media_type = "text/csv"
    shape = Shape.CSV


class NdjsonParser(_FileParser):
    media_type = "application/x-ndjson"
    shape = Shape.JSONL


class JsonLinesParser(_FileParser):
    media_type = "application/jsonl"
    shape = Shape.JSONL


class PlainParser(_FileParser):
    media_type = "text/plain"
    shape = Shape.PLAIN


FILE_PARSERS = (CsvParser, NdjsonParser, JsonLinesParser, PlainParser)


@dataclass(frozen=True, slots=True)
class FileBody:
    shape: Shape
    data: bytes


def read_wanted(request: Request) -> Wanted:
    """Read the request, whatever form it has. Raises InvalidReference, naming the field."""
    data: Any = request.data
    file = data.get("file") if isinstance(data, Mapping) else None
    if isinstance(file, FileBody):
        return _from_file(io.BytesIO(file.data), file.shape, request.query_params)
    if isinstance(file, UploadedFile):
        given = {name: str(data[name]) for name in data if name != "file"}
        return _from_file(cast(BinaryIO, file), shape_of(file.name or ""), given)
    return parse_wanted(data)


def parse_wanted(raw: object) -> Wanted:
    """Read a JSON body. Raises InvalidReference, naming the field."""
    if not isinstance(raw, Mapping) or isinstance(raw.get("file"), str):
        raise _invalid("", 'the body must be an object like {"texts": ["…"]}, or a file')
    _refuse_unknown(raw, _BODY_FIELDS)
    origin = _origin(raw)
    wanted = {name for name in ("texts", "rows", "n") if raw.get(name) is not None}
    allowed = {ReferenceOrigin.TEXTS: {"texts", "rows"}, ReferenceOrigin.ACCEPTED: {"n"}}
    if extra := wanted - allowed.get(origin, set()):
        raise _invalid(min(extra), f"does not go with the origin {origin.value!r}")
    n = raw.get("n", 0)
    if isinstance(n, bool) or not isinstance(n, int):
        raise _invalid("n", "must be a number of predictions")
    return Wanted(
        origin=origin,
        version=_version(raw.get("version")),
        note=_text(raw, "note"),
        n=n,
        rows=_rows(raw) if origin is ReferenceOrigin.TEXTS else [],
    )


def _origin(raw: Mapping[str, Any]) -> ReferenceOrigin:
    try:
        return ReferenceOrigin(raw.get("origin", ReferenceOrigin.TEXTS))
    except ValueError:
        values = ", ".join(ReferenceOrigin.values)
        raise _invalid("origin", f"must be one of {values}") from None


def _rows(raw: Mapping[str, Any]) -> list[Row]:
    given = [name for name in ("texts", "rows") if raw.get(name) is not None]
    if len(given) != 1 or not isinstance(raw[given[0]], list):
        raise _invalid("texts", "give either 'texts' or 'rows', a list")
    return parse_items(raw[given[0]])


def _from_file(stream: BinaryIO, shape: Shape, given: Mapping[str, str]) -> Wanted:
    _refuse_unknown(given, _FILE_FIELDS)
    columns = Columns(given.get("text_column") or "text", given.get("label_column") or "label")
    return Wanted(
        origin=ReferenceOrigin.TEXTS,
        version=_version(given.get("version")),
        note=given.get("note", ""),
        rows=read_rows(stream, shape, columns),
    )


def _version(value: object) -> int | None:
    if value is None or value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:20])
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST_VERSION:
        raise _invalid("version", "must be a version number: 1, 2, 3 …")
    return value


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name) or ""
    if not isinstance(value, str):
        raise _invalid(name, "must be a text")
    return value


def _refuse_unknown(given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    for name in given:
        if name not in known:
            raise _invalid(str(name)[:50], f"is unknown; known are {', '.join(known)}")


def _invalid(field: str, remedy: str) -> InvalidReference:
    return InvalidReference(f"{field!r} {remedy}.", details={"field": field})
