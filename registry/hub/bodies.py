"""Bytes at the door: small bodies whole, large ones to a file, hashed as they arrive.

Every body is bounded in size and time. Disk and hashes are the work of threads of their own, so
neither the event loop nor the ORM's threads wait for them.
"""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO, Protocol, TypeVar

from registry.errors import StoreFull, UploadMismatch
from registry.hub.errors import BodyTooLarge, BodyTooSlow, ClientGone

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
T = TypeVar("T")

# A client that sends nothing for this long has gone, whatever its connection says.
IDLE_S = 30.0
GRACE_S = 60.0
MIN_BYTES_PER_S = 32 * 1024
PIECE_BYTES = 1024**2

_threads = ThreadPoolExecutor(8, thread_name_prefix="hub-files")
# Apart from the others, so that hashing a large file does not hold up a download.
_long_threads = ThreadPoolExecutor(2, thread_name_prefix="hub-hashing")


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


async def on_disk(work: Callable[[], T]) -> T:
    """Run `work`, which reads, writes or hashes files, in a thread; a full disk is StoreFull."""
    return await _run(_threads, work)


async def at_length(work: Callable[[], T]) -> T:
    """As `on_disk`, for work that may take seconds or more."""
    return await _run(_long_threads, work)


async def _run(threads: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    try:
        return await asyncio.get_running_loop().run_in_executor(threads, work)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StoreFull("the disk is full: make room, then upload again") from error
        raise


def announced_length(headers: Mapping[str, str]) -> int | None:
    """The body's length in bytes as its header says, None without one that can be read."""
    text = headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def check_announced(headers: Mapping[str, str], limit: int) -> None:
    """Refuse a body before it is read; raises BodyTooLarge."""
    if (announced_length(headers) or 0) > limit:
        raise _too_large(limit)


async def read_whole(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """The body; raises BodyTooLarge as soon as it exceeds `limit`, BodyTooSlow or ClientGone."""
    check_announced(headers, limit)
    body = bytearray()
    async for piece in _pieces(receive, deadline_s=GRACE_S):
        body += piece
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


async def write_body(
    receive: Receive,
    sink: BinaryIO,
    *,
    limit: int,
    exact: bool,
    on_bytes: Callable[[int], None] = lambda n: None,
) -> tuple[int, str]:
    """Write the body to `sink`; returns its size and sha256 (hex).

    With `exact` it must have `limit` bytes, else at most that many. Raises BodyTooLarge or
    UploadMismatch at the first byte too many, BodyTooSlow, ClientGone or StoreFull.
    """
    digest, size, waiting = hashlib.sha256(), 0, bytearray()
    async for piece in _pieces(receive, deadline_s=GRACE_S + limit / MIN_BYTES_PER_S):
        size += len(piece)
        if size > limit:
            raise _mismatch(size, limit) if exact else _too_large(limit)
        waiting += piece
        if len(waiting) >= PIECE_BYTES:
            await on_disk(_writing(sink, digest, bytes(waiting)))
            on_bytes(size)
            waiting.clear()
    await on_disk(_writing(sink, digest, bytes(waiting)))
    if exact and size != limit:
        raise _mismatch(size, limit)
    return size, digest.hexdigest()


def _writing(sink: BinaryIO, digest: _Hash, data: bytes) -> Callable[[], None]:
    def write() -> None:
        sink.write(data)
        digest.update(data)

    return write


async def _pieces(receive: Receive, *, deadline_s: float) -> AsyncIterator[bytes]:
    deadline = asyncio.get_running_loop().time() + deadline_s
    while True:
        left_s = deadline - asyncio.get_running_loop().time()
        try:
            message = await asyncio.wait_for(receive(), min(IDLE_S, max(left_s, 0.001)))
        except TimeoutError:
            raise BodyTooSlow(
                f"the body came too slowly: at least {MIN_BYTES_PER_S} bytes a second, and no "
                f"pause over {IDLE_S:.0f} s"
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientGone("the client hung up before its request was complete")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


def _too_large(limit: int) -> BodyTooLarge:
    return BodyTooLarge(f"the body is larger than {limit} bytes", details={"limit_bytes": limit})


def _mismatch(found: int, announced: int) -> UploadMismatch:
    more = "more" if found > announced else "fewer"
    return UploadMismatch(
        f"{more} bytes came than the {announced} that were announced",
        details={"announced": announced},
    )
