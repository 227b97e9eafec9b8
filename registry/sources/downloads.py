"""One file that is downloaded while it is read: kept as it comes, resumed, hashed to its end."""

import hashlib
import io
import re
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from registry.errors import SourceUnreachable, SourceUnreadable
from registry.netguard import GuardedClient

CHUNK_BYTES = 1024**2
TRIES = 5
BACKOFF_S = 0.5
# A file may take a minute, and then a second for each of so many bytes.
SLOWEST_BYTES_A_S = 100_000
GRACE_S = 60.0

_RANGE = re.compile(r"bytes (\d{1,19})-\d{1,19}/(\d{1,19}|\*)")


@dataclass(frozen=True, slots=True)
class Expected:
    """What the endpoint promises of a file: by sha256, or by git's sha1 where that is empty."""

    path: str
    size: int
    git_oid: str
    sha256: str


class Download(io.RawIOBase):
    """A readable stream of one file.

    What an earlier try left in `kept` comes first, the rest over the network, and is added to
    `kept`. A connection that breaks is taken up again where it ended, TRIES times without progress.
    At the end the hash is compared: bytes that are not the promised ones raise SourceUnreadable,
    and are thrown away.
    """

    def __init__(
        self,
        client: GuardedClient,
        url: str,
        expected: Expected,
        kept: Path,
        on_bytes: Callable[[], None],
        sleep: Callable[[float], None],
    ) -> None:
        super().__init__()
        self._client, self._url, self._expected, self._kept = client, url, expected, kept
        self._on_bytes, self._sleep = on_bytes, sleep
        self._digest = _hasher(expected)
        self._done = 0
        self._pieces = self._iterate()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """At most `size` bytes; b"" only at the verified end."""
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read(CHUNK_BYTES), b""))
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def close(self) -> None:
        self._pieces.close()
        super().close()

    def _iterate(self) -> Generator[bytes, None, None]:
        yield from map(self._count, self._read_kept())
        with self._kept.open("ab") as sink:
            for piece in self._download():
                sink.write(piece)
                yield self._count(piece)
        self._check_end()

    def _count(self, piece: bytes) -> bytes:
        self._digest.update(piece)
        self._done += len(piece)
        self._on_bytes()
        return piece

    def _read_kept(self) -> Generator[bytes, None, None]:
        if not self._kept.is_file():
            return
        if self._kept.stat().st_size > self._expected.size:
            self._kept.unlink()
            return
        with self._kept.open("rb") as stream:
            while piece := stream.read(CHUNK_BYTES):
                yield piece

    def _download(self) -> Generator[bytes, None, None]:
        n_failed = 0
        while self._done < self._expected.size:
            before = self._done
            try:
                yield from self._try_once()
            except SourceUnreachable:
                n_failed = 0 if self._done > before else n_failed + 1
                if n_failed >= TRIES:
                    raise
                self._sleep(BACKOFF_S * 2**n_failed)

    def _try_once(self) -> Generator[bytes, None, None]:
        start, left = self._done, self._expected.size - self._done
        headers = {"Range": f"bytes={start}-"} if start else {}
        deadline_s = GRACE_S + left / SLOWEST_BYTES_A_S
        with ExitStack() as stack:
            answer = stack.enter_context(
                self._client.get(
                    self._url,
                    headers=headers,
                    max_bytes=self._expected.size,
                    deadline_s=deadline_s,
                )
            )
            skipped = self._skipped(answer.status, answer.headers.get("content-range", ""), start)
            for chunk in answer.chunks:
                n_skipped = min(skipped, len(chunk))
                skipped -= n_skipped
                piece = chunk[n_skipped:][: self._expected.size - self._done]
                if piece:
                    yield piece
        if self._done < self._expected.size:
            raise SourceUnreachable(f"the endpoint ended {self._expected.path} too early")

    def _skipped(self, status: int, content_range: str, start: int) -> int:
        """How many of the coming bytes are here already; raises unless the answer has the rest."""
        if status == 200:
            return start
        found = _RANGE.fullmatch(content_range)
        if status == 206 and found and int(found.group(1)) == start:
            return 0
        if status in (401, 403, 404, 410, 416):
            raise SourceUnreadable(
                f"the endpoint lists {self._expected.path} and answers {status} when asked for it",
                details={"path": self._expected.path, "status": status},
            )
        raise SourceUnreachable(
            f"the endpoint answers {status} when asked for {self._expected.path}: try again",
            details={"path": self._expected.path, "status": status},
        )

    def _check_end(self) -> None:
        promised = self._expected.sha256 or self._expected.git_oid
        if self._done == self._expected.size and self._digest.hexdigest() == promised:
            return
        self._kept.unlink(missing_ok=True)
        raise SourceUnreadable(
            f"{self._expected.path} is not what the endpoint promises: its hash differs. Try "
            "again; if that happens twice, the endpoint's copy is damaged",
            details={"path": self._expected.path},
        )


def _hasher(expected: Expected) -> "hashlib._Hash":
    if expected.sha256:
        return hashlib.sha256()
    # git hashes a file as a blob object: its header, then its bytes.
    return hashlib.sha1(b"blob %d\0" % expected.size, usedforsecurity=False)
