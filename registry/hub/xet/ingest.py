"""Xorbs become staged chunks; shards make files of chunks, and files become blobs.

    xorbs/<model row>/<epoch>-<xorb hash>   a xorb's chunks, unpacked, until all are in blobs

The staged chunks lie beside the store's own folders, not in `staging`: they wait for a shard that
may come by another process, or after a restart. Nothing refers to them but rows of `Xorb`, and they
need not be durable: a file that comes out wrong is refused.
"""

import hashlib
import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from registry.durable import CHUNK_BYTES, regular_size
from registry.errors import ChunksGone, XetRefused
from registry.hub.xet.places import Lengths, Piece, Span, is_complete, locate
from registry.hub.xet.shards import ChunkRange, ShardFile, read_shard
from registry.hub.xet.xorbs import XorbReader
from registry.inspection import MAX_FILE_BYTES
from registry.location import open_store
from registry.models import RegisteredModel
from registry.services import xet as kept
from registry.services.intake import keep_file, lease_blobs, readable_blobs
from registry.staging import Staging

_OPEN_FILES = 16
_KNOWN_XORBS = 32


class Session(NamedTuple):
    """Whose chunks are meant: a name is looked up in one model and epoch only."""

    model: RegisteredModel
    epoch: int


class XorbIntake:
    """Takes in one xorb piece by piece. Its methods read and write files: never on the loop."""

    def __init__(self, session: Session, name: str, staging: Staging) -> None:
        self._session, self._name, self._staging = session, name, staging
        self._reader = XorbReader()
        self._target = staging.files / "chunks"
        self._sink = self._target.open("xb")

    def write(self, data: bytes) -> None:
        """Take in further bytes; raises XetRefused."""
        for chunk in self._reader.feed(data):
            self._sink.write(chunk)
        self._staging.touch()

    def finish(self) -> bool:
        """Keep the chunks; returns whether they were new. Raises XetRefused if some are missing."""
        self._reader.close()
        self._sink.close()
        known = kept.load_xorb(*self._session, self._name)
        place = _staged(self._session, self._name)
        if known and (known.is_complete or place.is_file()):
            # Honest clients send the same again. Others cannot replace what somebody counts on.
            return False
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(self._target, place)
        kept.add_xorb(*self._session, self._name, self._reader.lengths)
        return True

    def close(self) -> None:
        self._sink.close()


@contextmanager
def open_intake(session: Session, name: str) -> Iterator[XorbIntake]:
    """Take in the xorb called `name`; what is not finished leaves nothing behind.

    Raises StoreFull.
    """
    with open_store().open_staging() as staging:
        open_store().check_room(CHUNK_BYTES)
        intake = XorbIntake(session, name, staging)
        try:
            yield intake
        finally:
            intake.close()


def take_shard(session: Session, shard: BinaryIO, *, actor: str) -> int:
    """Put every file of a shard together and keep it as a blob leased by the model.

    Returns how many. Raises XetRefused, StoreFull; ChunksGone when chunks are named that are not
    here, or are not what they should be. Whatever is wrong with chunks ends the epoch, so that the
    client's next upload sends everything. Files before the one that is refused are kept.
    """
    store = open_store()
    with store.open_staging() as staging, ExitStack() as stack:
        chunks = _Chunks(session, stack)
        n_files = 0
        for file in read_shard(shard):
            _check_size(file.size)
            store.check_room(file.size)
            try:
                _keep(session, file, staging, chunks, actor)
            except XetRefused:
                kept.end_epoch(*session)
                raise
            n_files += 1
        for name in kept.add_places(*session, chunks.places):
            _staged(session, name).unlink(missing_ok=True)
    return n_files


def has_stale(model: RegisteredModel, *, now: datetime) -> bool:
    """Whether chunks of this model have waited too long for their shard; costs next to nothing."""
    oldest = (now - kept.STAGED_FOR).timestamp()
    with suppress(FileNotFoundError):
        return any(file.stat().st_mtime < oldest for file in _folder(model).glob("*"))
    return False


def remove_stale(*, now: datetime) -> int:
    """Remove what no upload can need any more; returns the number of xorbs forgotten.

    Meant for every sweep of blobs, after it, and where `has_stale` says so.
    """
    n_forgotten = kept.forget_chunks(now=now)
    oldest = (now - kept.STAGED_FOR).timestamp()
    for folder in sorted(_root().glob("*")):
        for file in sorted(folder.glob("*")):
            with suppress(FileNotFoundError):
                if file.stat().st_mtime < oldest:
                    file.unlink()
    return n_forgotten


@dataclass(slots=True)
class _Known:
    lengths: Lengths
    pieces: tuple[Piece, ...]
    staged: BinaryIO | None


