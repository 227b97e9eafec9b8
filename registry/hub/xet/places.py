"""Where chunks lie once the files made of them are stored (pure).

A `Piece` says that chunks [start, end) of a xorb lie one after another in the blob `sha256` from
byte `offset` on. A xorb's pieces are sorted and do not overlap.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple


class Piece(NamedTuple):
    """Chunks [start, end) of a xorb, in blob `sha256` from byte `offset` on."""

    start: int
    end: int
    sha256: str
    offset: int


class Span(NamedTuple):
    """`n_bytes` of the blob `sha256`, from byte `offset` on."""

    sha256: str
    offset: int
    n_bytes: int


class Lengths:
    """The unpacked bytes of a xorb's chunks, added up once."""

    def __init__(self, lengths: Iterable[int]) -> None:
        self._starts = [0, *accumulate(lengths)]

    def __len__(self) -> int:
        return len(self._starts) - 1

    def before(self, chunk: int) -> int:
        """Bytes of all chunks before `chunk`."""
        return self._starts[chunk]

    def between(self, start: int, end: int) -> int:
        """Bytes of the chunks [start, end)."""
        return self._starts[end] - self._starts[start]


def locate(pieces: Sequence[Piece], lengths: Lengths, start: int, end: int) -> list[Span] | None:
    """Where the chunks [start, end) lie, in order; None when not all of them are anywhere."""
    spans, at = [], start
    for piece in pieces:
        if at < end and piece.start <= at < piece.end:
            upto = min(end, piece.end)
            offset = piece.offset + lengths.between(piece.start, at)
            spans.append(Span(piece.sha256, offset, lengths.between(at, upto)))
            at = upto
    return spans if at == end else None


def is_complete(pieces: Sequence[Piece], n_chunks: int) -> bool:
    """Whether every one of a xorb's chunks has its place."""
    at = 0
    for piece in pieces:
        at = piece.end if piece.start == at else at
    return at == n_chunks


def add_pieces(old: Sequence[Piece], new: Iterable[Piece], lengths: Lengths) -> list[Piece]:
    """`old` and `new` together; where both know a chunk, the newer place is kept.

    The newer file is the one that is likelier to stay.
    """
    merged = sorted(old)
    for piece in new:
        kept = [part for other in merged for part in _without(other, piece, lengths)]
        merged = sorted([*kept, piece])
    return _joined(merged, lengths)


def _without(piece: Piece, hole: Piece, lengths: Lengths) -> list[Piece]:
    """What of `piece` lies outside the chunks of `hole`."""
    left = piece._replace(end=min(piece.end, hole.start))
    start = max(piece.start, hole.end)
    offset = piece.offset + lengths.between(piece.start, min(start, len(lengths)))
    right = piece._replace(start=start, offset=offset)
    return [part for part in (left, right) if part.start < part.end]


def _joined(pieces: Iterable[Piece], lengths: Lengths) -> list[Piece]:
    joined: list[Piece] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last and last.end == piece.start and _end_of(last, lengths) == piece[2:]:
            joined[-1] = last._replace(end=piece.end)
        else:
            joined.append(piece)
    return joined


def _end_of(piece: Piece, lengths: Lengths) -> tuple[str, int]:
    return piece.sha256, piece.offset + lengths.between(piece.start, piece.end)
