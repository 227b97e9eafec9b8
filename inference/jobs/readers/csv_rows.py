"""CSV with a head: cells may hold line ends, and a damaged row costs as few lines as can be."""

import csv
from collections.abc import Iterator

from inference.jobs.readers.json_lines import label_of
from inference.jobs.readers.lines import Line, Lines
from inference.jobs.rows import BadRow, Fault, Layout, Place, Read, Row

# A quote that is never closed would take the rest of the file with it: its first line alone is
# bad, and reading goes on with the second. Only so often: a hostile file has many of them.
MAX_REREADS = 100


class _TooLong(Exception):
    pass


def read(lines: Lines, layout: Layout, *, max_row_bytes: int) -> Iterator[Read]:
    """Every row that is not blank; `lines` stands after the head."""
    reader = _Rows(lines, max_row_bytes)
    while (found := reader.take()) is not None:
        first, cells, after = found
        if isinstance(cells, BadRow):
            yield Read(cells, after)
        elif cells:
            yield Read(_row_of(cells, layout, first.number), after)


def read_head(lines: Lines, *, max_row_bytes: int) -> list[str] | BadRow | None:
    """The names in the first row; None in an empty file."""
    found = _Rows(lines, max_row_bytes).take()
    return found[1] if found else None


class _Rows:
    """Cells of one row after another."""

    def __init__(self, lines: Lines, max_row_bytes: int) -> None:
        self._lines, self._max_bytes, self._n_rereads = lines, max_row_bytes, 0
        # The module's limit is the process's; what is too long is refused by our own.
        csv.field_size_limit(max(csv.field_size_limit(), max_row_bytes))

    def take(self) -> tuple[Line, list[str] | BadRow, Place] | None:
        """The line that a row begins on, its cells or what is wrong, and where the next begins."""
        first = self._lines.take()
        if first is None:
            return None
        if first.is_cut:
            why = "the line is longer than is read here"
            return first, BadRow(first.number, Fault.LINE_TOO_LONG, why), first.after
        if not first.data:
            return first, [], first.after
        taken = [first]
        try:
            cells = next(csv.reader(self._feed(taken), strict=True))
        except (csv.Error, _TooLong) as error:
            return self._give_up(taken, str(error))
        bad = next((line for line in taken if not _is_utf8(line.data)), None)
        if bad is not None:
            why = f"line {bad.number} is not UTF-8"
            return first, BadRow(first.number, Fault.NOT_UTF8, why), taken[-1].after
        return first, cells, taken[-1].after

    def _feed(self, taken: list[Line]) -> Iterator[str]:
        """The lines of a row for as long as its quotes are open."""
        size = 0
        line: Line | None = taken[0]
        while line is not None:
            size += len(line.data)
            if size > self._max_bytes or line.is_cut:
                raise _TooLong("a quote is opened and not closed soon enough")
            # Bytes that are no UTF-8 must not hide where the row ends.
            yield (line.data + line.ending).decode("utf-8", "surrogateescape")
            line = self._lines.take()
            if line is not None:
                taken.append(line)

    def _give_up(self, taken: list[Line], why: str) -> tuple[Line, BadRow, Place]:
        first, last = taken[0], taken[-1]
        if len(taken) > 1 and self._n_rereads < MAX_REREADS:
            self._n_rereads += 1
            self._lines.give_back(taken[1:])
            last = first
        where = f"lines {first.number} to {last.number}" if last is not first else "the line"
        reason = f"{where}: no CSV, {why}"
        return first, BadRow(first.number, Fault.UNREADABLE_ROW, reason), last.after


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _row_of(cells: list[str], layout: Layout, number: int) -> Row | BadRow:
    if len(cells) != len(layout.names):
        reason = f"the row has {len(cells)} cells, the head {len(layout.names)}"
        return BadRow(number, Fault.UNREADABLE_ROW, reason)
    label = label_of(cells[layout.names.index(layout.label)]) if layout.label else None
    return Row(number, cells[layout.names.index(layout.text)], label, cells)
