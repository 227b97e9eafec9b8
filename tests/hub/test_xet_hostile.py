"""What a client might send that no honest client sends: refused in words, in little memory."""

import hashlib
import io
import random
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import lz4.block
import lz4.frame
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as rules
from hypothesis import strategies as st

from registry import services
from registry.errors import ChunksGone, RegistryError, StoreFull, XetRefused
from registry.hub.xet.ingest import Session, open_intake, take_shard
from registry.hub.xet.shards import ENTRY_BYTES, MAX_FILES, MAX_RANGES, TAG, read_shard
from registry.hub.xet.xorbs import (
    MAX_BODY_BYTES,
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    MAX_PACKED_BYTES,
    XorbReader,
)
from registry.location import open_store
from registry.models import Blob, RegisteredModel, Xorb
from tests.hub.xet_builders import (
    END,
    GROUPED,
    LZ4,
    RAW,
    WITH_METADATA,
    WITH_VERIFICATION,
    chunk,
    file_entry,
    honest_shard,
    name_of,
    shard,
    xorb,
)

NAME, OTHER = name_of("mine"), name_of("other")
CHUNKS = [b"one" * 500, b"two" * 300, b"three" * 100]
SIZE = sum(map(len, CHUNKS))
SHA = hashlib.sha256(b"".join(CHUNKS)).hexdigest()
GOOD = chunk(b"good data" * 9, LZ4)
PACKED = lz4.frame.compress(b"good data" * 9, store_size=False)
MEMORY_LIMIT = 24 * 1024**2


def bomb(size: int, **options: int) -> bytes:
    """An LZ4 frame that unpacks to `size` zeros."""
    return lz4.frame.compress(bytes(size), **options)


def frame_claiming(size: int) -> bytes:
    """A frame whose own header claims `size` bytes, and holds three."""
    compressor = lz4.frame.LZ4FrameCompressor()
    honest = compressor.begin(source_size=3) + compressor.compress(b"abc") + compressor.flush()
    at = honest.index(struct.pack("<Q", 3))
    forged = honest[:at] + struct.pack("<Q", size) + honest[at + 8 :]
    # The header's checksum must fit, or the claim would never be looked at.
    return forged[: at + 8] + bytes([_header_checksum(forged[4 : at + 8])]) + forged[at + 9 :]


def _header_checksum(descriptor: bytes) -> int:
    for guess in range(256):
        frame = b"\x04\x22\x4d\x18" + descriptor + bytes([guess])
        try:
            lz4.frame.get_frame_info(frame)
        except RuntimeError:
            continue
        return guess
    raise AssertionError("no checksum fits")


