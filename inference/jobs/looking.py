"""A first look at a file: its format, whether it is packed, its columns. Reads it, else pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from inference.errors import JobFileRefused
from inference.jobs.readers import Source, csv_rows, open_stream, parquet_rows
from inference.jobs.readers.json_lines import names_of
from inference.jobs.readers.lines import Lines
from inference.jobs.readers.plain import TEXT
from inference.jobs.readers.unpacking import GZIP, refused
from inference.jobs.rows import MAX_COLUMNS, BadRow, Format, Layout, Limits, Place

MAX_NAME_CHARS = 200
_LOOKED_AT = 20
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a caller says of a file; an empty `text` means `text`, or the only column."""

    format: Format
    text: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """What a file is; `n_rows` where that is known without reading it."""

    source: Source
    n_bytes: int
    n_rows: int | None


def look_at(path: Path, wanted: Wanted, limits: Limits) -> Look:
    """What is at `path`. Raises JobFileRefused or JobFormatUnavailable."""
    n_bytes = path.stat().st_size
    if not n_bytes:
        raise refused("it is empty")
    with path.open("rb") as file:
        start = file.read(len(parquet_rows.MAGIC))
    if wanted.format is Format.PARQUET:
        return _parquet(path, wanted, limits, n_bytes)
    if start == parquet_rows.MAGIC:
        raise refused(f"it is Parquet, not {wanted.format}", field="format")
    is_gzip = start.startswith(GZIP)
    layout = _layout(path, wanted, limits, is_gzip=is_gzip)
    return Look(Source(path, wanted.format, is_gzip, layout), n_bytes, None)


def _parquet(path: Path, wanted: Wanted, limits: Limits, n_bytes: int) -> Look:
    file = parquet_rows.open_file(path, limits)
    try:
        columns = parquet_rows.text_columns(file)
        n_rows = file.metadata.num_rows
        layout = choose_columns(tuple(file.schema_arrow.names), wanted)
    finally:
        file.close()
    if not columns[layout.text]:
        raise refused(f"the column {layout.text!r:.80} does not hold texts", field="text_column")
    return Look(Source(path, Format.PARQUET, False, layout), n_bytes, n_rows)


def _layout(path: Path, wanted: Wanted, limits: Limits, *, is_gzip: bool) -> Layout:
    with path.open("rb") as file:
        stream = open_stream(file, Place(), limits, is_gzip=is_gzip)
        if not is_gzip:
            _refuse_utf16(file.read(2))
            file.seek(0)
        lines = Lines(stream, Place(), max_bytes=limits.max_row_bytes)
        if wanted.format is Format.CSV:
            return _csv_layout(lines, wanted, limits)
        if wanted.format is Format.JSONL:
            return _json_layout(lines, wanted)
        # Reads the start of what is packed, so that what is damaged is refused at once.
        lines.take()
    if wanted.label or wanted.text not in ("", TEXT):
        raise refused("plain text has no columns", field="text_column")
    return Layout(TEXT, "", (TEXT,))


def _csv_layout(lines: Lines, wanted: Wanted, limits: Limits) -> Layout:
    head = csv_rows.read_head(lines, max_row_bytes=limits.max_row_bytes)
    if isinstance(head, BadRow):
        raise refused(f"line {head.line}: {head.reason}", line=head.line)
    if not head:
        raise refused("its first line must name the columns", line=1)
    return choose_columns(tuple(head), wanted)


def _json_layout(lines: Lines, wanted: Wanted) -> Layout:
    """By the first lines: the others' fields are looked for line by line."""
    names: set[str] = set()
    for line in islice(iter(lines.take, None), _LOOKED_AT):
        names |= {name for name in names_of(line, wanted.text or TEXT) if _is_name(name)}
    text = wanted.text or (next(iter(names)) if len(names) == 1 else TEXT)
    for field, name in (("text_column", text), ("label_column", wanted.label)):
        if name and names and name not in names:
            raise _no_column(field, name, sorted(names))
    return Layout(text, wanted.label)


def choose_columns(names: tuple[str, ...], wanted: Wanted) -> Layout:
    """Which of `names` matter. Raises JobFileRefused with the field that says otherwise."""
    if len(names) > MAX_COLUMNS:
        raise refused(f"it has {len(names)} columns; {MAX_COLUMNS} are allowed")
    if twice := next((name for at, name in enumerate(names) if name in names[:at]), None):
        raise refused(f"the column {twice!r:.80} is there twice")
    if not all(map(_is_name, names)):
        raise refused(f"a column's name holds NUL or more than {MAX_NAME_CHARS} characters")
    text = wanted.text or (names[0] if len(names) == 1 else TEXT)
    for field, name in (("text_column", text), ("label_column", wanted.label)):
        if name and name not in names:
            raise _no_column(field, name, names)
    return Layout(text, wanted.label, names)


def _is_name(name: str) -> bool:
    return "\0" not in name and len(name) <= MAX_NAME_CHARS


def _no_column(field: str, name: str, names: Sequence[str]) -> JobFileRefused:
    shown = ", ".join(repr(each[:40]) for each in names[:10])
    return refused(f"there is no column {name!r:.80}; it has {shown}", field=field)


def _refuse_utf16(start: bytes) -> None:
    if start in _UTF16:
        raise refused("it is UTF-16: save it as UTF-8", line=1)