class _Chunks:
    """The bytes of ranges of chunks, and where the chunks lie in the files made of them."""

    def __init__(self, session: Session, stack: ExitStack) -> None:
        self.places: dict[str, list[Piece]] = {}
        self._session, self._stack = session, stack
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._blobs: OrderedDict[str, BinaryIO] = OrderedDict()
        stack.callback(self._close)

    def are_placed(self, file: ShardFile) -> bool:
        """Whether nothing of a file's xorbs waits for a place; raises ChunksGone."""
        found = (self._find(part.xorb) for part in file.ranges)
        return all(is_complete(known.pieces, len(known.lengths)) for known in found)

    def read(self, part: ChunkRange) -> Iterator[bytes]:
        """The bytes of a range, in pieces; raises ChunksGone, or XetRefused."""
        known = self._find(part.xorb)
        if part.end > len(known.lengths):
            raise XetRefused(f"the shard names chunk {part.end - 1} of a xorb with fewer")
        n_bytes = known.lengths.between(part.start, part.end)
        if n_bytes != part.n_bytes:
            raise XetRefused(f"the shard has a range of {n_bytes} bytes as {part.n_bytes}")
        if known.staged:
            yield from _read(known.staged, known.lengths.before(part.start), n_bytes)
            return
        spans = locate(known.pieces, known.lengths, part.start, part.end)
        if spans is None:
            raise _gone()
        for span in spans:
            yield from self._read_span(span)

    def _find(self, name: str) -> _Known:
        if name in self._known:
            self._known.move_to_end(name)
            return self._known[name]
        # The file before the row: whoever removes it has written first where its chunks went.
        staged = _open(_staged(self._session, name))
        row = kept.load_xorb(*self._session, name)
        if row is None:
            _shut(staged)
            raise _gone()
        self._known[name] = _Known(row.lengths, row.pieces, staged)
        if len(self._known) > _KNOWN_XORBS:
            _shut(self._known.popitem(last=False)[1].staged)
        return self._known[name]

    def _read_span(self, span: Span) -> Iterator[bytes]:
        if span.sha256 not in self._blobs:
            blob = _open(open_store().blob(span.sha256))
            if blob is None:
                raise _gone()
            self._blobs[span.sha256] = blob
            if len(self._blobs) > _OPEN_FILES:
                self._blobs.popitem(last=False)[1].close()
        yield from _read(self._blobs[span.sha256], span.offset, span.n_bytes)

    def _close(self) -> None:
        for known in self._known.values():
            _shut(known.staged)
        for blob in self._blobs.values():
            blob.close()


def _check_size(n_bytes: int) -> None:
    if n_bytes > MAX_FILE_BYTES:
        raise XetRefused(f"a file of the shard has {n_bytes} bytes; at most {MAX_FILE_BYTES}")


def _lease_if_here(model: RegisteredModel, file: ShardFile, actor: str) -> bool:
    """Whether the model has the promised file; it is leased then.

    A client that was too impatient for the first answer, or pushes the same again, need not wait
    until the file has been put together once more.
    """
    if file.sha256 is None or readable_blobs(model, [file.sha256]) != {file.sha256: file.size}:
        return False
    lease_blobs({file.sha256: file.size}, actor=actor, model=model)
    # Once more, now that no sweep takes it.
    return regular_size(open_store().blob(file.sha256)) == file.size


def _keep(session: Session, file: ShardFile, staging: Staging, chunks: _Chunks, actor: str) -> None:
    if chunks.are_placed(file) and _lease_if_here(session.model, file, actor):
        return
    target = staging.files / "file"
    digest = hashlib.sha256()
    with target.open("xb") as sink:
        for part in file.ranges:
            for data in chunks.read(part):
                sink.write(data)
                digest.update(data)
            staging.touch()
    sha256 = digest.hexdigest()
    if file.sha256 not in (None, sha256):
        raise ChunksGone(
            "the chunks of a file make other bytes than its sha256 promises: push again, the "
            "client then sends all of them",
            details={"sha256": file.sha256},
        )
    keep_file(session.model, target, sha256=sha256, size=file.size, actor=actor)
    target.unlink()
    offset = 0
    for part in file.ranges:
        piece = Piece(part.start, part.end, sha256, offset)
        chunks.places.setdefault(part.xorb, []).append(piece)
        offset += part.n_bytes


def _read(stream: BinaryIO, offset: int, n_bytes: int) -> Iterator[bytes]:
    stream.seek(offset)
    while n_bytes:
        data = stream.read(min(n_bytes, CHUNK_BYTES))
        if not data:
            raise _gone()
        n_bytes -= len(data)
        yield data


def _gone() -> ChunksGone:
    return ChunksGone(
        "the upload builds on chunks that are not kept here any more: push again, the client then "
        "sends all of them"
    )


def _root() -> Path:
    return open_store().root / "xorbs"


def _folder(model: RegisteredModel) -> Path:
    return _root() / str(model.pk)


def _staged(session: Session, name: str) -> Path:
    return _folder(session.model) / f"{session.epoch}-{name}"


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except FileNotFoundError:
        return None


def _shut(stream: BinaryIO | None) -> None:
    if stream:
        stream.close()
