"""The journal keeps what it acknowledged, through rotation, torn writes, damage and kill -9."""

import errno
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path
from uuid import UUID

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference import journal as journals
from inference.journal import (
    ORIGIN,
    Journal,
    Position,
    discard_before,
    orphans,
    read_records,
    remove,
    set_aside,
)
from inference.records import PredictionRecord
from inference.segments import HEADER, encode, scan
from tests.monitoring.builders import make_record


def read_all(directory: Path, *, limit: int = 7) -> tuple[list[PredictionRecord], list[bytes]]:
    records, damaged, position = [], [], ORIGIN
    while (chunk := read_records(directory, position, limit)).end != position:
        assert chunk.end > position
        assert len(chunk.records) == len(chunk.ends) <= limit
        records += chunk.records
        damaged += [damage.data for damage in chunk.damaged]
        position = chunk.end
    return records, damaged


@pytest.fixture
def journal(tmp_path: Path):
    made = Journal.open(tmp_path / "journal", segment_bytes=4096)
    yield made
    made.close()


def test_what_is_recorded_is_read_back_in_order(journal: Journal) -> None:
    records = [make_record(text=f"text {i} é 🐏\n") for i in range(40)]
    for start in range(0, 40, 4):
        journal.record(records[start : start + 4])
    assert read_all(journal.directory) == (records, [])
    assert journal.end.segment > 0


def test_nothing_is_read_twice_or_skipped_whatever_the_limit(journal: Journal) -> None:
    records = [make_record() for _ in range(25)]
    for record in records:
        journal.record([record])
    for limit in (1, 2, 24, 25, 1000):
        assert read_all(journal.directory, limit=limit)[0] == records


def test_every_record_s_end_is_where_reading_goes_on(journal: Journal) -> None:
    records = [make_record() for _ in range(5)]
    journal.record(records)
    chunk = read_records(journal.directory, ORIGIN, 10)
    for i, end in enumerate(chunk.ends):
        assert list(read_records(journal.directory, end, 10).records) == records[i + 1 :]


def test_an_empty_journal_has_nothing_to_read(journal: Journal) -> None:
    chunk = journal.read(ORIGIN, 10)
    assert (chunk.records, chunk.damaged, chunk.end) == ((), (), ORIGIN)


def test_a_record_larger_than_a_read_is_read_whole(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(journals, "READ_BYTES", 512)
    journal = Journal.open(tmp_path)
    records = [make_record(text="x" * 5000), make_record(), make_record(text="y" * 900)]
    journal.record(records)
    assert read_all(journal.directory) == (records, [])
    assert journal.read(ORIGIN, 10).records == (records[0],)
    journal.close()


def test_segments_before_a_position_are_discarded_and_no_others(journal: Journal) -> None:
    for _ in range(40):
        journal.record([make_record()])
    last = journal.end.segment
    before, _ = read_all(journal.directory)
    discard_before(journal.directory, Position(last, 0))
    assert [path.name for path in journal.directory.glob("*.seg")] == [f"{last:010d}.seg"]
    after, _ = read_all(journal.directory)
    assert after == before[-len(after) :]


@settings(max_examples=40, deadline=None)
@given(
    batches=st.lists(st.integers(0, 5), max_size=12),
    sizes=st.randoms(use_true_random=False),
    limit=st.integers(1, 9),
)
def test_any_appends_come_back_whole(batches: list[int], sizes: random.Random, limit: int) -> None:
    with tempfile.TemporaryDirectory() as root:
        journal = Journal.open(Path(root), segment_bytes=2000)
        records = []
        for n in batches:
            batch = [make_record(text="t" * sizes.randrange(900)) for _ in range(n)]
            journal.record(batch)
            records += batch
        assert read_all(journal.directory, limit=limit) == (records, [])
        position, kept = ORIGIN, []
        while (chunk := journal.read(position, limit)).end != position:
            kept += chunk.records
            position = chunk.end
        assert kept == records
        journal.close()


def test_a_tail_torn_at_any_byte_costs_only_the_unfinished_record(journal: Journal) -> None:
    records = [make_record() for _ in range(3)]
    journal.record(records)
    path = journal.directory / "0000000000.seg"
    whole = path.read_bytes()
    last = len(encode(records[:2]))
    for length in range(last, len(whole)):
        path.write_bytes(whole[:length])
        assert read_all(journal.directory) == (records[:2], [])


def test_a_flipped_byte_is_never_read_as_a_record(journal: Journal) -> None:
    records = [make_record() for _ in range(3)]
    journal.record(records)
    path = journal.directory / "0000000000.seg"
    whole = path.read_bytes()
    starts = [0, len(encode(records[:1])), len(encode(records[:2]))]
    for place in range(starts[1], starts[2]):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x40]) + whole[place + 1 :])
        found, damaged = read_all(journal.directory)
        # A damaged header takes what follows it along; a damaged payload only itself.
        is_header = place < starts[1] + HEADER.size
        assert found == (records[:1] if is_header else [records[0], records[2]])
        expected = path.read_bytes()[starts[1] : None if is_header else starts[2]]
        assert damaged == [expected]


