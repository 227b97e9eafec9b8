"""Journal → rows: every record exactly once, whatever dies when."""

import itertools
import threading
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from django.db import DataError, OperationalError, connection

from inference.journal import ORIGIN, Journal, set_aside
from monitoring import recorder
from monitoring.keeping import PositionMoved, keep, load_position
from monitoring.models import JournalPosition, Prediction, PredictionCount
from monitoring.recorder import JournalWriter, get_local_writer
from tests.monitoring.builders import day_counts, make_record


def drain(writer: JournalWriter) -> None:
    while writer.run_once():
        pass


@pytest.mark.django_db
def test_a_record_becomes_a_row_with_every_field(journal: Journal, writer: JournalWriter) -> None:
    record = make_record(text=None, segment="mobile", request_id="r" * 300)
    journal.record([record])
    assert writer.run_once() == 1
    row = Prediction.objects.get(id=record.id)
    assert row.at == datetime.fromtimestamp(record.at, UTC)
    assert row.request_id == "r" * 200
    others = {"at", "digest", "embedding", "request_id", "compared", "is_empty", "fingerprint"}
    same = set(record.__struct_fields__) - others
    assert {name: getattr(row, name) for name in same} == {
        name: getattr(record, name) for name in same
    }


@pytest.mark.django_db
def test_counts_are_kept_by_minute_hour_and_day(journal: Journal, writer: JournalWriter) -> None:
    at = datetime(2026, 3, 29, 23, 59, 30, tzinfo=UTC).timestamp()
    journal.record([make_record(at=at), make_record(at=at + 10), make_record(at=at + 40)])
    drain(writer)
    buckets = PredictionCount.objects.order_by("grain", "bucket").values_list(
        "grain", "bucket", "n"
    )
    assert list(buckets) == [
        ("day", datetime(2026, 3, 29, tzinfo=UTC), 2),
        ("day", datetime(2026, 3, 30, tzinfo=UTC), 1),
        ("hour", datetime(2026, 3, 29, 23, tzinfo=UTC), 2),
        ("hour", datetime(2026, 3, 30, 0, tzinfo=UTC), 1),
        ("minute", datetime(2026, 3, 29, 23, 59, tzinfo=UTC), 2),
        ("minute", datetime(2026, 3, 30, 0, 0, tzinfo=UTC), 1),
    ]


@pytest.mark.django_db
def test_a_second_chunk_adds_to_the_counts(journal: Journal, writer: JournalWriter) -> None:
    for label, n in (("POSITIVE", 3), ("NEGATIVE", 2), ("POSITIVE", 4)):
        journal.record([make_record(label=label) for _ in range(n)])
        drain(writer)
    assert day_counts() == {"POSITIVE": 7, "NEGATIVE": 2}


@pytest.mark.django_db
def test_applied_segments_are_discarded(journal: Journal, writer: JournalWriter) -> None:
    for _ in range(100):
        journal.record([make_record()])
    assert len(list(journal.directory.glob("*.seg"))) > 2
    drain(writer)
    assert [path.stem for path in journal.directory.glob("*.seg")] == [
        f"{journal.end.segment:010d}"
    ]
    assert Prediction.objects.count() == sum(day_counts().values()) == writer.n_applied == 100


@pytest.mark.django_db
def test_the_same_stretch_is_never_kept_twice(journal: Journal) -> None:
    records = [make_record() for _ in range(3)]
    journal.record(records)
    load_position(journal.id)
    assert keep(journal.id, ORIGIN, journal.end, records) == 3
    with pytest.raises(PositionMoved):
        keep(journal.id, ORIGIN, journal.end, records)
    assert sum(day_counts().values()) == 3


@pytest.mark.django_db
def test_ids_that_are_kept_already_are_not_counted_again(journal: Journal) -> None:
    records = [make_record() for _ in range(4)]
    journal.record(records)
    drain(JournalWriter(journal))
    JournalPosition.objects.all().delete()
    drain(JournalWriter(journal))
    assert Prediction.objects.count() == sum(day_counts().values()) == 4


