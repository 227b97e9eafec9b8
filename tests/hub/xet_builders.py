"""Xorbs and shards, written byte by byte as a client writes them, or wrongly."""

import hashlib
import struct
from collections.abc import Iterable, Sequence

import lz4.frame

from registry.hub.xet.shards import TAG

RAW, LZ4, GROUPED = 0, 1, 2
WITH_VERIFICATION, WITH_METADATA = 1 << 31, 1 << 30
END = b"\xff" * 32 + bytes(16)

Range = tuple[str, int, int, int]
"""Xorb name, first chunk, end chunk, bytes."""


def pack(data: bytes, scheme: int = RAW) -> bytes:
    if scheme == GROUPED:
        data = b"".join(data[residue::4] for residue in range(4))
    return data if scheme == RAW else lz4.frame.compress(data, store_size=False)


def chunk(
    data: bytes,
    scheme: int = RAW,
    *,
    version: int = 0,
    n_packed: int | None = None,
    size: int | None = None,
    packed: bytes | None = None,
    claimed_scheme: int | None = None,
) -> bytes:
    """One packed chunk; the keywords replace what its header or payload would honestly be."""
    payload = pack(data, scheme) if packed is None else packed
    header = bytes([version])
    header += (len(payload) if n_packed is None else n_packed).to_bytes(3, "little")
    header += bytes([scheme if claimed_scheme is None else claimed_scheme])
    header += (len(data) if size is None else size).to_bytes(3, "little")
    return header + payload


def xorb(chunks: Iterable[bytes], scheme: int = RAW) -> bytes:
    return b"".join(chunk(data, scheme) for data in chunks)


def name_of(text: str) -> str:
    """Some xorb's name."""
    return hashlib.sha256(text.encode()).hexdigest()


def hash_bytes(text: str) -> bytes:
    """What `hash_text` reads: 64 hex digits as the wire keeps them."""
    words = [int(text[at : at + 16], 16) for at in range(0, 64, 16)]
    return struct.pack("<4Q", *words)


def file_entry(
    ranges: Sequence[Range],
    sha256: str | None = None,
    *,
    flags: int | None = None,
    n_ranges: int | None = None,
    verified: bool = True,
) -> bytes:
    honest = (WITH_VERIFICATION if verified else 0) | (WITH_METADATA if sha256 else 0)
    flags = honest if flags is None else flags
    count = len(ranges) if n_ranges is None else n_ranges
    body = struct.pack("<32sII8x", b"f" * 32, flags, count)
    for name, start, end, n_bytes in ranges:
        body += struct.pack("<32sIIII", hash_bytes(name), 0, n_bytes, start, end)
    if verified:
        body += bytes(48) * len(ranges)
    if sha256:
        body += struct.pack("<32s16x", hash_bytes(sha256))
    return body


def shard(
    *files: bytes, tag: bytes = TAG, version: int = 2, end: bytes = END, tail: bytes = b""
) -> bytes:
    return struct.pack("<32sQQ", tag, version, 0) + b"".join(files) + end + tail


def honest_shard(name: str, chunks: Sequence[bytes]) -> bytes:
    """A shard of one file: all of the xorb's chunks."""
    data = b"".join(chunks)
    part = (name, 0, len(chunks), len(data))
    return shard(file_entry([part], hashlib.sha256(data).hexdigest()))
