"""Labels from a file: CSV or JSON lines, perhaps gzipped, taken row by row.

A row that is wrong harms no other, and giving the same file again changes nothing.
"""

import csv
import gzip
import io
import json
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from monitoring.errors import InvalidFeedback, MonitoringError
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem, parse_item

LARGEST_BYTES = 8 * 2**20
LARGEST_UNPACKED = 64 * 2**20
MOST_ROWS = 100_000
MOST_REFUSED = 10_000
COLUMNS = ("prediction_id", "correct_label", "source")
_NEEDED = frozenset(COLUMNS[:2])
_CHUNK = 500
_GZIP = b"\x1f\x8b"

Line = tuple[int, FeedbackItem | InvalidFeedback, str]
"""The number of a line, what it holds or what is wrong with it, and the id that it names."""


@dataclass(frozen=True, slots=True)
class Refused:
    line: int
    prediction_id: str
    reason: str


@dataclass(slots=True)
class Report:
    """What came of a file: rows by outcome, and those that were refused, the first 10,000."""

    counts: Counter[str] = field(default_factory=Counter)
    refused: list[Refused] = field(default_factory=list)

    @property
    def n(self) -> int:
        return self.counts.total()


def give_file(data: bytes, *, default_source: str, key_id: str, now: datetime) -> Report:
    """Give every row of a file as feedback. Raises InvalidFeedback where it is no such file.

    Rows without a source have `default_source`. Chunks of 500 rows are taken one after another.
    """
    lines = read_lines(unpack(data), default_source=default_source)
    report = Report()
    while chunk := list(islice(lines, _CHUNK)):
        sound = [item for _, item, _ in chunk if isinstance(item, FeedbackItem)]
        outcomes = iter(give_feedback(sound, key_id=key_id, now=now))
        for line, item, id in chunk:
            outcome = next(outcomes) if isinstance(item, FeedbackItem) else item
            _note(report, line, id, outcome)
    return report


def unpack(data: bytes) -> str:
    """The text of a file, gunzipped where it is gzipped. Raises InvalidFeedback."""
    if len(data) > LARGEST_BYTES:
        raise _wrong(f"it is larger than {LARGEST_BYTES // 2**20} MB: send it in parts")
    if data.startswith(_GZIP):
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                data = packed.read(LARGEST_UNPACKED + 1)
        except (OSError, EOFError, zlib.error):
            raise _wrong("it is damaged: it begins like gzip and does not go on so") from None
        if len(data) > LARGEST_UNPACKED:
            raise _wrong(f"unpacked it is larger than {LARGEST_UNPACKED // 2**20} MB")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _wrong("it is not UTF-8 text") from None


def read_lines(text: str, *, default_source: str) -> Iterator[Line]:
    """The rows of CSV (with a head) or of JSON lines, whichever it is. Raises InvalidFeedback."""
    rows = _json_lines(text) if text.lstrip().startswith("{") else _csv_lines(text)
    for n, (line, raw) in enumerate(rows):
        if n >= MOST_ROWS:
            raise _wrong(f"it has more than {MOST_ROWS} rows, and the first {n} were taken")
        yield _line(line, raw, default_source)


def _line(line: int, raw: object, default_source: str) -> Line:
    id = str(raw.get("prediction_id", ""))[:64] if isinstance(raw, dict) else ""
    if isinstance(raw, InvalidFeedback):
        return line, raw, id
    try:
        if isinstance(raw, dict) and not raw.get("source"):
            raw = raw | {"source": default_source}
        return line, parse_item(raw), id
    except InvalidFeedback as error:
        return line, error, id


def _csv_lines(text: str) -> Iterable[tuple[int, object]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
    except csv.Error as error:
        raise _wrong(f"it is no CSV: {error}") from None
    if not set(names) >= _NEEDED or set(names) - set(COLUMNS) or len(names) > len(COLUMNS):
        raise _wrong(
            "its first line must name the columns prediction_id, correct_label and perhaps source"
        )
    reader.fieldnames = names
    return _csv_rows(reader)


def _csv_rows(reader: "csv.DictReader[str]") -> Iterator[tuple[int, object]]:
    while True:
        try:
            row: dict[Any, Any] = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # What follows cannot be told apart into rows any more.
            yield reader.line_num, _wrong(f"this line and the rest are no CSV: {error}")
            return
        if None in row or None in row.values():
            yield reader.line_num, _wrong("this row has not as many cells as the first line")
        else:
            yield reader.line_num, {str(name): value.strip() for name, value in row.items()}


def _json_lines(text: str) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(io.StringIO(text), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line)
        except (ValueError, RecursionError):
            yield number, _wrong("this line is no JSON")


def _note(report: Report, line: int, id: str, outcome: object) -> None:
    if not isinstance(outcome, MonitoringError):
        report.counts[str(getattr(outcome, "status", ""))] += 1
        return
    report.counts["refused"] += 1
    if len(report.refused) < MOST_REFUSED:
        report.refused.append(Refused(line, id, outcome.message))


def _wrong(why: str) -> InvalidFeedback:
    return InvalidFeedback(f"The file was not taken: {why}.", details={"field": "file"})
