"""The one kind of Range header that is understood: a single range of bytes (RFC 9110; pure)."""

import re

from registry.errors import RangeNotSatisfiable

MAX_HEADER_CHARS = 64

_RANGE = re.compile(r"bytes=\s*([0-9]*)-([0-9]*)\s*", re.IGNORECASE)


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last, of a file of `size` bytes; None for the whole file.

    What is not a single range of bytes is ignored, as the RFC wants: the whole file answers it.
    Raises RangeNotSatisfiable when the file has no byte of the range.

    >>> parse_range("bytes=0-9", 100), parse_range("bytes=-10", 100), parse_range("bytes=90-", 100)
    ((0, 10), (90, 100), (90, 100))
    """
    found = _RANGE.fullmatch(header) if header and len(header) <= MAX_HEADER_CHARS else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(0, size - int(last)), size
    else:
        start, end = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None
    if start >= size or start >= end:
        raise RangeNotSatisfiable(
            f"the file has {size} bytes, none of them in the range", details={"size": size}
        )
    return start, end
