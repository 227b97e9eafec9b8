"""Labelled or unlabelled texts from a file's bytes, bounded, with errors that name the line. Pure.

JSON Lines (objects with a text and perhaps a label), CSV with a header, or plain text, a text a
line; each may be compressed by gzip.
"""

import csv
import io
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import Any, BinaryIO, Never

from monitoring.drift.reference import FEWEST_EMBEDDINGS
from monitoring.errors import InvalidReference, UnknownLabel

MOST_TEXTS = 50_000
# Fewer describe nothing well enough to compare with.
FEWEST_TEXTS = 2 * FEWEST_EMBEDDINGS
MOST_BYTES = 64 * 1024 * 1024
TEXT, LABEL = "text", "label"
_SHOWN_LABELS = 100
_SHOWN = 80
_PIECE = 1024 * 1024
_GZIP = b"\x1f\x8b"


class Shape(StrEnum):
    """How the bytes are to be read."""

    JSONL = "jsonl"
    CSV = "csv"
    PLAIN = "txt"


@dataclass(frozen=True, slots=True)
class Row:
    """One text; `label` is a class's name, its number in the model's order, or None; `line` is
    where it stands, counted from 1.
    """

    text: str
    label: str | int | None
    line: int


@dataclass(frozen=True, slots=True)
class Columns:
    """Which fields hold the text and the label; a `label` that is absent everywhere is no error
    unless somebody named it.
    """

    text: str = TEXT
    label: str = LABEL


def shape_of(name: str) -> Shape:
    """The shape that a file's name tells. Raises InvalidReference."""
    suffix = PurePath(name.removesuffix(".gz")).suffix.lower().removeprefix(".")
    named = {"jsonl": Shape.JSONL, "ndjson": Shape.JSONL, "csv": Shape.CSV, "txt": Shape.PLAIN}
    if suffix not in named:
        _refuse(
            "file", f"{name[-_SHOWN:]!r} must end in .jsonl, .csv or .txt, perhaps with .gz after"
        )
    return named[suffix]


def read_rows(stream: BinaryIO, shape: Shape, columns: Columns | None = None) -> list[Row]:
    """All rows of `stream`, at most MOST_TEXTS from at most MOST_BYTES. Raises InvalidReference."""
    chosen = columns or Columns()
    text = _decoded(_read_bytes(stream))
    rows: list[Row] = []
    for row in _READERS[shape](text, chosen):
        if len(rows) == MOST_TEXTS:
            _refuse("file", f"it holds more than {MOST_TEXTS} texts: take a random part of it")
        rows.append(row)
    if columns is not None and columns.label != LABEL and all(row.label is None for row in rows):
        _refuse("label_column", f"there is no column {columns.label!r:.80}")
    return rows


def parse_items(items: Sequence[Any], columns: Columns | None = None) -> list[Row]:
    """The rows of a JSON list of texts, or of objects. Raises InvalidReference."""
    if len(items) > MOST_TEXTS:
        _refuse("rows", f"there are more than {MOST_TEXTS} texts: take a random part of them")
    chosen = columns or Columns()
    return [
        Row(item, None, n) if isinstance(item, str) else _row_of(item, chosen, n)
        for n, item in enumerate(items, start=1)
    ]


def check_rows(
    rows: Iterable[Row], labels: Sequence[str], *, max_chars: int
) -> list[tuple[str, str | None]]:
    """(text, label or None) for every row, labels by their names among `labels`.

    A whole number that is no label's name counts into `labels` from 0. Raises InvalidReference for
    texts that are blank, too long or hold NUL, and for too few of them; UnknownLabel.
    """
    names = frozenset(labels)
    checked = [(_checked(row, max_chars), _label(row, labels, names)) for row in rows]
    if not FEWEST_TEXTS <= len(checked) <= MOST_TEXTS:
        _refuse(
            "texts",
            f"a reference is made of {FEWEST_TEXTS} to {MOST_TEXTS:,} texts, not {len(checked)}",
        )
    return checked


