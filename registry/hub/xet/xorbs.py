"""A xorb: up to 64 MiB of chunks, each packed on its own (pure).

    again and again   u8 version = 0 | u24 packed size | u8 scheme | u24 size | packed bytes
    then, perhaps     a footer that begins with XETBLOB, which nothing here needs

All numbers are little-endian. Schemes: 0 as is; 1 one LZ4 frame; 2 the same of the bytes at 0, 4,
8, …, then those at 1, 5, 9, … and so on (which packs floats better).
"""

from collections.abc import Iterator

import lz4.frame
import numpy as np

from registry.errors import XetRefused

MAX_XORB_BYTES = 64 * 1024**2
"""What clients fill a xorb to, counted before packing."""
MAX_BODY_BYTES = MAX_XORB_BYTES + 2 * 1024**2
"""A body may be a little larger: each chunk has a header, and there may be a footer."""
MAX_UNPACKED_BYTES = 2 * MAX_XORB_BYTES
MAX_CHUNKS = 8_192
MAX_CHUNK_BYTES = 128 * 1024
# LZ4 adds a few bytes where nothing can be packed; clients then send the chunk as it is.
MAX_PACKED_BYTES = MAX_CHUNK_BYTES + 1_024

HEADER_BYTES = 8
FOOTER = b"XETBLOB"
RAW, LZ4, GROUPED_LZ4 = 0, 1, 2
_GROUPS = 4


class XorbReader:
    """Unpacks a xorb that arrives in pieces; holds one chunk and one piece at a time.

    `lengths` are the unpacked bytes of the chunks so far.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self._buffer = bytearray()
        self._n_received = 0
        self._n_unpacked = 0
        self._is_over = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take `data` and yield every chunk that is complete; raises XetRefused."""
        self._n_received += len(data)
        if self._n_received > MAX_BODY_BYTES:
            raise XetRefused(f"the xorb is over {MAX_BODY_BYTES} bytes")
        self._buffer += data
        at = 0
        while not self._is_over and (found := self._take(at)) is not None:
            chunk, at = found
            yield chunk
        del self._buffer[: len(self._buffer) if self._is_over else at]

    def close(self) -> None:
        """Say that the body has ended; raises XetRefused when that is too early."""
        if self._buffer:
            raise XetRefused(f"the xorb ends within chunk {len(self.lengths)}")
        if not self.lengths:
            raise XetRefused("the xorb has no chunks")

    def _take(self, at: int) -> tuple[bytes, int] | None:
        """The chunk at `at` of the buffer and where it ends; None if it is not all there."""
        header = self._buffer[at : at + HEADER_BYTES]
        if len(header) < HEADER_BYTES:
            return None
        if header.startswith(FOOTER):
            self._is_over = True
            return None
        n_packed, scheme, size = self._check(header)
        start, end = at + HEADER_BYTES, at + HEADER_BYTES + n_packed
        if len(self._buffer) < end:
            return None
        chunk = self._unpack(bytes(self._buffer[start:end]), scheme, size)
        self.lengths.append(size)
        self._n_unpacked += size
        return chunk, end

    def _check(self, header: bytearray) -> tuple[int, int, int]:
        n_packed, scheme = int.from_bytes(header[1:4], "little"), header[4]
        size = int.from_bytes(header[5:8], "little")
        if header[0] != 0:
            raise self._refused(f"is of version {header[0]}, and only 0 is known")
        if scheme not in (RAW, LZ4, GROUPED_LZ4):
            raise self._refused(f"is packed by scheme {scheme}, and only 0, 1 and 2 are known")
        if not 0 < size <= MAX_CHUNK_BYTES:
            raise self._refused(f"claims {size} bytes; 1 to {MAX_CHUNK_BYTES} are allowed")
        if not 0 < n_packed <= MAX_PACKED_BYTES:
            raise self._refused(f"claims {n_packed} packed bytes; at most {MAX_PACKED_BYTES}")
        if len(self.lengths) == MAX_CHUNKS:
            raise XetRefused(f"the xorb has over {MAX_CHUNKS} chunks")
        if self._n_unpacked + size > MAX_UNPACKED_BYTES:
            raise XetRefused(f"the xorb unpacks to over {MAX_UNPACKED_BYTES} bytes")
        return n_packed, scheme, size

    def _unpack(self, packed: bytes, scheme: int, size: int) -> bytes:
        data = packed if scheme == RAW else self._inflate(packed, size)
        if len(data) != size:
            raise self._refused(f"does not unpack to the {size} bytes that it claims")
        return _ungroup(data) if scheme == GROUPED_LZ4 else data

    def _inflate(self, packed: bytes, size: int) -> bytes:
        frame = lz4.frame.LZ4FrameDecompressor()
        try:
            # One byte more than claimed: enough to see the end, not enough for a bomb. The one-shot
            # function would allocate whatever size the frame's own header claims.
            data: bytes = frame.decompress(packed, max_length=size + 1)
        except (RuntimeError, ValueError, EOFError) as error:
            raise self._refused("is not a valid LZ4 frame") from error
        if not frame.eof or frame.unused_data:
            raise self._refused(f"is not one LZ4 frame of {size} bytes")
        return data

    def _refused(self, problem: str) -> XetRefused:
        return XetRefused(f"chunk {len(self.lengths)} of the xorb {problem}")


def _ungroup(data: bytes) -> bytes:
    """Undo scheme 2's grouping: the bytes of each residue modulo 4 lie together."""
    grouped = np.frombuffer(data, np.uint8)
    out = np.empty_like(grouped)
    at = 0
    for residue in range(_GROUPS):
        n = len(out[residue::_GROUPS])
        out[residue::_GROUPS] = grouped[at : at + n]
        at += n
    return out.tobytes()
