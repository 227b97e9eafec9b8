"""Stored bytes on their way out: a blob or one range of it, read in threads, as fast as taken."""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from starlette.responses import Response

from registry.errors import BlobDamaged
from registry.hub.bodies import on_disk

PIECE_BYTES = 512 * 1024


class BlobResponse(Response):
    """The bytes [start, end) of a stored file that nobody ever rewrites."""

    def __init__(
        self, fd: int, start: int, end: int, *, status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(b"", status, {**headers, "Content-Length": str(end - start)})
        self._fd, self._start, self._end = fd, start, end

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        head = {
            "type": "http.response.start",
            "status": self.status_code,
            "headers": self.raw_headers,
        }
        sending = asyncio.ensure_future(self._send(head, send))
        hang_up = asyncio.ensure_future(_hang_up(receive))
        try:
            # A server goes on accepting bytes for a client that has gone: stop reading then.
            await asyncio.wait({sending, hang_up}, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            hang_up.cancel()
            await _ended(sending)
            os.close(self._fd)

    async def _send(self, head: dict[str, Any], send: Any) -> None:
        await send(head)
        at = self._start
        while at < self._end:
            n_bytes = min(PIECE_BYTES, self._end - at)
            piece = await on_disk(lambda at=at, n=n_bytes: os.pread(self._fd, n, at))  # type: ignore[misc]
            if not piece:
                raise OSError("a stored file is shorter than its row says")
            at += len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": at < self._end})
        if self._start == self._end:
            await send({"type": "http.response.body", "body": b""})


async def open_blob(path: Path, size: int) -> int:
    """A descriptor of a stored file of `size` bytes; raises BlobDamaged when it is not that."""

    def opened() -> int:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        if os.fstat(fd).st_size == size:
            return fd
        os.close(fd)
        raise FileNotFoundError

    try:
        return await on_disk(opened)
    except OSError as error:
        raise damaged(path.name) from error


def damaged(sha256: str) -> BlobDamaged:
    return BlobDamaged(
        "the stored bytes of this file are damaged, so they are not served: an administrator can "
        "restore them from a backup",
        details={"sha256": sha256},
    )


async def _hang_up(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _ended(task: "asyncio.Future[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
