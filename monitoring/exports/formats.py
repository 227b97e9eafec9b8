"""How rows are written: CSV, JSON lines, Parquet."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Any

from monitoring.errors import ExportUnavailable
from monitoring.exports.rows import Row

ROWS_PER_GROUP = 10_000
ROWS_PER_PIECE = 500


class Format(StrEnum):
    """What a file of an export may be."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


CONTENT_TYPES = {
    Format.CSV: "text/csv; charset=utf-8",
    Format.JSONL: "application/x-ndjson",
    Format.PARQUET: "application/vnd.apache.parquet",
}


def encode(rows: Iterable[Row], columns: Mapping[str, str], format: Format) -> Iterator[bytes]:
    """The pieces of a CSV file (with a head) or of JSON lines, a few hundred rows each."""
    if format is Format.CSV:
        yield _csv_piece([dict(zip(columns, columns, strict=True))], columns)
    for some in _groups(rows, ROWS_PER_PIECE):
        yield _csv_piece(some, columns) if format is Format.CSV else _lines(some)


def write_parquet(rows: Iterable[Row], columns: Mapping[str, str], path: Path) -> int:
    """Write a Parquet file in groups of 10,000 rows; how many rows. Raises ExportUnavailable."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise ExportUnavailable(
            "Parquet needs pyarrow: pip install -r requirements/batch.txt, or export csv or jsonl.",
            details={"field": "format"},
        ) from None
    types = {
        "text": pa.string(),
        "whole": pa.int64(),
        "real": pa.float64(),
        "flag": pa.bool_(),
        "time": pa.timestamp("us", tz="UTC"),
    }
    schema = pa.schema([(name, types[kind]) for name, kind in columns.items()])
    n_rows = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for some in _groups(rows, ROWS_PER_GROUP):
            writer.write_table(pa.Table.from_pylist(some, schema=schema))
            n_rows += len(some)
    return n_rows


def write(rows: Iterable[Row], columns: Mapping[str, str], format: Format, path: Path) -> None:
    """Write one file, whole or not at all: it gets its name when it is complete."""
    partial = path.with_name(f"{path.name}.partial")
    try:
        if format is Format.PARQUET:
            write_parquet(rows, columns, partial)
        else:
            with partial.open("wb") as file:
                file.writelines(encode(rows, columns, format))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _csv_piece(rows: Iterable[Row], columns: Mapping[str, str]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerows([_plain(row[name]) for name in columns] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _lines(rows: Iterable[Row]) -> bytes:
    lines = (
        json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False)
        for row in rows
    )
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _groups(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    source = iter(rows)
    while some := list(islice(source, size)):
        yield some
