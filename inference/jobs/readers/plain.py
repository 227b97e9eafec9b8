"""Plain text: a line a text."""

from collections.abc import Iterator

from inference.jobs.readers.lines import Line, Lines
from inference.jobs.rows import BadRow, Fault, Layout, Read, Row

TEXT = "text"


def read(lines: Lines, layout: Layout) -> Iterator[Read]:
    """Every line; an empty one is a bad row, since nothing else says that no text was meant."""
    while (line := lines.take()) is not None:
        yield Read(_row(line), line.after)


def decoded(line: Line) -> str | BadRow:
    """The text of a line that is short enough and UTF-8."""
    if line.is_cut:
        return BadRow(line.number, Fault.LINE_TOO_LONG, "the line is longer than is read here")
    try:
        return line.data.decode()
    except UnicodeDecodeError as error:
        return BadRow(
            line.number, Fault.NOT_UTF8, f"byte {error.start + 1} of the line is not UTF-8"
        )


def _row(line: Line) -> Row | BadRow:
    text = decoded(line)
    return text if isinstance(text, BadRow) else Row(line.number, text, None, {TEXT: text})
