"""Answered rows as bytes to append: what a job writes a stretch of at a time.

Every stretch can stand alone, so that a file cut at the end of one is whole: lines, members of
gzip, Arrow streams (which become one Parquet file when the job is done).
"""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from inference.errors import JobFilesLost
from inference.jobs.readers.parquet_rows import load_pyarrow
from inference.jobs.rows import LINE, Answered, BadRow, Format, Layout, renamed, result_columns

ROWS_PER_GROUP = 10_000
_DECIMALS = 6


class Writer(Protocol):
    """Makes bytes of rows; both may be empty."""

    def head(self) -> bytes:
        """What the file begins with."""
        ...

    def encode(self, rows: Sequence[Answered]) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Shape:
    """What results look like: like the input, whose other columns they have if `keeps_columns`."""

    format: Format
    is_gzip: bool
    layout: Layout
    task: str
    keeps_columns: bool

    @property
    def added(self) -> tuple[str, ...]:
        return result_columns(self.task)

    @property
    def kept(self) -> tuple[str, ...]:
        """The columns of the input that are passed on."""
        return self.layout.names if self.keeps_columns else (self.layout.text,)


def make_writer(shape: Shape) -> Writer:
    kinds: dict[Format, Callable[[Shape], Writer]] = {
        Format.CSV: CsvWriter,
        Format.JSONL: JsonWriter,
        Format.TEXT: TextWriter,
        Format.PARQUET: ArrowWriter,
    }
    writer = kinds[shape.format](shape)
    return Packed(writer) if shape.is_gzip else writer


def encode_errors(rows: Sequence[BadRow]) -> bytes:
    """Rows without an answer as JSON Lines."""
    return b"".join(
        _line({"line": row.line, "code": str(row.code), "reason": row.reason}) for row in rows
    )


class Packed:
    """What another writer makes, each piece a member of gzip."""

    def __init__(self, inner: Writer) -> None:
        self._inner = inner

    def head(self) -> bytes:
        return _packed(self._inner.head())

    def encode(self, rows: Sequence[Answered]) -> bytes:
        return _packed(self._inner.encode(rows))


class CsvWriter:
    """The line's number, the cells that are passed on, the results."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._places = [shape.layout.names.index(name) for name in shape.kept]

    def head(self) -> bytes:
        shape = self._shape
        return _csv([[LINE, *renamed(shape.kept, shape.added), *shape.added]])

    def encode(self, rows: Sequence[Answered]) -> bytes:
        return _csv(
            [
                each.row.line,
                *(each.row.carried[place] for place in self._places),
                *_values(each, self._shape.added, as_text=True),
            ]
            for each in rows
        )


class JsonWriter:
    """An object a line."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def head(self) -> bytes:
        return b""

    def encode(self, rows: Sequence[Answered]) -> bytes:
        return b"".join(_line(self._object(each)) for each in rows)

    def _object(self, each: Answered) -> dict[str, Any]:
        shape, carried = self._shape, each.row.carried
        kept = tuple(carried) if shape.keeps_columns else shape.kept
        names = renamed(kept, shape.added)
        passed_on = {new: carried[old] for new, old in zip(names, kept, strict=True)}
        results = zip(shape.added, _values(each, shape.added, as_text=False), strict=True)
        return {LINE: each.row.line, **passed_on, **dict(results)}


class TextWriter:
    """Columns between tabs, the text last: whatever follows the tab before it is the text."""

    def __init__(self, shape: Shape) -> None:
        self._added = shape.added

    def head(self) -> bytes:
        return "\t".join((LINE, *self._added, "text")).encode() + b"\n"

    def encode(self, rows: Sequence[Answered]) -> bytes:
        lines = (
            "\t".join(
                (
                    str(each.row.line),
                    *(str(value) for value in _values(each, self._added, as_text=True)),
                    each.row.text,
                )
            )
            for each in rows
        )
        return "".join(f"{line}\n" for line in lines).encode()