@pytest.mark.each_on_postgres
@pytest.mark.django_db
@pytest.mark.parametrize("step", ["before commit", "after commit", "after discard"])
def test_a_writer_that_dies_at_any_step_counts_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    for _ in range(60):
        journal.record([make_record()])
    real_keep, real_discard = recorder.keep, recorder.discard_before
    calls = itertools.count()

    class Died(Exception):
        pass

    def dying_keep(*args: object) -> int:
        dies = next(calls) % 2 == 0
        if dies and step == "before commit":
            raise Died
        n = real_keep(*args)  # type: ignore[arg-type]
        if dies and step == "after commit":
            raise Died
        return n

    def dying_discard(*args: object) -> None:
        real_discard(*args)  # type: ignore[arg-type]
        if step == "after discard":
            raise Died

    monkeypatch.setattr(recorder, "CHUNK_RECORDS", 4)
    monkeypatch.setattr(recorder, "keep", dying_keep)
    monkeypatch.setattr(recorder, "discard_before", dying_discard)
    n_deaths = 0
    while load_position(journal.id) < journal.end:
        try:
            drain(JournalWriter(journal))  # a new writer: memory is gone
        except Died:
            n_deaths += 1
    assert n_deaths > 1
    assert Prediction.objects.count() == sum(day_counts().values()) == 60


@pytest.mark.django_db
def test_a_dead_process_s_journal_is_replayed_and_removed(tmp_path: Path) -> None:
    dead = Journal.open(tmp_path, segment_bytes=4096)
    for _ in range(20):
        dead.record([make_record()])
    JournalWriter(dead).run_once()
    dead.close()
    living = Journal.open(tmp_path)
    living.record([make_record()])
    writer = JournalWriter(living)
    assert writer.replay_orphans() == 1
    assert not dead.directory.exists()
    assert living.directory.exists()
    drain(writer)
    assert Prediction.objects.count() == sum(day_counts().values()) == 21
    assert list(JournalPosition.objects.values_list("journal", flat=True)) == [living.id]
    assert writer.replay_orphans() == 0
    living.close()


@pytest.mark.django_db
def test_damage_is_set_aside_counted_and_passed(journal: Journal, writer: JournalWriter) -> None:
    journal.record([make_record()])
    path = journal.directory / "0000000000.seg"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    journal.record([make_record()])
    drain(writer)
    assert (writer.n_applied, writer.n_corrupt) == (1, 1)
    assert [entry.suffix for entry in (journal.root / "set-aside").iterdir()] == [".corrupt"]
    assert load_position(journal.id) == journal.end


@pytest.mark.django_db(transaction=True)
def test_a_poison_record_is_set_aside_and_its_neighbours_are_kept(
    journal: Journal, writer: JournalWriter
) -> None:
    records = [make_record() for _ in range(9)]
    # Neither SQLite nor PostgreSQL has a NaN in JSON.
    records[5] = make_record(scores={"POSITIVE": float("nan")})
    journal.record(records)
    drain(writer)
    kept = set(Prediction.objects.values_list("id", flat=True))
    assert kept == {record.id for record in records} - {records[5].id}
    assert (writer.n_applied, writer.n_corrupt) == (8, 1)
    assert sum(day_counts().values()) == 8
    [path] = (journal.root / "set-aside").iterdir()
    assert str(records[5].id) in str(msgspec.msgpack.decode(path.read_bytes()))
    assert load_position(journal.id) == journal.end


@pytest.mark.django_db
def test_lag_is_the_age_of_the_oldest_record_without_a_row(journal: Journal) -> None:
    writer = JournalWriter(journal, clock=lambda: 1_800_000_100.0)
    assert writer.lag_s() == 0
    journal.record([make_record(at=1_800_000_060.0), make_record(at=1_800_000_090.0)])
    assert writer.lag_s() == 40
    drain(writer)
    assert writer.lag_s() == 0


