"""Bytes that clients upload: to a private file first, and, when they are right, to the store."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

from access.database import in_thread
from access.errors import RateLimited
from registry import durable
from registry.errors import LengthRequired, UploadMismatch, UploadRefused
from registry.hub import bodies
from registry.hub.calls import Call
from registry.location import open_store
from registry.models import Upload
from registry.services.uploads import finish_upload, upload_folder
from registry.staging import Staging

# Bodies that may arrive at once; each holds a file open and a megabyte or two.
MAX_AT_ONCE = 64
RETRY_AFTER_S = 5.0

_n_arriving = 0


@contextmanager
def place() -> Iterator[None]:
    """A place among the uploads that may arrive at once; raises RateLimited when all are taken."""
    global _n_arriving
    if _n_arriving >= MAX_AT_ONCE:
        raise RateLimited(
            f"{MAX_AT_ONCE} uploads are arriving already", retry_after_s=RETRY_AFTER_S
        )
    _n_arriving += 1
    try:
        yield
    finally:
        _n_arriving -= 1


@asynccontextmanager
async def staging() -> AsyncIterator[Staging]:
    """A private folder in the store; it and what is left in it are gone afterwards."""
    opened = open_store().open_staging()
    made = await bodies.on_disk(opened.__enter__)
    try:
        yield made
    finally:
        await asyncio.shield(bodies.on_disk(lambda: opened.__exit__(None, None, None)))


def check_length(call: Call, expected: int) -> None:
    """Refuse a body before it is read; raises LengthRequired, UploadMismatch or StoreFull."""
    length = bodies.announced_length(call.headers)
    if length is None or "transfer-encoding" in call.headers:
        raise LengthRequired("send Content-Length: uploads in chunks of unknown length are refused")
    if length != expected:
        raise UploadMismatch(
            f"Content-Length is {length}; {expected} bytes were announced for this URL",
            details={"announced": expected},
        )


async def receive(call: Call, folder: Path, size: int) -> tuple[Path, str]:
    """Take the body, of exactly `size` bytes, into a new file; returns it and its sha256 (hex).

    Nothing is left of a body that is refused or breaks off.
    """
    target = folder / f"arriving-{uuid4().hex}"

    def make() -> "os.PathLike[str]":
        durable.make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        open_store().check_room(size)
        return target

    await bodies.on_disk(make)
    sink = await bodies.on_disk(lambda: target.open("xb", buffering=0))
    try:
        with _unless_swept():
            _, sha256 = await bodies.write_body(
                call.receive, sink, limit=size, exact=True, on_bytes=lambda n: os.utime(folder)
            )
        await bodies.at_length(lambda: os.fsync(sink.fileno()))
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    finally:
        sink.close()
    return target, sha256


async def receive_whole(call: Call, upload: Upload) -> None:
    """Take a file that comes in one body, and keep it if its sha256 is the announced one."""
    folder = upload_folder(upload.pk)
    staged, sha256 = await receive(call, folder, upload.size)
    try:
        _check_sha256(upload, sha256)
        await in_thread(lambda: finish_upload(upload, staged))
    finally:
        await bodies.on_disk(lambda: staged.unlink(missing_ok=True))
    await bodies.on_disk(lambda: durable.remove_tree(folder))


async def receive_part(call: Call, upload: Upload, number: int) -> str:
    """Take one part (from 1) of a file; returns its sha256 (hex). A part may be sent again."""
    folder = upload_folder(upload.pk)
    staged, sha256 = await receive(call, folder, part_length(upload, number))
    await bodies.on_disk(lambda: staged.replace(_part(folder, number)))
    return sha256


async def complete(upload: Upload) -> None:
    """Put a file together from its parts and keep it if its sha256 is the announced one.

    Raises UploadMismatch, also when parts are missing; they may then be sent again.
    """
    folder = upload_folder(upload.pk)
    whole = folder / f"whole-{uuid4().hex}"
    try:
        with _unless_swept():
            sha256 = await bodies.at_length(lambda: _join(upload, folder, whole))
        _check_sha256(upload, sha256)
        await in_thread(lambda: finish_upload(upload, whole))
    finally:
        await bodies.on_disk(lambda: whole.unlink(missing_ok=True))
    await bodies.at_length(lambda: durable.remove_tree(folder))


def n_parts(upload: Upload) -> int:
    """How many requests the file comes in."""
    return -(-upload.size // upload.part_size) if upload.part_size else 1


def part_length(upload: Upload, number: int) -> int:
    """Bytes of part `number`, which starts at 1."""
    return min(upload.part_size, upload.size - (number - 1) * upload.part_size)


def _join(upload: Upload, folder: Path, whole: Path) -> str:
    # A copy, not the parts themselves: a part that still arrives could change one after its check.
    parts = [_part(folder, number) for number in range(1, n_parts(upload) + 1)]
    missing = [n for n, part in enumerate(parts, start=1) if not part.is_file()]
    if missing:
        raise UploadMismatch(f"part {missing[0]} has not arrived: send it, then complete again")
    open_store().check_room(upload.size)
    size, sha256 = durable.join_hashed(parts, whole, lambda n: os.utime(folder))
    if size != upload.size:
        raise UploadMismatch("the parts have other lengths than were announced: upload again")
    return sha256


@contextmanager
def _unless_swept() -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UploadRefused("this upload took too long, and was cleared: begin again") from error


def _part(folder: Path, number: int) -> Path:
    return folder / f"part-{number:05}"


def _check_sha256(upload: Upload, found: str) -> None:
    if found != upload.sha256:
        raise UploadMismatch(
            f"the bytes have the sha256 {found[:12]}…, not {upload.sha256[:12]}… as announced: "
            "the file changed, or was altered on its way; upload it again",
            details={"announced": upload.sha256, "found": found},
        )