def test_later_segments_are_read_after_a_damaged_one(journal: Journal) -> None:
    records = [make_record() for _ in range(40)]
    for record in records:
        journal.record([record])
    path = journal.directory / "0000000001.seg"
    n_lost = len(scan(path.read_bytes(), limit=1000).frames)
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    found, damaged = read_all(journal.directory)
    assert len(found) == 40 - n_lost
    assert found[-1] == records[-1]
    assert damaged == [path.read_bytes()]


def test_damage_in_the_segment_being_written_does_not_stop_the_reader(journal: Journal) -> None:
    first, second = make_record(), make_record()
    journal.record([first])
    path = journal.directory / "0000000000.seg"
    path.write_bytes(b"\xff" + path.read_bytes()[1:])
    chunk = journal.read(ORIGIN, 10)
    assert (chunk.records, len(chunk.damaged), chunk.end) == ((), 1, journal.end)
    journal.record([second])
    assert journal.read(chunk.end, 10).records == (second,)


def test_acknowledged_bytes_that_vanished_do_not_stop_the_reader(journal: Journal) -> None:
    journal.record([make_record(), make_record()])
    path = journal.directory / "0000000000.seg"
    os.truncate(path, len(path.read_bytes()) - 3)
    first = journal.read(ORIGIN, 10)
    assert len(first.records) == 1
    assert first.damaged
    assert first.end == journal.end
    os.truncate(path, 0)
    assert journal.read(ORIGIN, 10).end == journal.end


def test_a_payload_of_another_shape_is_damage(journal: Journal) -> None:
    payload = msgspec.msgpack.encode(["not", "a", "record"])
    words = HEADER.pack(len(payload), zlib.crc32(payload), 0)[:8]
    frame = words + zlib.crc32(words).to_bytes(4, "little") + payload
    (journal.directory / "0000000000.seg").write_bytes(frame)
    assert read_all(journal.directory) == ([], [frame])