def _checked(row: Row, max_chars: int) -> str:
    if not row.text.strip():
        _refuse("text", "it is empty: leave the line out", row.line)
    if "\0" in row.text:
        _refuse("text", "it holds a NUL character: take it out", row.line)
    if len(row.text) > max_chars:
        _refuse("text", f"it has {len(row.text)} characters; {max_chars} are allowed", row.line)
    try:
        row.text.encode()
    except UnicodeEncodeError:
        _refuse("text", "it holds half of a surrogate pair: encode it anew", row.line)
    return row.text


def _label(row: Row, labels: Sequence[str], names: frozenset[str]) -> str | None:
    label = row.label
    if label is None or label in names:
        return None if label is None else str(label)
    digits = str(label)
    if digits in names:
        return digits
    if digits.isascii() and digits.isdigit() and len(digits) < 6 and int(digits) < len(labels):
        return labels[int(digits)]
    raise UnknownLabel(
        f"Line {row.line}: {label!r:.80} is no label of this version. Use a name among "
        "'allowed', or its number in that order, from 0.",
        details={
            "field": LABEL,
            "line": row.line,
            "allowed": list(labels[:_SHOWN_LABELS]),
        },
    )


def _read_bytes(stream: BinaryIO) -> bytes:
    """The stream's bytes, unpacked if they are gzip's, never more than the limit in memory."""
    data = stream.read(MOST_BYTES + 1)
    if data[:2] == _GZIP:
        data = _unpacked(data)
    if len(data) > MOST_BYTES:
        _refuse("file", f"it has more than {MOST_BYTES // 1024**2} MB: take a random part of it")
    return data


def _unpacked(data: bytes) -> bytes:
    parts: list[bytes] = []
    size = 0
    while data and size <= MOST_BYTES:
        inflater = zlib.decompressobj(wbits=31)
        try:
            part = inflater.decompress(data, MOST_BYTES + 1 - size)
        except zlib.error as error:
            raise _refusal("file", f"it cannot be unpacked: {error}") from error
        size += len(part)
        parts.append(part)
        if size <= MOST_BYTES and not inflater.eof:
            _refuse("file", "it is cut short: send it again")
        # A file may be several gzip members one after the other; zeros may follow them.
        data = inflater.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refusal("file", "it is not UTF-8", line) from error


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines that are not blank; `str.splitlines` would also cut inside of texts."""
    for number, line in enumerate(io.StringIO(text, newline="\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r\n")


def _read_plain(text: str, columns: Columns) -> Iterator[Row]:
    for number, line in _lines(text):
        yield Row(line, None, number)


def _read_jsonl(text: str, columns: Columns) -> Iterator[Row]:
    for number, line in _lines(text):
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _refusal("file", "it is not JSON", number) from error
        yield Row(item, None, number) if isinstance(item, str) else _row_of(item, columns, number)


def _read_csv(text: str, columns: Columns) -> Iterator[Row]:
    # The module's own limit on a field is for the process; what is too long is refused later.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, [])
        if columns.text not in header:
            _refuse("text_column", f"there is no column {columns.text!r:.80}", 1)
        for cells in reader:
            if cells:
                item = dict(zip(header, cells, strict=False))
                yield _row_of(item, columns, reader.line_num)
    except csv.Error as error:
        raise _refusal("file", f"it is not CSV: {error}", reader.line_num) from error


_READERS = {Shape.PLAIN: _read_plain, Shape.JSONL: _read_jsonl, Shape.CSV: _read_csv}


def _row_of(item: Any, columns: Columns, line: int) -> Row:
    text = item.get(columns.text) if isinstance(item, Mapping) else None
    if not isinstance(text, str):
        _refuse(columns.text, f'it must be an object like {{"{columns.text[:_SHOWN]}": "…"}}', line)
    label = item.get(columns.label)
    if label is not None and (isinstance(label, bool) or not isinstance(label, str | int)):
        _refuse(columns.label, "a label is a name, or a number from 0", line)
    return Row(text, None if label == "" else label, line)


def _refuse(field: str, problem: str, line: int | None = None) -> Never:
    raise _refusal(field, problem, line)


def _refusal(field: str, problem: str, line: int | None = None) -> InvalidReference:
    details: dict[str, object] = {"field": field[:_SHOWN]}
    if line is None:
        return InvalidReference(f"{field[:_SHOWN]!r}: {problem}.", details=details)
    return InvalidReference(f"Line {line}: {problem}.", details=details | {"line": line})