XORBS = {
    "nothing": b"",
    "only a footer": b"XETBLOB\0" + bytes(100),
    **{f"header cut at byte {n}": GOOD + GOOD[:n] for n in range(1, 8)},
    "payload missing": GOOD[:8],
    "payload cut": GOOD[:-1],
    "second chunk cut": GOOD + GOOD[:-5],
    "version 1": chunk(b"data", version=1),
    "version 255": chunk(b"data", version=255),
    "scheme 3": chunk(b"data", claimed_scheme=3),
    "scheme 255": chunk(b"data", claimed_scheme=255),
    "chunk of no bytes": chunk(b"", size=0, packed=b"x"),
    "chunk that claims nothing": chunk(b"data", size=0),
    "chunk without a payload": chunk(b"data", n_packed=0, packed=b""),
    "chunk over the limit": chunk(bytes(MAX_CHUNK_BYTES + 1)),
    "chunk that claims 16 MiB": chunk(b"data", size=2**24 - 1),
    "payload that claims 16 MiB": chunk(b"data", n_packed=2**24 - 1),
    "payload over the limit": chunk(b"", size=10, packed=bytes(MAX_PACKED_BYTES + 1)),
    "raw shorter than claimed": chunk(b"data", size=5),
    "raw longer than claimed": chunk(b"data", size=3),
    "not an LZ4 frame": chunk(b"", packed=b"garbage" * 10, size=70, claimed_scheme=LZ4),
    "an LZ4 block without a frame": chunk(
        b"", packed=lz4.block.compress(bytes(100)), size=100, claimed_scheme=LZ4
    ),
    "a frame without its end": chunk(b"", packed=PACKED[:-4], size=81, claimed_scheme=LZ4),
    "a frame cut in its block": chunk(b"", packed=PACKED[:15], size=81, claimed_scheme=LZ4),
    "a frame of magic only": chunk(b"", packed=PACKED[:4], size=81, claimed_scheme=LZ4),
    "a frame with a flipped byte": chunk(
        b"", packed=PACKED[:5] + b"\xff" + PACKED[6:], size=81, claimed_scheme=LZ4
    ),
    "two frames": chunk(b"", packed=PACKED * 2, size=162, claimed_scheme=LZ4),
    "a frame and more": chunk(b"", packed=PACKED + b"more", size=81, claimed_scheme=LZ4),
    "a skippable frame": chunk(
        b"", packed=b"\x50\x2a\x4d\x18\x04\0\0\0abcd", size=4, claimed_scheme=LZ4
    ),
    "a frame of fewer bytes": chunk(b"", packed=PACKED, size=100, claimed_scheme=LZ4),
    "a frame of more bytes": chunk(b"", packed=PACKED, size=80, claimed_scheme=GROUPED),
    "a bomb of 20 MB": chunk(b"", packed=bomb(20_000_000), size=100, claimed_scheme=LZ4),
    "a bomb in 4 MB blocks": chunk(
        b"", packed=bomb(20_000_000, block_size=7), size=MAX_CHUNK_BYTES, claimed_scheme=GROUPED
    ),
    "a frame that claims an exabyte": chunk(
        b"", packed=frame_claiming(2**60), size=3, claimed_scheme=LZ4
    ),
    "chunks without end": xorb([b"x"] * (MAX_CHUNKS + 1)),
    "a body without end": xorb([bytes(MAX_CHUNK_BYTES)] * (MAX_BODY_BYTES // MAX_CHUNK_BYTES + 1)),
    "small chunks that grow large": xorb([bytes(MAX_CHUNK_BYTES)], LZ4) * 1025,
    "a shard": honest_shard(NAME, CHUNKS),
    "a safetensors file": struct.pack("<Q", 2) + b"{}",
    "a zip file": b"PK\x03\x04" + bytes(100),
}


def entry(start: int = 0, end: int = 3, n_bytes: int = SIZE, **options) -> bytes:
    return file_entry([(NAME, start, end, n_bytes)], SHA, **options)


HONEST = shard(entry())
SHARDS = {
    "nothing": b"",
    **{f"cut at byte {n}": HONEST[:n] for n in (1, 31, 32, 39, 40, 47, 48, 79, 80, 84, 88, 95)},
    **{f"cut at byte {n}": HONEST[:n] for n in (96, 127, 132, 136, 140, 143, 144, 191, 192, 239)},
    "cut before the end mark": HONEST[: -len(END)],
    "cut in the end mark": HONEST[:-1],
    "another tag": shard(entry(), tag=bytes(32)),
    "a tag with one flipped bit": shard(entry(), tag=TAG[:-1] + b"\xa8"),
    "version 0": shard(entry(), version=0),
    "version 1": shard(entry(), version=1),
    "version 3": shard(entry(), version=3),
    "version without end": shard(entry(), version=2**64 - 1),
    "ranges for 200 GB of memory": shard(entry(n_ranges=2**32 - 1)),
    "one range too many": shard(entry(n_ranges=MAX_RANGES + 1)),
    "fewer ranges than counted": shard(entry(n_ranges=2)),
    "more ranges than counted": shard(entry(n_ranges=0)),
    "all flags, nothing there": shard(entry(flags=2**32 - 1, verified=False)),
    "verification promised only": shard(
        entry(flags=WITH_VERIFICATION | WITH_METADATA, verified=False)
    ),
    "a file of nothing": shard(file_entry([])),
    "an empty range": shard(entry(1, 1, 1)),
    "an inverted range": shard(entry(2, 1)),
    "a range of nothing": shard(entry(0, 3, 0)),
    "a range past all xorbs": shard(entry(0, MAX_CHUNKS + 1)),
    "a range of 4 GB of chunks": shard(entry(0, 2**32 - 1)),
    "a range that claims 4 GB": shard(entry(0, 3, 2**32 - 1)),
    "a range past this xorb": shard(entry(0, 4)),
    "a range at this xorb's end": shard(entry(3, 4, 1)),
    "a range that claims fewer bytes": shard(entry(0, 3, SIZE - 1)),
    "a range that claims more bytes": shard(entry(0, 3, SIZE + 1)),
    "a xorb of nobody": shard(file_entry([(name_of("nobody"), 0, 1, 1)], SHA)),
    "a xorb of another model": shard(file_entry([(OTHER, 0, 1, 1000)], SHA)),
    "one xorb of ours, one foreign": shard(
        file_entry([(NAME, 0, 3, SIZE), (OTHER, 0, 1, 1000)], SHA)
    ),
    "another sha256": shard(file_entry([(NAME, 0, 3, SIZE)], name_of("other"))),
    "the same chunks twice": shard(file_entry([(NAME, 0, 3, SIZE)] * 2, SHA)),
    "chunks in another order": shard(
        file_entry([(NAME, 1, 3, SIZE - 1500), (NAME, 0, 1, 1500)], SHA)
    ),
    "a good file and a bad one": shard(entry(), entry(2, 1)),
    "a xorb": xorb(CHUNKS),
    "noise": random.Random(1).randbytes(4000),
    "a header and noise": HONEST[:48] + random.Random(2).randbytes(480),
}


@contextmanager
def little_memory(limit: int = MEMORY_LIMIT) -> Iterator[None]:
    """Fail when what Python allocates meanwhile passes `limit`."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < limit


def send(session: Session, body: bytes, name: str = NAME) -> None:
    with open_intake(session, name) as intake:
        for at in range(0, len(body), 1 << 20):
            intake.write(body[at : at + (1 << 20)])
        intake.finish()


def take(session: Session, body: bytes) -> None:
    take_shard(session, io.BytesIO(body), actor="mallory")


def session_of(name: str) -> Session:
    services.create_model(name, actor="alice")
    namespace, own = name.split("/")
    return Session(RegisteredModel.objects.get(namespace=namespace, name=own), 1)


def leftovers() -> list[str]:
    root = open_store().root
    return [str(path) for name in ("staging", "xorbs") for path in (root / name).rglob("*")]


@pytest.mark.parametrize("name", XORBS)
@pytest.mark.django_db
def test_a_hostile_xorb_is_refused_and_leaves_nothing(name):
    session = session_of("team/tiny")
    with little_memory(), pytest.raises(XetRefused) as refusal:
        send(session, XORBS[name])
    assert 10 < len(refusal.value.message) < 200
    assert leftovers() == []
    assert not Xorb.objects.exists()


@pytest.mark.parametrize("name", SHARDS)
@pytest.mark.django_db
def test_a_hostile_shard_is_refused_and_leaves_nothing(name):
    session, other = session_of("team/tiny"), session_of("other/model")
    send(session, xorb(CHUNKS))
    send(other, xorb([bytes(1000)]), OTHER)
    before = leftovers()
    with little_memory(), pytest.raises((XetRefused, StoreFull)) as refusal:
        take(session, SHARDS[name])
    assert 10 < len(refusal.value.message) < 200
    assert leftovers() == before
    assert set(Blob.objects.values_list("pk", flat=True)) <= {SHA}


@pytest.mark.django_db
def test_what_is_refused_does_not_stop_the_honest():
    session = session_of("team/tiny")
    for body in SHARDS.values():
        with pytest.raises((XetRefused, StoreFull)):
            take(session, body)
    send(session, xorb(CHUNKS, GROUPED))
    take(session, HONEST)
    assert open_store().blob(SHA).read_bytes() == b"".join(CHUNKS)


@pytest.mark.django_db
def test_chunks_named_over_and_over_are_refused_before_they_are_written():
    """Half a megabyte of packed zeros and a small list would make a file of terabytes."""
    session = session_of("team/tiny")
    send(session, xorb([bytes(MAX_CHUNK_BYTES)] * 1000, LZ4))
    huge = shard(file_entry([(NAME, 0, 1000, 1000 * MAX_CHUNK_BYTES)] * 20_000))
    with little_memory(), pytest.raises(XetRefused, match="at most"):
        take(session, huge)
    assert not Blob.objects.exists()


@pytest.mark.django_db
def test_a_large_honest_upload_needs_little_memory():
    session = session_of("team/tiny")
    draw = random.Random(3)
    chunks = [draw.randbytes(MAX_CHUNK_BYTES) for _ in range(240)]
    body, listing = xorb(chunks), honest_shard(NAME, chunks)
    with little_memory():
        send(session, body)
        take(session, listing)
    assert Blob.objects.get().size == 240 * MAX_CHUNK_BYTES


def test_files_are_counted():
    with pytest.raises(XetRefused, match="over 4096 files"):
        list(read_shard(io.BytesIO(shard(*[entry()] * (MAX_FILES + 1)))))


def test_a_count_of_ranges_is_refused_before_they_are_read():
    class Endless(io.BytesIO):
        n_read = 0

        def read(self, size: int | None = -1) -> bytes:
            self.n_read += 1
            return super().read(size)

    stream = Endless(shard(entry(n_ranges=2**32 - 1)))
    with pytest.raises(XetRefused, match="claims 4294967295 ranges"):
        list(read_shard(stream))
    assert stream.n_read == 2


@rules(max_examples=300, deadline=None)
@given(st.data())
def test_any_xorb_is_read_or_refused(data):
    """Honest bytes with some changed, cut or added: never another error, never another length."""
    body = bytearray(chunk(b"first" * 40, LZ4) + chunk(b"second" * 9) + chunk(bytes(99), GROUPED))
    for _ in range(data.draw(st.integers(0, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))] + data.draw(st.binary(max_size=40))
    reader = XorbReader()
    try:
        chunks = list(reader.feed(bytes(body)))
        reader.close()
    except XetRefused:
        return
    assert reader.lengths == [len(each) for each in chunks]
    assert all(0 < len(each) <= MAX_CHUNK_BYTES for each in chunks)


@rules(max_examples=300, deadline=None)
@given(st.data())
def test_any_shard_is_read_or_refused(data):
    body = bytearray(shard(entry(), entry(1, 2), tail=bytes(ENTRY_BYTES)))
    for _ in range(data.draw(st.integers(0, 6))):
        body[data.draw(st.integers(32, len(body) - 1))] = data.draw(st.integers(0, 255))
    body = body[: data.draw(st.integers(0, len(body)))] + data.draw(st.binary(max_size=100))
    try:
        files = list(read_shard(io.BytesIO(bytes(body))))
    except XetRefused:
        return
    for file in files:
        assert all(0 <= part.start < part.end <= MAX_CHUNKS for part in file.ranges)


@pytest.mark.django_db(transaction=True)
@rules(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.integers(0, 2**32))
def test_no_shard_makes_a_blob_that_is_not_its_name(seed):
    """Random ranges over what was sent: kept under their real sha256, or refused."""
    draw = random.Random(seed)
    session = Session(RegisteredModel.objects.create(namespace="n", name=f"m{seed}"), 1)
    send(session, xorb(CHUNKS))
    ranges = []
    for _ in range(draw.randrange(1, 5)):
        start, end = draw.randrange(4), draw.randrange(5)
        honest = sum(map(len, CHUNKS[start:end]))
        ranges.append((NAME, start, end, max(0, honest + draw.choice([0, 0, 0, 1, -1]))))
    try:
        take(session, shard(file_entry(ranges)))
    except ChunksGone:
        raise AssertionError("nothing was promised, nothing is gone") from None
    except RegistryError:
        pass
    for blob in Blob.objects.all():
        data = open_store().blob(blob.pk).read_bytes()
        assert hashlib.sha256(data).hexdigest() == blob.pk
    session.model.delete()


READ_IN_LITTLE_SPACE = """
import resource, sys
from registry.errors import XetRefused
from registry.hub.xet.xorbs import XorbReader
body = sys.stdin.buffer.read()
list(XorbReader().feed(bytes.fromhex(sys.argv[1])))
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + int(sys.argv[2]),) * 2)
try:
    list(XorbReader().feed(body))
except XetRefused:
    print("refused")
"""


@pytest.mark.parametrize("name", [name for name in XORBS if "bomb" in name or "claims" in name])
def test_a_bomb_is_refused_where_there_is_no_room_for_it(name):
    """What the LZ4 library itself allocates counts here, too."""
    done = subprocess.run(
        [sys.executable, "-c", READ_IN_LITTLE_SPACE, GOOD.hex(), str(16 * 1024**2)],
        input=XORBS[name],
        capture_output=True,
        timeout=60,
    )
    assert done.stdout == b"refused\n", done.stderr.decode()


def test_the_corpus_is_large_enough():
    assert len(XORBS) + len(SHARDS) >= 60
    assert RAW == 0
