"""Archives made by hand, so that they can say what no packer would."""

import gzip
import io
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path

BLOCK = 512
END = bytes(2 * BLOCK)


def header(
    name: bytes = b"config.json",
    size: int | bytes = 0,
    kind: bytes = b"0",
    *,
    prefix: bytes = b"",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    checksum: bytes | None = None,
) -> bytes:
    """One tar header; `size` as bytes is written as it is."""
    field = size if isinstance(size, bytes) else b"%011o\0" % size
    data = bytearray(BLOCK)
    data[0:100] = name.ljust(100, b"\0")
    data[100:124] = b"0000644\0" + b"0000000\0" * 2
    data[124:136] = field.ljust(12, b"\0")
    data[136:148] = b"00000000000\0"
    data[148:156] = b" " * 8
    data[156:157] = kind
    data[157:257] = link.ljust(100, b"\0")
    data[257:265] = magic
    data[345:500] = prefix.ljust(155, b"\0")
    data[148:156] = checksum if checksum is not None else b"%06o\0 " % sum(data)
    return bytes(data)


def entry(name: bytes, content: bytes = b"{}", kind: bytes = b"0", **options: bytes) -> bytes:
    """A whole member: header, content, padding."""
    return header(name, len(content), kind, **options) + content + bytes(-len(content) % BLOCK)


def pax(records: Mapping[str, str] | bytes, kind: bytes = b"x") -> bytes:
    """An extended header; bytes are written as they are."""
    if not isinstance(records, bytes):
        records = b"".join(_record(key, value) for key, value in records.items())
    return entry(b"PaxHeaders/x", records, kind)


def _record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


def tar(*members: bytes) -> bytes:
    return b"".join(members) + END


def tar_of(folder: Path, top: str = "") -> bytes:
    """What `tar` makes of a folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        made.add(folder, arcname=top or ".")
    return out.getvalue()


def zip_of(folder: Path, top: str = "", method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """What a zip program makes of a folder."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for path in sorted(folder.rglob("*")):
            made.write(path, (Path(top) / path.relative_to(folder)).as_posix())
    return out.getvalue()


def zipped(
    members: Iterable[tuple[str | zipfile.ZipInfo, bytes]], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as made:
        for name, content in members:
            info = zipfile.ZipInfo(name) if isinstance(name, str) else name
            info.compress_type = method
            made.writestr(info, content)
    return out.getvalue()


def special(name: str, mode: int) -> zipfile.ZipInfo:
    """A zip member whose Unix mode says what it is."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o644) << 16
    return info


def patched(data: bytes, at: int, value: bytes) -> bytes:
    """`data` with `value` at an offset; from the end when negative."""
    at = at if at >= 0 else len(data) + at
    return data[:at] + value + data[at + len(value) :]


def zip_flags(data: bytes, flags: int, method: int | None = None) -> bytes:
    """Every entry of the archive with other flags (and method), in both headers."""
    for magic, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = data.find(magic)
        while start >= 0:
            data = patched(data, start + at, struct.pack("<H", flags))
            if method is not None:
                data = patched(data, start + at + 2, struct.pack("<H", method))
            start = data.find(magic, start + 4)
    return data


def end64(data: bytes, n_entries: int, length: int, offset: int, start: int | None = None) -> bytes:
    """`data`, an ordinary zip, with a 64-bit end record that says this."""
    end = len(data) - 22
    record = b"PK\x06\x06" + struct.pack(
        "<Q2H2L2Q2Q", 44, 45, 45, 0, 0, n_entries, n_entries, length, offset
    )
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, end if start is None else start, 1)
    return data[:end] + record + locator + data[end:]


def zeros_gz(n_bytes: int, name: bytes = b"vocab.txt") -> bytes:
    """A small tar.gz whose one file is `n_bytes` of zeros."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece, out = bytes(1024**2), [packer.compress(header(name, n_bytes))]
    for _ in range(n_bytes // len(piece)):
        out.append(packer.compress(piece))
    return b"".join([*out, packer.compress(END), packer.flush()])


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


SYMLINK, DEVICE, PIPE, SOCKET = stat.S_IFLNK, stat.S_IFBLK, stat.S_IFIFO, stat.S_IFSOCK
