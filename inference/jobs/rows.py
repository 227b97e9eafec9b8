"""Rows of a file on their way through a job: read, found wrong, or answered. Pure."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

RESULTS = ("label", "score", "version", "prediction_id")
ANSWERS = ("answer", "version", "prediction_id")
LINE = "line"
MAX_COLUMNS = 1000
_TASK_WITH_LABELS = "text-classification"


class Format(StrEnum):
    """What a file may be; each may be compressed by gzip, but for Parquet."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"
    TEXT = "text"


class Fault(StrEnum):
    """Why a row has no answer: the codes in the file of errors."""

    UNREADABLE_ROW = "unreadable_row"
    LINE_TOO_LONG = "line_too_long"
    NOT_UTF8 = "not_utf8"
    MISSING_COLUMN = "missing_column"
    EMPTY_TEXT = "empty_text"
    TEXT_TOO_LONG = "text_too_long"
    NUL_CHARACTER = "nul_character"
    INPUT_FAILED = "input_failed"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a file was read: `offset` in unpacked bytes (rows, in Parquet), and the number of
    lines before it.
    """

    offset: int = 0
    line: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Which columns a file has and which of them matter; `names` is empty for JSON Lines, where
    every line has its own, and for plain text. No `label`: none is given.
    """

    text: str
    label: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one file: a text in characters, a row and the unpacked whole in bytes."""

    max_text_chars: int = 100_000
    max_row_bytes: int = 1024 * 1024
    max_unpacked_bytes: int = 10 * 1024**3


@dataclass(frozen=True, slots=True)
class Row:
    """One text; `line` is where it begins, from 1 (in Parquet the row's number). `carried` is what
    the writer of the same format passes on: cells, an object, or a place in an Arrow batch.
    """

    line: int
    text: str
    label: str | None
    carried: Any


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row without an answer, and why."""

    line: int
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Read:
    """A row, and where the next one begins."""

    row: Row | BadRow
    after: Place


@dataclass(frozen=True, slots=True)
class Answered:
    """A row with its answer; `fields` is the task's own."""

    row: Row
    label: str
    score: float
    fields: dict[str, Any]
    version: int
    prediction_id: str


def checked(row: Row, max_chars: int) -> Row | BadRow:
    """`row`, or what is wrong with its text."""
    text = row.text
    if not text or text.isspace():
        return BadRow(row.line, Fault.EMPTY_TEXT, "the text is empty")
    if len(text) > max_chars:
        reason = f"the text has {len(text)} characters; {max_chars} are allowed"
        return BadRow(row.line, Fault.TEXT_TOO_LONG, reason)
    if (at := text.find("\0")) >= 0:
        return BadRow(row.line, Fault.NUL_CHARACTER, f"a NUL character stands at position {at}")
    try:
        text.encode()
    except UnicodeEncodeError:
        return BadRow(row.line, Fault.NOT_UTF8, "the text holds half of a surrogate pair")
    return row


def result_columns(task: str) -> tuple[str, ...]:
    """The columns that answers of a task add to a row."""
    return RESULTS if task == _TASK_WITH_LABELS else ANSWERS


def renamed(names: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    """`names` of columns that are passed on, with `input_` before those that results have.

    >>> renamed(("text", "label"), RESULTS)
    ('text', 'input_label')
    """
    taken, found = {LINE, *added}, []
    for name in names:
        while name in taken:
            name = f"input_{name}"
        taken.add(name)
        found.append(name)
    return tuple(found)
