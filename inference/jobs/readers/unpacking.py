"""Gzip as a stream that stays small: bounded pieces, a bounded whole, a bounded ratio. Pure."""

import io
import zlib
from typing import BinaryIO

from inference.errors import JobFileRefused

GZIP = b"\x1f\x8b"
PIECE_BYTES = 64 * 1024
# Text shrinks to a tenth, logs to a thirtieth. Small files may be as repetitive as they like.
MAX_RATIO = 200
FREE_BYTES = 16 * 1024**2


class Unpacked(io.RawIOBase):
    """The unpacked bytes of `packed`, one member after the other.

    Reading raises JobFileRefused where it is damaged or cut short, where it has more than
    `max_bytes` unpacked, or more than MAX_RATIO times its packed size.
    """

    def __init__(self, packed: BinaryIO, *, max_bytes: int) -> None:
        self._packed, self._max_bytes = packed, max_bytes
        self._member = zlib.decompressobj(wbits=31)
        self._waiting = b""
        self._n_in = self._n_out = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        while True:
            piece = self._take(len(buffer))
            if piece is None:
                return 0
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)

    def _take(self, most: int) -> bytes | None:
        """Some bytes, perhaps none yet; None at the end."""
        if not self._waiting:
            self._waiting = self._packed.read(PIECE_BYTES)
            self._n_in += len(self._waiting)
            if not self._waiting:
                if not self._member.eof:
                    raise refused("it is cut short: the end of the gzip data is missing")
                return None
        if self._member.eof:
            # Zeros may fill up what follows the last member.
            self._waiting = self._waiting.lstrip(b"\0")
            if self._waiting:
                self._member = zlib.decompressobj(wbits=31)
            return b""
        try:
            piece = self._member.decompress(self._waiting, most)
        except zlib.error as error:
            raise refused(f"it is damaged: {error}") from error
        self._waiting = self._member.unused_data or self._member.unconsumed_tail
        self._n_out += len(piece)
        self._check()
        return piece

    def _check(self) -> None:
        if self._n_out > self._max_bytes:
            raise refused(f"it has more than {self._max_bytes} bytes unpacked: split it")
        if self._n_out > FREE_BYTES and self._n_out > MAX_RATIO * self._n_in:
            raise refused(f"it unpacks to more than {MAX_RATIO} times its size")


def refused(problem: str, **details: object) -> JobFileRefused:
    """The error that says why a file cannot be worked on."""
    return JobFileRefused(f"The file cannot be read: {problem}.", details=details)
