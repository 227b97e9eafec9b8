"""A shard: how files are made of ranges of chunks (pure).

    header    32 bytes tag | u64 version = 2 | u64 footer size
    a file    32 bytes hash | u32 flags | u32 number of ranges | 8 unused bytes
              per range: 32 bytes xorb hash | u32 flags | u32 bytes | u32 first | u32 end chunk
              with flag bit 31, per range: 48 bytes for verification
              with flag bit 30: 32 bytes sha256 of the file | 16 unused bytes
    the end   32 bytes of 0xff | 16 unused bytes

What follows (the xorbs' own chunk lists, a footer) repeats what the xorbs have told. Numbers are
little-endian; hashes, the sha256 too, are four little-endian u64.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from registry.errors import XetRefused
from registry.hub.xet.xorbs import MAX_CHUNKS, MAX_UNPACKED_BYTES

MAX_SHARD_BYTES = 64 * 1024**2
"""What clients fill a shard to; it then describes some 90 GB."""
MAX_FILES = 4_096
MAX_RANGES = 100_000
"""Of one file. Clients aim at few ranges a file: this is 6 GB if not one chunk follows another."""

TAG = b"HFRepoMetaData\0UigEj{\x81W\x83\xa5\xbd\xd9\\\xcd\xd1J\xa9"
VERSION = 2
_HAS_VERIFICATION, _HAS_METADATA = 1 << 31, 1 << 30
_END = b"\xff" * 32

_HEADER = struct.Struct("<32sQQ")
_FILE = struct.Struct("<32sII8x")
_RANGE = struct.Struct("<32sIIII")
_METADATA = struct.Struct("<32s16x")
ENTRY_BYTES = 48


class ChunkRange(NamedTuple):
    """The chunks [start, end) of the xorb called `xorb`, which hold `n_bytes`."""

    xorb: str
    start: int
    end: int
    n_bytes: int


@dataclass(frozen=True, slots=True)
class ShardFile:
    """One file: its ranges in order, and the sha256 (hex) it should have, if that was told."""

    ranges: tuple[ChunkRange, ...]
    sha256: str | None

    @property
    def size(self) -> int:
        return sum(part.n_bytes for part in self.ranges)


def read_shard(stream: BinaryIO) -> Iterator[ShardFile]:
    """Yield the files of a shard one by one, reading no further than their list.

    Raises XetRefused for anything but a complete list of well-formed files.
    """
    tag, version, _ = _HEADER.unpack(_read(stream, _HEADER.size, "its header"))
    if tag != TAG:
        raise XetRefused("the shard does not begin as shards do")
    if version != VERSION:
        raise XetRefused(f"the shard is of version {version}, and only {VERSION} is known")
    for number in range(MAX_FILES + 1):
        name, flags, n_ranges = _FILE.unpack(_read(stream, ENTRY_BYTES, "its list of files"))
        if name == _END:
            return
        if number == MAX_FILES:
            break
        yield _read_file(stream, number, flags, n_ranges)
    raise XetRefused(f"the shard names over {MAX_FILES} files")


def hash_text(raw: bytes) -> str:
    """A hash's 32 bytes as the wire prints them: four little-endian u64 in hex.

    >>> hash_text(bytes(range(32)))
    '07060504030201000f0e0d0c0b0a090817161514131211101f1e1d1c1b1a1918'
    """
    return "".join(f"{word:016x}" for word in struct.unpack("<4Q", raw))


def _read_file(stream: BinaryIO, number: int, flags: int, n_ranges: int) -> ShardFile:
    what = f"file {number}"
    if not n_ranges:
        raise XetRefused(f"{what} of the shard has no chunks: such files go with the commit")
    if n_ranges > MAX_RANGES:
        raise XetRefused(f"{what} of the shard claims {n_ranges} ranges; at most {MAX_RANGES}")
    names: dict[bytes, str] = {}
    ranges = tuple(_read_range(stream, what, names) for _ in range(n_ranges))
    if flags & _HAS_VERIFICATION:
        for _ in range(n_ranges):
            _read(stream, ENTRY_BYTES, what)
    sha256 = None
    if flags & _HAS_METADATA:
        sha256 = hash_text(*_METADATA.unpack(_read(stream, ENTRY_BYTES, what)))
    return ShardFile(ranges, sha256)


def _read_range(stream: BinaryIO, what: str, names: dict[bytes, str]) -> ChunkRange:
    raw, _, n_bytes, start, end = _RANGE.unpack(_read(stream, ENTRY_BYTES, what))
    if not start < end <= MAX_CHUNKS:
        raise XetRefused(f"{what} of the shard has the range {start} to {end}, which is none")
    if not 0 < n_bytes <= MAX_UNPACKED_BYTES:
        raise XetRefused(f"{what} of the shard has a range of {n_bytes} bytes")
    # One string a xorb, however many ranges name it.
    name = names.get(raw) or names.setdefault(raw, hash_text(raw))
    return ChunkRange(name, start, end, n_bytes)


def _read(stream: BinaryIO, size: int, what: str) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise XetRefused(f"the shard ends within {what}")
    return data