@pytest.mark.django_db(transaction=True)
def test_the_thread_keeps_a_record_within_a_second(journal: Journal) -> None:
    writer = JournalWriter(journal)
    writer.start()
    try:
        assert get_local_writer() is writer
        for _ in range(3):
            record = make_record()
            writer.record([record])
            assert writer.wait_caught_up(1.0)
            assert Prediction.objects.filter(id=record.id).exists()
        unannounced = make_record()
        journal.record([unannounced])  # nobody woke the writer
        deadline = time.monotonic() + 1
        while not Prediction.objects.filter(id=unannounced.id).exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        assert writer.stop()
    assert get_local_writer() is None


@pytest.mark.django_db(transaction=True)
def test_an_outage_delays_rows_and_loses_none(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, is_down = recorder.keep, threading.Event()

    def keep_unless_down(*args: object) -> int:
        if is_down.is_set():
            raise OperationalError("the database is away")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(recorder, "keep", keep_unless_down)
    monkeypatch.setattr(recorder, "LONGEST_BACKOFF_S", 0.2)
    is_down.set()
    writer = JournalWriter(journal)
    writer.start()
    try:
        sent = []
        for _ in range(60):
            record = make_record()
            writer.record([record])  # predictions go on
            sent.append(record.id)
        assert not writer.wait_caught_up(0.3)
        assert "the database is away" in writer.last_error
        assert writer.lag_s() > 0
        assert Prediction.objects.count() == 0
        is_down.clear()
        assert writer.wait_caught_up(5)
    finally:
        assert writer.stop()
    assert list(Prediction.objects.order_by("at", "id").values_list("id", flat=True)) == sent
    assert sum(day_counts().values()) == 60
    assert writer.last_error == ""


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no server to lose")
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_drops_is_made_again(journal: Journal) -> None:
    writer = JournalWriter(journal)
    writer.start()
    try:
        for n_rows in (1, 2, 3):
            writer.record([make_record()])
            assert writer.wait_caught_up(10)
            assert Prediction.objects.count() == n_rows
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
    finally:
        assert writer.stop()
    assert sum(day_counts().values()) == 3


@pytest.mark.django_db(transaction=True)
def test_stopping_keeps_what_is_left(journal: Journal) -> None:
    writer = JournalWriter(journal)
    writer.start()
    journal.record([make_record() for _ in range(1200)])
    assert writer.stop()
    assert Prediction.objects.count() == 1200


@pytest.mark.django_db(transaction=True)
def test_two_writers_of_one_journal_keep_everything_once(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "CHUNK_RECORDS", 7)
    journal.record([make_record() for _ in range(150)])
    writers = [JournalWriter(journal), JournalWriter(journal)]
    for writer in writers:
        writer.start()
    for writer in writers:
        assert writer.wait_caught_up(10)
        writer.stop()
    assert Prediction.objects.count() == sum(day_counts().values()) == 150


@pytest.mark.django_db
def test_a_refused_write_of_many_is_bisected_in_order(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = recorder.keep
    poison = {3, 4, 11}
    records = [make_record(n_tokens=i) for i in range(12)]

    def refusing(journal_id, start, end, part):  # type: ignore[no-untyped-def]
        if poison & {record.n_tokens for record in part}:
            raise DataError("refused")
        return real(journal_id, start, end, part)

    monkeypatch.setattr(recorder, "keep", refusing)
    journal.record(records)
    writer = JournalWriter(journal)
    drain(writer)
    kept = Prediction.objects.values_list("n_tokens", flat=True)
    assert set(kept) == set(range(12)) - poison
    assert writer.n_corrupt == 3


def test_bytes_set_aside_twice_lie_there_once(journal: Journal) -> None:
    paths = {set_aside(journal.directory, ORIGIN, b"x") for _ in range(2)}
    assert len(paths) == 1
