"""Files as rows, one module a format, from any place on: what a job does after a crash."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from inference.jobs.readers import csv_rows, json_lines, parquet_rows, plain
from inference.jobs.readers.lines import Lines
from inference.jobs.readers.unpacking import Unpacked
from inference.jobs.rows import Format, Layout, Limits, Place, Read, Row, checked

_SKIP_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Source:
    """A file and how it is read."""

    path: Path
    format: Format
    is_gzip: bool
    layout: Layout


def read_rows(source: Source, place: Place, limits: Limits) -> "Rows":
    """The rows of `source` from `place` on; close it in the end."""
    return Rows(source, place, limits)


class Rows:
    """An iterator of Read, checked texts; `n_bytes_read` of the file as it lies on the disk.

    Iterating raises JobFileRefused where the file as a whole cannot be read on.
    """

    def __init__(self, source: Source, place: Place, limits: Limits) -> None:
        self._limits = limits
        self._file: BinaryIO = source.path.open("rb")
        self._reads = self._open(source, place)

    def __iter__(self) -> Iterator[Read]:
        return self

    def __next__(self) -> Read:
        read = next(self._reads)
        if isinstance(read.row, Row):
            return Read(checked(read.row, self._limits.max_text_chars), read.after)
        return read

    @property
    def n_bytes_read(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()

    def _open(self, source: Source, place: Place) -> Iterator[Read]:
        if source.format is Format.PARQUET:
            return parquet_rows.read(source.path, place, source.layout, self._limits)
        stream = open_stream(self._file, place, self._limits, is_gzip=source.is_gzip)
        lines = Lines(stream, place, max_bytes=self._limits.max_row_bytes)
        if source.format is Format.TEXT:
            return plain.read(lines, source.layout)
        if source.format is Format.JSONL:
            return json_lines.read(lines, source.layout)
        most = self._limits.max_row_bytes
        if place.offset == 0:
            csv_rows.read_head(lines, max_row_bytes=most)
        return csv_rows.read(lines, source.layout, max_row_bytes=most)


def open_stream(file: BinaryIO, place: Place, limits: Limits, *, is_gzip: bool) -> BinaryIO:
    """The unpacked bytes of `file` from `place` on: gzip is unpacked again up to there."""
    if not is_gzip:
        file.seek(place.offset)
        return file
    unpacked = Unpacked(file, max_bytes=limits.max_unpacked_bytes)
    stream = io.BufferedReader(unpacked, _SKIP_BYTES)
    left = place.offset
    while left and (piece := stream.read(min(left, _SKIP_BYTES))):
        left -= len(piece)
    return stream