def test_a_failed_write_leaves_no_trace(journal: Journal, monkeypatch) -> None:
    kept, lost, later = make_record(), make_record(), make_record(text="short")
    journal.record([kept])
    end = journal.end
    real = os.pwrite

    def half_then_full_disk(fd: int, data: bytes, offset: int) -> int:
        monkeypatch.setattr(os, "pwrite", fail)
        return real(fd, data[: len(data) // 2], offset)

    def fail(fd: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", half_then_full_disk)
    with pytest.raises(OSError, match="No space"):
        journal.record([lost])
    monkeypatch.setattr(os, "pwrite", real)
    assert journal.end == end
    journal.record([later])
    assert read_all(journal.directory) == ([kept, later], [])


def test_a_tail_that_cannot_be_cut_off_is_left_behind_in_its_segment(
    journal: Journal, monkeypatch
) -> None:
    kept, lost, later = make_record(), make_record(), make_record()
    journal.record([kept])
    real = os.pwrite

    def half(fd: int, data: bytes, offset: int) -> int:
        real(fd, data[: len(data) // 2], offset)
        raise OSError(errno.EIO, "Input/output error")

    def refuse(fd: int, length: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "pwrite", half)
        broken.setattr(os, "ftruncate", refuse)
        with pytest.raises(OSError, match="Input/output"):
            journal.record([lost])
    journal.record([later])
    found, damaged = read_all(journal.directory)
    assert found == [kept, later]
    assert len(damaged) == 1


def test_short_writes_are_finished(journal: Journal, monkeypatch) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:100], offset))
    records = [make_record(), make_record()]
    journal.record(records)
    assert read_all(journal.directory) == (records, [])


def test_threads_may_record_at_once(journal: Journal) -> None:
    records = [[make_record() for _ in range(20)] for _ in range(4)]

    def append(own: list[PredictionRecord]) -> None:
        for record in own:
            journal.record([record])
            journal.sync()

    threads = [threading.Thread(target=append, args=(own,)) for own in records]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found, damaged = read_all(journal.directory)
    assert damaged == []
    assert {record.id for record in found} == {record.id for own in records for record in own}


def test_a_living_process_s_journal_is_no_orphan(journal: Journal) -> None:
    assert list(orphans(journal.root)) == []


def test_an_orphan_is_locked_while_it_is_looked_at(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.record([make_record()])
    journal.close()
    for directory in orphans(tmp_path):
        assert directory == journal.directory
        assert list(orphans(tmp_path)) == []
    assert list(orphans(tmp_path)) == [journal.directory]


def test_a_removed_orphan_is_gone_and_its_set_aside_bytes_are_not(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.close()
    path = set_aside(journal.directory, Position(3, 14), b"bytes")
    assert set_aside(journal.directory, Position(3, 14), b"bytes") == path
    for directory in orphans(tmp_path):
        remove(directory)
    assert list(orphans(tmp_path)) == []
    assert [entry.name for entry in tmp_path.iterdir()] == ["set-aside"]
    assert path.read_bytes() == b"bytes"


def test_other_things_in_the_root_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes").mkdir()
    (tmp_path / str(UUID(int=7))).write_text("a file")
    assert list(orphans(tmp_path)) == []
    assert list(orphans(tmp_path / "missing")) == []


CHILD = """
import sys, time
from pathlib import Path
from inference.journal import Journal
from tests.monitoring.builders import make_record

journal = Journal.open(Path(sys.argv[1]), segment_bytes=20_000)
while True:
    records = [make_record() for _ in range(3)]
    journal.record(records)
    print(*(record.id for record in records), flush=True)
"""


def test_kill_9_loses_no_acknowledged_record(tmp_path: Path) -> None:
    root, seen = tmp_path / "journal", tmp_path / "acknowledged"
    with seen.open("wb") as out:
        child = subprocess.Popen(
            [sys.executable, "-c", "import django; django.setup()\n" + CHILD, str(root)],
            stdout=out,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"},
            cwd=Path(__file__).parents[2],
        )
        deadline = time.monotonic() + 30
        while seen.stat().st_size < 50_000 and time.monotonic() < deadline:
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        assert child.wait() == -signal.SIGKILL
    lines = seen.read_text().splitlines(keepends=True)
    acknowledged = {UUID(word) for line in lines if line.endswith("\n") for word in line.split()}
    assert len(acknowledged) > 500
    [directory] = orphans(root)
    records, damaged = read_all(directory)
    assert damaged == []
    assert acknowledged <= {record.id for record in records}


def test_recording_costs_microseconds(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    record = make_record()
    spent = []
    for _ in range(300):
        started = time.perf_counter()
        journal.record([record])
        spent.append(time.perf_counter() - started)
    journal.close()
    assert sorted(spent)[150] < 0.0005
