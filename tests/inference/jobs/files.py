"""Files as callers send them, for any test of jobs."""

import csv
import gzip
import io
import json
from collections.abc import Sequence
from pathlib import Path

from inference.jobs.looking import Look, Wanted, look_at
from inference.jobs.readers import read_rows
from inference.jobs.rows import BadRow, Format, Limits, Place, Read, Row

LIMITS = Limits(max_text_chars=1000, max_row_bytes=8192, max_unpacked_bytes=64 * 1024**2)


def csv_of(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def jsonl_of(items: Sequence[object]) -> bytes:
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def parquet_of(path: Path, columns: dict[str, list], *, group: int = 50) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(columns), path, row_group_size=group)
    return path.read_bytes()


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def looked(
    tmp_path: Path, data: bytes, format: str, limits: Limits = LIMITS, **wanted: str
) -> Look:
    path = tmp_path / "input"
    path.write_bytes(data)
    return look_at(path, Wanted(Format(format), **wanted), limits)


START = Place()


def read_all(look: Look, place: Place = START, limits: Limits = LIMITS) -> list[Read]:
    rows = read_rows(look.source, place, limits)
    try:
        return list(rows)
    finally:
        rows.close()


def texts_of(reads: Sequence[Read]) -> list[str]:
    return [read.row.text for read in reads if isinstance(read.row, Row)]


def faults_of(reads: Sequence[Read]) -> list[tuple[int, str]]:
    return [(read.row.line, str(read.row.code)) for read in reads if isinstance(read.row, BadRow)]
