"""How records lie in a segment of the journal: frames of bytes, written whole, checked when read.

A frame is a header of three little-endian words (payload length, crc32 of the payload, crc32 of the
two words before) and a msgpack payload. The header has a checksum of its own so that a frame that a
dying process cut short (a good header, too few bytes) is never taken for a damaged one.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import msgspec

from inference.records import PredictionRecord

HEADER = struct.Struct("<III")
_WORDS = struct.Struct("<II")
# UUIDs as 16 bytes: a third of the default text form.
_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
_DECODER = msgspec.msgpack.Decoder(PredictionRecord)


class Position(NamedTuple):
    """A place in a journal: segment number and byte offset in it. Positions order by time."""

    segment: int
    offset: int


ORIGIN = Position(0, 0)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame at [start, end) of the scanned bytes; a damaged payload has no `record`."""

    record: PredictionRecord | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What a stretch of bytes holds.

    `end` is the offset after the last whole frame. `n_needed` is how many bytes from `end` the next
    frame takes where the stretch ends inside it, otherwise 0. `is_broken` says that the header at
    `end` is damaged, so that nothing after it can be told apart.
    """

    frames: tuple[Frame, ...]
    end: int
    n_needed: int
    is_broken: bool


def encode(records: Sequence[PredictionRecord]) -> bytes:
    """The frames of `records`, one after the other."""
    parts: list[bytes] = []
    for record in records:
        payload = _ENCODER.encode(record)
        words = _WORDS.pack(len(payload), crc32(payload))
        parts += (words, crc32(words).to_bytes(4, "little"), payload)
    return b"".join(parts)


def scan(data: bytes, *, limit: int) -> Scan:
    """The first `limit` frames of `data`, which begins at a frame."""
    frames: list[Frame] = []
    start = 0
    while start < len(data) and len(frames) < limit:
        if start + HEADER.size > len(data):
            return Scan(tuple(frames), start, HEADER.size, is_broken=False)
        length, payload_sum, header_sum = HEADER.unpack_from(data, start)
        if crc32(data[start : start + _WORDS.size]) != header_sum:
            return Scan(tuple(frames), start, 0, is_broken=True)
        end = start + HEADER.size + length
        if end > len(data):
            return Scan(tuple(frames), start, end - start, is_broken=False)
        frames.append(Frame(_decode(data[start + HEADER.size : end], payload_sum), start, end))
        start = end
    return Scan(tuple(frames), start, 0, is_broken=False)


def _decode(payload: bytes, expected_sum: int) -> PredictionRecord | None:
    if crc32(payload) != expected_sum:
        return None
    try:
        return _DECODER.decode(payload)
    except msgspec.DecodeError:  # a newer program's shape, or bytes that were never ours
        return None
