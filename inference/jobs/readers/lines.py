"""Physical lines of a stream, bounded, each with where it ends; lines can be given back. Pure."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from inference.jobs.rows import Place

BOM = b"\xef\xbb\xbf"
_SKIP_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """`data` without its `ending`; empty where `is_cut`, because it was longer than allowed."""

    data: bytes
    ending: bytes
    number: int
    after: Place
    is_cut: bool = False


class Lines:
    """Lines of `stream`, which stands at `place`, of at most `max_bytes` each."""

    def __init__(self, stream: BinaryIO, place: Place, *, max_bytes: int) -> None:
        self._stream, self._max_bytes = stream, max_bytes
        self._offset, self._number = place.offset, place.line
        self._returned: deque[Line] = deque()

    def take(self) -> Line | None:
        """The next line, None at the end."""
        if self._returned:
            return self._returned.popleft()
        is_first = self._offset == 0
        data = self._stream.readline(self._max_bytes + 1)
        if not data:
            return None
        size, is_cut = len(data), len(data) > self._max_bytes and not data.endswith(b"\n")
        if is_cut:
            size += self._skip()
        self._offset += size
        self._number += 1
        if is_first:
            data = data.removeprefix(BOM)
        kept = b"" if is_cut else data.removesuffix(b"\n").removesuffix(b"\r")
        ending = b"" if is_cut else data[len(kept) :]
        return Line(kept, ending, self._number, Place(self._offset, self._number), is_cut)

    def give_back(self, lines: Sequence[Line]) -> None:
        """Let `lines`, the last that were taken, be taken again."""
        self._returned.extendleft(reversed(lines))

    def _skip(self) -> int:
        n_skipped = 0
        while piece := self._stream.readline(_SKIP_BYTES):
            n_skipped += len(piece)
            if piece.endswith(b"\n"):
                break
        return n_skipped
