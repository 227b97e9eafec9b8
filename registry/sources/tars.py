"""Tar archives, read in order from a stream: a small strict reader.

The standard library's reader takes a header's word for how much to hold in memory, and follows many
dialects. This one knows plain files and folders in the ustar, pax and GNU forms, and nothing else.
"""

import gzip
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Protocol

from registry.errors import ArchiveRefused
from registry.sources.members import CHUNK_BYTES, Member

BLOCK = 512
# Long names need a few hundred bytes; some packers add checksums and times.
MAX_EXTENDED_BYTES = 64 * 1024
MAX_EXTENDED = 20_000
MAX_PADDING_BYTES = 1024**2
MAX_SIZE = 2**62

_KINDS = {
    b"1": "is a hard link",
    b"2": "is a symbolic link",
    b"3": "is a device",
    b"4": "is a device",
    b"6": "is a pipe",
    b"S": "is a sparse file",
    b"D": "is a folder listing of an incremental backup",
    b"M": "goes on from another volume",
    b"V": "is a volume label",
    b"K": "has a long link name",
}
_EXTENDED = frozenset({b"g", b"x", b"L"})
_SPARSE = b"GNU.sparse"
_ZERO = bytes(BLOCK)


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def read_tar(stream: _Readable) -> Iterator[Member]:
    """The members in order. Each is read before the next is asked for, or passed over."""
    reader = _Reader(stream)
    name, fields, common = "", dict[str, str](), dict[str, str]()
    n_extended = 0
    while (header := reader.block()) != _ZERO:
        n_extended += header[156:157] in _EXTENDED
        if n_extended > MAX_EXTENDED:
            raise ArchiveRefused(f"the archive has over {MAX_EXTENDED} extended headers")
        kind, size = header[156:157], _checked_size(header)
        if kind == b"g":
            common |= _parse_pax(reader.small(size))
        elif kind == b"x":
            fields = _parse_pax(reader.small(size))
        elif kind == b"L":
            name = _text(reader.small(size).rstrip(b"\0"))
        else:
            known = common | fields
            yield reader.member(header, kind, known, known.get("path") or name, size)
            reader.pass_over()
            name, fields = "", {}
    if name or fields:
        raise ArchiveRefused("the archive ends with a header that belongs to no file")
    reader.check_end()


def read_tar_gz(stream: BinaryIO) -> Iterator[Member]:
    """The members of a gzip-compressed tar."""
    return read_tar(_Gzip(stream))


class _Gzip:
    """A gzip stream whose damage is an expected failure."""

    def __init__(self, stream: BinaryIO) -> None:
        self._unpacked = gzip.GzipFile(fileobj=stream, mode="rb")

    def read(self, size: int, /) -> bytes:
        try:
            return self._unpacked.read(size)
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise ArchiveRefused(f"the gzip stream is damaged or cut short: {error}") from error


class _Reader:
    def __init__(self, stream: _Readable) -> None:
        self._stream = stream
        self._left = self._padding = 0

    def block(self) -> bytes:
        found = self._stream.read(BLOCK)
        if len(found) != BLOCK:
            raise _cut()
        return found

    def small(self, size: int) -> bytes:
        if size > MAX_EXTENDED_BYTES:
            raise ArchiveRefused(
                f"a header of the archive claims {size} bytes; it may have {MAX_EXTENDED_BYTES}"
            )
        padded = -(-size // BLOCK) * BLOCK
        found = self._stream.read(padded)
        if len(found) != padded:
            raise _cut()
        return found[:size]

    def member(
        self, header: bytes, kind: bytes, known: dict[str, str], name: str, size: int
    ) -> Member:
        name = name or _own_name(header)
        problem = _KINDS.get(kind, "")
        is_folder = kind == b"5" or (kind in (b"0", b"\0") and name.endswith("/"))
        if any(key.startswith(_SPARSE.decode()) for key in known):
            problem = "is a sparse file"
        elif not problem and kind not in (b"0", b"\0", b"7", b"5"):
            problem = f"is of the unknown kind {kind!r}"
        if "size" in known:
            size = _decimal(known["size"])
        if is_folder and size:
            problem = problem or "is a folder with content"
        self._left, self._padding = size, -size % BLOCK
        return Member(name, size, self._pieces, is_folder, problem)

    def _pieces(self) -> Iterator[bytes]:
        while self._left:
            piece = self._stream.read(min(CHUNK_BYTES, self._left))
            if not piece:
                raise _cut()
            self._left -= len(piece)
            yield piece

    def pass_over(self) -> None:
        for _ in self._pieces():
            pass
        if len(self._stream.read(self._padding)) != self._padding:
            raise _cut()

    def check_end(self) -> None:
        """Nothing but a bounded padding of zeros follows the end mark; gzip's checksum is read."""
        n_bytes = 0
        while piece := self._stream.read(CHUNK_BYTES):
            n_bytes += len(piece)
            if piece.strip(b"\0") or n_bytes > MAX_PADDING_BYTES:
                raise ArchiveRefused("something follows the end of the archive")


def _checked_size(header: bytes) -> int:
    claimed = _octal(header[148:156], "checksum")
    if claimed != sum(header[:148]) + sum(header[156:]) + 8 * 32:
        raise ArchiveRefused("a header of the archive is damaged: its checksum is wrong")
    return _number(header[124:136])


def _own_name(header: bytes) -> str:
    name, prefix = header[:100].partition(b"\0")[0], header[345:500].partition(b"\0")[0]
    is_posix = header[257:263] == b"ustar\0"
    return _text(prefix + b"/" + name if is_posix and prefix else name)


def _number(data: bytes) -> int:
    # GNU writes what does not fit in octal digits as a binary number, marked by the first bit.
    if data[0] == 0x80:
        return _bounded(int.from_bytes(data[1:], "big"))
    return _octal(data, "size")


def _octal(data: bytes, what: str) -> int:
    digits = data.strip(b" \0")
    if not digits:
        return 0
    if not all(digit in b"01234567" for digit in digits):
        raise ArchiveRefused(f"a header of the archive is damaged: its {what} is no number")
    return int(digits, 8)


def _decimal(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ArchiveRefused("a header of the archive is damaged: its size is no number")
    return _bounded(int(text))


def _bounded(size: int) -> int:
    if size > MAX_SIZE:
        raise ArchiveRefused("a header of the archive claims an impossible size")
    return size


def _parse_pax(data: bytes) -> dict[str, str]:
    """Records of the form `<length> <key>=<value>\\n`, the length counting itself."""
    found: dict[str, str] = {}
    while data:
        digits, space, _ = data[:20].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = data[:length]
        key, equals, value = record[len(digits) + 1 : -1].partition(b"=")
        if not (length and len(record) == length and record.endswith(b"\n") and equals and key):
            raise ArchiveRefused("an extended header of the archive is damaged")
        if key in (b"path", b"size") or key.startswith(_SPARSE):
            found[_text(key)[:100]] = _text(value)
        data = data[length:]
    return found


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArchiveRefused("a name in the archive is not UTF-8") from error


def _cut() -> ArchiveRefused:
    return ArchiveRefused("the archive is cut short: pack and send it again")
