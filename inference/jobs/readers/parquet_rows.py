"""Parquet, a few rows at a time; pyarrow is an extra and is imported when it is needed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference.errors import JobFormatUnavailable
from inference.jobs.readers.json_lines import label_of
from inference.jobs.readers.unpacking import refused
from inference.jobs.rows import MAX_COLUMNS, BadRow, Fault, Layout, Limits, Place, Read, Row

MAGIC = b"PAR1"
BATCH_ROWS = 32
# Of a batch in memory; its texts are bounded one by one afterwards.
MAX_BATCH_BYTES = 256 * 1024**2


def load_pyarrow() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`. Raises JobFormatUnavailable."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise JobFormatUnavailable(
            "Parquet needs pyarrow: pip install -r requirements/batch.txt, or send csv or jsonl.",
            details={"field": "format"},
        ) from None
    return pyarrow, pyarrow.parquet


def open_file(path: Path, limits: Limits) -> Any:
    """A `pyarrow.parquet.ParquetFile`. Raises JobFileRefused."""
    pa, pq = load_pyarrow()
    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowException, OSError) as error:
        raise refused(f"it is not Parquet: {error!s:.200}") from error
    names = file.schema_arrow.names
    if len(names) > MAX_COLUMNS:
        raise refused(f"it has {len(names)} columns; {MAX_COLUMNS} are allowed")
    groups = (file.metadata.row_group(i) for i in range(file.metadata.num_row_groups))
    if sum(group.total_byte_size for group in groups) > limits.max_unpacked_bytes:
        raise refused(f"it has more than {limits.max_unpacked_bytes} bytes unpacked: split it")
    return file


def text_columns(file: Any) -> dict[str, bool]:
    """Each column's name, and whether its values are texts."""
    return {field.name: _is_text(field.type) for field in file.schema_arrow}


def read(path: Path, place: Place, layout: Layout, limits: Limits) -> Iterator[Read]:
    """Rows from `place.offset` on; a row carries its Arrow batch and its place there."""
    pa, _ = load_pyarrow()
    file = open_file(path, limits)
    first_group, start = _group_at(file.metadata, place.offset)
    groups = list(range(first_group, file.metadata.num_row_groups))
    n_rows = _batch_rows(file.metadata)
    number = start
    try:
        for batch in file.iter_batches(batch_size=n_rows, row_groups=groups):
            if batch.nbytes > MAX_BATCH_BYTES:
                raise refused(f"rows {number + 1} to {number + len(batch)} are too large")
            for read in _rows(batch, number, layout):
                if read.after.offset > place.offset:
                    yield read
            number += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise refused(f"it is damaged after row {number}: {error!s:.200}") from error
    finally:
        file.close()


def _batch_rows(metadata: Any) -> int:
    """Rows to read at once: a value that a whole group has in common unpacks once for each row."""
    groups = (metadata.row_group(index) for index in range(metadata.num_row_groups))
    largest = max((group.total_byte_size for group in groups), default=0)
    return int(max(1, min(BATCH_ROWS, MAX_BATCH_BYTES // max(1, largest))))


def _group_at(metadata: Any, offset: int) -> tuple[int, int]:
    """The row group that holds row `offset`, and the number of rows before it."""
    before = 0
    for index in range(metadata.num_row_groups):
        n_rows = metadata.row_group(index).num_rows
        if offset < before + n_rows:
            return index, before
        before += n_rows
    return metadata.num_row_groups, before


def _rows(batch: Any, before: int, layout: Layout) -> Iterator[Read]:
    texts = batch.column(layout.text)
    labels = batch.column(layout.label) if layout.label else None
    for at in range(len(batch)):
        number = before + at + 1
        label = label_of(labels[at].as_py()) if labels is not None else None
        yield Read(_row(texts, at, number, label, batch), Place(number, number))


def _row(texts: Any, at: int, number: int, label: str | None, batch: Any) -> Row | BadRow:
    try:
        text = texts[at].as_py()
    except UnicodeDecodeError:
        return BadRow(number, Fault.NOT_UTF8, "the text is not UTF-8")
    if text is None:
        return BadRow(number, Fault.EMPTY_TEXT, "the text is null")
    return Row(number, text, label, (batch, at))


def _is_text(kind: Any) -> bool:
    pa, _ = load_pyarrow()
    of = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(of) or pa.types.is_large_string(of))
