"""JSON Lines: an object a line, or a bare text."""

import json
from collections.abc import Iterator
from typing import Any

from inference.jobs.readers.lines import Line, Lines
from inference.jobs.readers.plain import decoded
from inference.jobs.rows import MAX_COLUMNS, BadRow, Fault, Layout, Read, Row

_LONGEST_LABEL = 256


def read(lines: Lines, layout: Layout) -> Iterator[Read]:
    """Every line that is not blank."""
    while (line := lines.take()) is not None:
        if line.data.strip() or line.is_cut:
            yield Read(row_of(line, layout), line.after)


def row_of(line: Line, layout: Layout) -> Row | BadRow:
    text = decoded(line)
    if isinstance(text, BadRow):
        return text
    try:
        item = json.loads(text, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _TwiceNamed) else "the line is not JSON"
        return BadRow(line.number, Fault.UNREADABLE_ROW, reason)
    if isinstance(item, str):
        item = {layout.text: item}
    if not isinstance(item, dict):
        return BadRow(line.number, Fault.UNREADABLE_ROW, "the line is neither an object nor a text")
    return _row_of_item(item, layout, line.number)


def names_of(line: Line, text: str) -> set[str]:
    """The fields of a line's object, `text` for a bare text; none where it cannot be read."""
    found = row_of(line, Layout(text))
    if isinstance(found, Row):
        return set(found.carried)
    is_object = found.code in (Fault.MISSING_COLUMN, Fault.EMPTY_TEXT)
    return set(json.loads(line.data)) if is_object else set()


def _row_of_item(item: dict[str, Any], layout: Layout, number: int) -> Row | BadRow:
    if layout.text not in item:
        return BadRow(number, Fault.MISSING_COLUMN, f"there is no field {layout.text!r:.80}")
    value = item[layout.text]
    if value is None:
        return BadRow(number, Fault.EMPTY_TEXT, "the text is null")
    if not isinstance(value, str):
        return BadRow(number, Fault.MISSING_COLUMN, f"{layout.text!r:.80} is not a text")
    return Row(number, value, label_of(item.get(layout.label)) if layout.label else None, item)


def label_of(value: object) -> str | None:
    """A label as text: a class's name or number; None where none is known."""
    if value is None or value == "":
        return None
    # No database takes NUL or half of a surrogate pair, and no class is called so.
    text = str(value)[:_LONGEST_LABEL].replace("\0", "?")
    return text.encode("utf-8", "replace").decode()


class _TwiceNamed(ValueError):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _TwiceNamed("a field is there twice")
    if len(found) > MAX_COLUMNS:
        raise _TwiceNamed(f"there are more than {MAX_COLUMNS} fields")
    return found