class ArrowWriter:
    """Arrow streams, one a stretch, with the input's own types."""

    def __init__(self, shape: Shape) -> None:
        self._shape = shape

    def head(self) -> bytes:
        return b""

    def encode(self, rows: Sequence[Answered]) -> bytes:
        if not rows:
            return b""
        pa, _ = load_pyarrow()
        sink = io.BytesIO()
        table = self._table(rows)
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        return sink.getvalue()

    def _table(self, rows: Sequence[Answered]) -> Any:
        pa, _ = load_pyarrow()
        shape = self._shape
        parts = [_taken(pa, batch, places, shape.kept) for batch, places in _by_batch(rows)]
        table = pa.concat_tables(parts).rename_columns(list(renamed(shape.kept, shape.added)))
        table = table.add_column(0, LINE, pa.array([each.row.line for each in rows], pa.int64()))
        columns = zip(*(_values(each, shape.added, as_text=True) for each in rows), strict=True)
        kinds = {"score": pa.float64(), "version": pa.int64()}
        for name, values in zip(shape.added, columns, strict=True):
            table = table.append_column(name, pa.array(values, kinds.get(name, pa.string())))
        return table


def assemble(parts: Sequence[tuple[Path, int]], target: Path, empty: Any) -> None:
    """Make one Parquet file of Arrow streams, of each file the first bytes, as many as are named;
    `empty` is the schema where there are none. The target appears whole or not at all.
    """
    pa, pq = load_pyarrow()
    partial = target.with_name(f"{uuid4().hex}.partial")
    try:
        tables = _tables(parts)
        first = next(tables, None)
        schema = empty if first is None else first.schema
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for some in _grouped(chain(() if first is None else (first,), tables)):
                writer.write_table(pa.concat_tables(some))
        partial.replace(target)
    except (pa.ArrowInvalid, FileNotFoundError) as error:
        raise JobFilesLost("What the job has written is damaged: start it again.") from error
    finally:
        partial.unlink(missing_ok=True)


def _tables(parts: Sequence[tuple[Path, int]]) -> Iterator[Any]:
    pa, _ = load_pyarrow()
    for path, n_bytes in parts:
        with pa.OSFile(str(path)) as source:
            while source.tell() < n_bytes:
                yield pa.ipc.open_stream(source).read_all()


def _grouped(tables: Iterable[Any]) -> Iterator[list[Any]]:
    """Tables together, so that each group of rows in the file is worth one."""
    some: list[Any] = []
    for table in tables:
        some.append(table)
        if sum(map(len, some)) >= ROWS_PER_GROUP:
            yield some
            some = []
    if some:
        yield some


def arrow_schema(input_schema: Any, shape: Shape) -> Any:
    """What the results of no rows at all look like."""
    pa, _ = load_pyarrow()
    kinds = {"score": pa.float64(), "version": pa.int64()}
    names = renamed(shape.kept, shape.added)
    kept = [
        pa.field(new, input_schema.field(old).type)
        for new, old in zip(names, shape.kept, strict=True)
    ]
    added = [pa.field(name, kinds.get(name, pa.string())) for name in shape.added]
    return pa.schema([pa.field(LINE, pa.int64()), *kept, *added])


def _by_batch(rows: Sequence[Answered]) -> list[tuple[Any, list[int]]]:
    found: list[tuple[Any, list[int]]] = []
    for each in rows:
        batch, place = each.row.carried
        if not found or found[-1][0] is not batch:
            found.append((batch, []))
        found[-1][1].append(place)
    return found


def _taken(pa: Any, batch: Any, places: list[int], names: Sequence[str]) -> Any:
    columns = [batch.column(name).take(pa.array(places, pa.int64())) for name in names]
    return pa.table(columns, names=list(names))


def _values(each: Answered, added: Sequence[str], *, as_text: bool) -> list[Any]:
    answer = json.dumps(each.fields, ensure_ascii=False) if as_text else each.fields
    values: dict[str, Any] = {
        "label": each.label,
        "score": round(each.score, _DECIMALS),
        "answer": answer,
        "version": each.version,
        "prediction_id": each.prediction_id,
    }
    return [values[name] for name in added]


def _line(item: dict[str, Any]) -> bytes:
    try:
        return json.dumps(item, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:
        # Half of a surrogate pair is JSON only where it is escaped.
        return json.dumps(item).encode() + b"\n"


def _csv(rows: Any) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _packed(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0) if data else b""
