"""Zip archives: the end record is judged before the standard library reads the rest."""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from registry.errors import ArchiveRefused
from registry.sources.members import CHUNK_BYTES, Member

MAX_ENTRIES = 10_000
MAX_DIRECTORY_BYTES = 2 * 1024**2

_END, _END_SIZE = b"PK\x05\x06", 22
_END64, _END64_SIZE = b"PK\x06\x06", 56
_LOCATOR, _LOCATOR_SIZE = b"PK\x06\x07", 20
_MAX_COMMENT = 65_535
_IS_ENCRYPTED, _IS_PATCH, _IS_STRONG, _IS_UTF8 = 0x1, 0x20, 0x40, 0x800
_DOS_FOLDER, _UNIX = 0x10, 3


def read_zip(stream: BinaryIO, size: int) -> Iterator[Member]:
    """The members in the order in which they lie in the file."""
    _check_directory(stream, size)
    with _translated(), zipfile.ZipFile(stream) as opened:
        infos = sorted(opened.infolist(), key=lambda info: info.header_offset)
        if len(infos) > MAX_ENTRIES:
            raise ArchiveRefused(f"the archive has over {MAX_ENTRIES} entries")
        _check_overlap(infos, opened.start_dir)
        for info in infos:
            yield _member(opened, info)


def _member(opened: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    def pieces() -> Iterator[bytes]:
        n_bytes = 0
        with _translated(), opened.open(info) as stream:
            while piece := stream.read(CHUNK_BYTES):
                n_bytes += len(piece)
                yield piece
        if n_bytes != info.file_size:
            raise ArchiveRefused("a file of the archive is not as long as it claims")

    is_folder = info.orig_filename.endswith("/")
    return Member(info.orig_filename, info.file_size, pieces, is_folder, _problem(info, is_folder))


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error) as error:
        raise _damaged(error) from error
    except (NotImplementedError, RuntimeError, UnicodeError, ValueError) as error:
        raise _damaged(error) from error


def _problem(info: zipfile.ZipInfo, is_folder: bool) -> str:
    mode = info.external_attr >> 16
    if info.flag_bits & (_IS_ENCRYPTED | _IS_STRONG):
        return "is encrypted"
    if info.flag_bits & _IS_PATCH:
        return "is a patch to another file"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is compressed in a way that is not read here: use deflate"
    if not info.orig_filename.isascii() and not info.flag_bits & _IS_UTF8:
        return "has a name of an unknown encoding"
    if info.create_system == _UNIX and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a symbolic link" if stat.S_ISLNK(mode) else "is a device or a pipe"
    is_marked = info.external_attr & _DOS_FOLDER or stat.S_ISDIR(mode)
    if is_marked and not is_folder:
        return "is a folder and a file at once"
    return "is a folder with content" if is_folder and info.file_size else ""


def _check_directory(stream: BinaryIO, size: int) -> None:
    """Refuse by the end record: how many entries, how large a directory, and where it must lie."""
    tail_size = min(size, _END_SIZE + _MAX_COMMENT)
    stream.seek(size - tail_size)
    tail = stream.read(tail_size)
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise ArchiveRefused("the archive is cut short: its directory is missing")
    _, disk, start_disk, n_here, n_entries, length, offset, n_comment = struct.unpack(
        "<4s4H2LH", tail[at : at + _END_SIZE]
    )
    if at + _END_SIZE + n_comment != len(tail):
        raise ArchiveRefused("something follows the end of the archive")
    end = size - tail_size + at
    if disk or start_disk or n_here != n_entries:
        raise ArchiveRefused("the archive is split over several files")
    # As the library does: a 64-bit record goes before, whether it is needed or not.
    stream.seek(max(0, end - _LOCATOR_SIZE))
    if stream.read(len(_LOCATOR)) == _LOCATOR:
        n_entries, length, offset, end = _read_end64(stream, end)
    if n_entries > MAX_ENTRIES or length > MAX_DIRECTORY_BYTES:
        raise ArchiveRefused(f"the archive claims {n_entries} entries; it may have {MAX_ENTRIES}")
    if offset + length != end:
        raise ArchiveRefused("the archive's directory does not lie where its end record says")
    stream.seek(0)


def _read_end64(stream: BinaryIO, end: int) -> tuple[int, int, int, int]:
    if end < _LOCATOR_SIZE + _END64_SIZE:
        raise ArchiveRefused("the archive's directory does not lie where its end record says")
    stream.seek(end - _LOCATOR_SIZE - _END64_SIZE)
    data = stream.read(_END64_SIZE + _LOCATOR_SIZE)
    record, locator = data[:_END64_SIZE], data[_END64_SIZE:]
    start = end - _LOCATOR_SIZE - _END64_SIZE
    is_there = record.startswith(_END64) and locator.startswith(_LOCATOR)
    if not is_there or struct.unpack("<Q", locator[8:16])[0] != start:
        raise ArchiveRefused("the archive's directory does not lie where its end record says")
    n_entries, length, offset = struct.unpack("<3Q", record[32:56])
    return n_entries, length, offset, start


def _check_overlap(infos: list[zipfile.ZipInfo], start_dir: int) -> None:
    """Entries that share bytes are how a small file unpacks to a huge one."""
    ends = [*(info.header_offset for info in infos[1:]), start_dir]
    for info, end in zip(infos, ends, strict=False):
        if info.header_offset + 30 + info.compress_size > end:
            raise ArchiveRefused("entries of the archive overlap")


def _damaged(error: Exception) -> ArchiveRefused:
    return ArchiveRefused(f"the zip archive is damaged: {error}"[:300])
