"""However the records came, the sums are those of all of them together."""

import multiprocessing
import os
import random
import signal
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
from django.db import OperationalError, connection, connections

from inference.journal import ORIGIN, Journal
from inference.records import FAILED, PINNED, SHADOW, PredictionRecord
from monitoring import keeping
from monitoring.drift.sums import Sums, sums_of, total
from monitoring.keeping import PositionMoved, keep, load_position
from monitoring.models import Exemplar, FailureCount, Prediction, Span, TrafficSum
from monitoring.recorder import JournalWriter
from monitoring.traffic.facts import get_memory, reset_memory
from monitoring.traffic.payloads import read_sums
from monitoring.traffic.sampling import sample_of
from monitoring.traffic.spans import BLOCK_ITEMS, MOST_SEGMENTS, OTHER
from monitoring.traffic.windows import load_by_segment, load_newest, load_sums
from monitoring.traffic.writing import BLOCKS_PER_JOURNAL
from tests.monitoring.builders import MODEL, NOW, make_record
from tests.monitoring.traffic.builders import (
    START,
    AJournal,
    assert_same,
    keep_traffic,
    make_basis,
    traffic,
)

DAY = timedelta(days=1)


def all_sums(version: int = 1) -> Sums:
    return load_sums(MODEL, version, start=NOW - DAY, end=NOW + DAY)


def expected(records: list[PredictionRecord], version: int = 1, basis: Any = None) -> Sums:
    return sums_of(sample_of([r for r in records if r.version == version]), basis)


@pytest.mark.django_db
def test_sums_of_a_window_are_those_of_its_records() -> None:
    rng = np.random.default_rng(1)
    basis = make_basis(rng)
    records = traffic(rng, 730, every_s=2, versions=(1, 2), segments=("", "web", "app"))
    keep_traffic(records, chunk=170)
    without_languages = {"languages": {}}
    found = all_sums()
    assert found.n_featured == found.n == sum(r.version == 1 for r in records)
    assert found.basis == basis.name
    assert_same(_with(found, without_languages), expected(records, basis=basis))
    assert_same(_with(all_sums(2), without_languages), expected(records, version=2))


def _with(sums: Sums, changes: dict[str, Any]) -> Sums:
    fields = {name: getattr(sums, name) for name in Sums.__dataclass_fields__}
    return Sums(**(fields | changes))


@pytest.mark.each_on_postgres
@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_any_order_chunks_journals_and_restarts_give_the_same_sums(seed: int) -> None:
    """Several writers, in chunks of any size, each forgetting all it knows now and then."""
    rng, draw = np.random.default_rng(seed), random.Random(seed)
    records = traffic(rng, 400, every_s=3, segments=("", "web"), versions=(1, 2), text=None)
    draw.shuffle(records)
    journals = [AJournal() for _ in range(3)]
    at = 0
    while at < len(records):
        size = draw.randint(1, 60)
        draw.choice(journals).keep(records[at : at + size])
        at += size
        if draw.random() < 0.2:
            reset_memory()
    for version in (1, 2):
        wanted = expected(records, version)
        assert_same(all_sums(version), wanted)
        parts = load_by_segment(MODEL, version, start=NOW - DAY, end=NOW + DAY)
        assert_same(total(list(parts.values())), wanted)
        assert_same(load_newest(MODEL, version, 10_000).sums, wanted)


@pytest.mark.django_db(transaction=True)
def test_a_killed_transaction_and_its_replay_count_once() -> None:
    """The writer dies after some statements of a chunk, and another one keeps the chunk again."""
    rng = np.random.default_rng(7)
    records = traffic(rng, 120, every_s=3, text=None)
    journal = uuid4()
    position = load_position(journal)
    for start in range(0, 120, 40):
        chunk, end = records[start : start + 40], position._replace(offset=position.offset + 1)
        for after in (1, 3, 5):
            with _dies_after(after), pytest.raises(OperationalError):
                keep(journal, position, end, chunk)
            reset_memory()
        keep(journal, position, end, chunk)
        with pytest.raises(PositionMoved):
            keep(journal, position, end, chunk)
        position = end
    assert_same(all_sums(), expected(records))
    assert Exemplar.objects.count() == 120


class _dies_after:
    """The database goes away at the n-th statement that writes."""

    def __init__(self, n: int) -> None:
        self.n_left = n
        self._wrapper = connection.execute_wrapper(self._execute)

    def _execute(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith(("INSERT", "UPDATE", "DELETE")):
            self.n_left -= 1
            if self.n_left <= 0:
                raise OperationalError("killed")
        return execute(sql, params, many, context)

    def __enter__(self) -> None:
        self._wrapper.__enter__()

    def __exit__(self, *args: Any) -> None:
        self._wrapper.__exit__(*args)


@pytest.mark.django_db
def test_a_record_that_comes_twice_counts_once() -> None:
    records = traffic(np.random.default_rng(3), 50, text=None)
    keep_traffic(records)
    keep_traffic(records)
    keep_traffic([*records, *traffic(np.random.default_rng(4), 5, text=None)])
    assert all_sums().n == 55


@pytest.mark.django_db
def test_only_live_answers_are_summed() -> None:
    rng = np.random.default_rng(5)
    keep_traffic(
        [
            *traffic(rng, 3),
            *traffic(rng, 2, route=PINNED),
            *traffic(rng, 2, route=SHADOW),
            *traffic(rng, 4, route=FAILED, label="queue_full", scores={}, embedding=b""),
        ]
    )
    assert all_sums().n == 3
    assert Prediction.objects.count() == 5
    assert Exemplar.objects.count() == 3


@pytest.mark.django_db
def test_failed_requests_are_counted_by_code_in_every_grain() -> None:
    failed = {"route": FAILED, "scores": {}, "embedding": b"", "text": None}
    rng = np.random.default_rng(6)
    keep_traffic(traffic(rng, 3, label="queue_full", **failed))
    keep_traffic(traffic(rng, 1, label="c" * 100, **failed))
    rows = FailureCount.objects.values_list("grain", "code", "n")
    assert sorted(rows) == sorted(
        (grain, code, n)
        for grain in ("minute", "hour", "day")
        for code, n in (("queue_full", 3), ("c" * 60, 1))
    )


@pytest.mark.django_db
def test_blocks_hold_a_hundred_and_the_open_one_is_filled_first() -> None:
    rng, journal = np.random.default_rng(8), AJournal()
    for n in (30, 250, 15, 105):
        journal.keep(traffic(rng, n, text=None))
    blocks = TrafficSum.objects.filter(span=Span.BLOCK).order_by("id")
    assert [row.n for row in blocks] == [100, 100, 100, 100]
    assert [read_sums(row.payload).n for row in blocks] == [100, 100, 100, 100]


@pytest.mark.django_db
def test_a_journal_keeps_its_newest_blocks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.traffic.writing.BLOCKS_PER_JOURNAL", 3)
    assert BLOCKS_PER_JOURNAL * BLOCK_ITEMS >= 10_000
    records = traffic(np.random.default_rng(9), 1000, every_s=0.1, text=None)
    keep_traffic(records, chunk=500)
    assert_same(load_newest(MODEL, 1, 1000).sums, sums_of(sample_of(records[700:])))
    assert all_sums().n == 1000


@pytest.mark.django_db
def test_storage_does_not_grow_with_the_traffic(settings: Any) -> None:
    """Ten times the predictions in the same hour: the same rows of sums, as long as before."""
    settings.BELLWETHER_RESERVOIR_SIZE = 20

    def size_of(version: int, n: int) -> tuple[int, int]:
        records = traffic(
            np.random.default_rng(10), n, every_s=3000 / n, versions=(version,), text=None
        )
        keep_traffic(records, chunk=200)
        slots = TrafficSum.objects.filter(version=version, span=Span.SLOT)
        return slots.count(), sum(len(row.payload) for row in slots)

    few, many = size_of(1, 400), size_of(2, 4000)
    assert few[0] == many[0]
    assert many[1] < 1.5 * few[1]


@pytest.mark.django_db
def test_segments_beyond_the_most_are_summed_together() -> None:
    rng = np.random.default_rng(11)
    names = [f"s{i:02}" for i in range(MOST_SEGMENTS + 8)]
    for name in names:
        keep_traffic(traffic(rng, 2, segments=(name,), start=START, text=None))
    parts = load_by_segment(MODEL, 1, start=NOW - DAY, end=NOW + DAY)
    assert set(parts) == {*names[:MOST_SEGMENTS], OTHER}
    assert parts[OTHER].n == 16
    assert all_sums().n == 2 * len(names)


@pytest.mark.django_db
def test_a_new_writer_knows_the_segments_of_the_day() -> None:
    rng, now = np.random.default_rng(12), datetime.now(UTC).timestamp()
    names = [f"s{i:02}" for i in range(MOST_SEGMENTS)]
    keep_traffic(traffic(rng, 400, segments=names, start=now, every_s=0.01, text=None))
    reset_memory()
    keep_traffic(traffic(rng, 1, segments=("another",), start=now, text=None))
    parts = load_by_segment(MODEL, 1, start=datetime.now(UTC) - DAY, end=datetime.now(UTC) + DAY)
    assert parts[OTHER].n == 1


@pytest.mark.django_db(transaction=True)
def test_repeats_are_counted_within_and_across_chunks() -> None:
    rng, journal = np.random.default_rng(13), AJournal()
    journal.keep(traffic(rng, 3, fingerprint=77))
    journal.keep(traffic(rng, 2, fingerprint=77))
    journal.keep(traffic(rng, 2, fingerprint=0))
    assert all_sums().n_repeated == 4


@pytest.mark.django_db(transaction=True)
def test_a_chunk_that_was_not_kept_makes_no_repeats() -> None:
    rng, journal = np.random.default_rng(14), AJournal()
    records = traffic(rng, 4)
    with _dies_after(6), pytest.raises(OperationalError):
        journal.keep(records)
    journal.keep(records)
    assert all_sums().n_repeated == 0


@pytest.mark.django_db
def test_a_basis_made_meanwhile_is_used_for_what_comes_then() -> None:
    rng, journal = np.random.default_rng(15), AJournal()
    journal.keep(traffic(rng, 10))
    basis = make_basis(rng)
    get_memory().versions.forget((MODEL, 1))
    later = traffic(rng, 20)
    journal.keep(later)
    found = all_sums()
    assert (found.n, found.n_embedded, found.n_featured) == (30, 30, 20)
    np.testing.assert_allclose(found.features, sums_of(sample_of(later), basis).features)


@pytest.mark.django_db
def test_odd_records_neither_stop_the_journal_nor_spoil_the_sums() -> None:
    rng = np.random.default_rng(16)
    odd: list[dict[str, object]] = [
        {"embedding": b""},
        {"embedding": b"\x00"},
        {"embedding": np.full(8, np.nan, "<f2").tobytes()},
        {"embedding": np.full(8, np.inf, "<f2").tobytes()},
        {"embedding": np.ones(12, "<f2").tobytes()},
        {"scores": {}},
        {"scores": {"A": 1e300, "B": -1e300}, "label": "A"},
        {"label": "UNHEARD"},
        {"n_tokens": -1, "n_unknown": 7},
        {"total_s": 1e300},
        {"fingerprint": -(2**63)},
    ]
    good = traffic(rng, 20)
    records = [*good, *(traffic(rng, 1, **changes)[0] for changes in odd)]
    keep_traffic(records)
    found = all_sums()
    assert found.n == len(records)
    assert found.n_embedded == len(records) - 5
    assert np.isfinite(found.probability_sums).all()
    assert np.isfinite(found.embedding).all()


@pytest.mark.django_db
def test_what_cannot_be_summed_is_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object) -> None:
        raise KeyError("a bug")

    rng, journal = np.random.default_rng(19), AJournal()
    with monkeypatch.context() as context:
        context.setattr("monitoring.traffic.writing.sums_of", broken)
        assert journal.keep(traffic(rng, 5)) == 5
    journal.keep(traffic(rng, 7))
    assert (Prediction.objects.count(), all_sums().n) == (12, 7)


@pytest.mark.django_db
def test_a_row_of_sums_that_cannot_be_read_costs_itself_only() -> None:
    rng, journal = np.random.default_rng(17), AJournal()
    journal.keep(traffic(rng, 5))
    TrafficSum.objects.update(payload=b"damaged")
    assert all_sums().n == 0
    journal.keep(traffic(rng, 7))
    assert all_sums().n == 7
    assert TrafficSum.objects.get(span=Span.SLOT).n == 7


@pytest.mark.django_db
def test_the_writer_sums_what_its_journal_holds(journal: Journal, writer: JournalWriter) -> None:
    records = traffic(np.random.default_rng(18), 60, text=None)
    journal.record(records)
    while writer.run_once():
        pass
    assert_same(all_sums(), expected(records))


def test_keeping_knows_no_answered_route_that_is_not_summed() -> None:
    assert set(keeping._UNANSWERED) == {SHADOW, FAILED}
    assert ORIGIN == (0, 0)
    assert make_record().route == "live"


def _write_until_killed(root: Path, ready: Any) -> None:
    connections.close_all()
    journal = Journal.open(root)
    writer = JournalWriter(journal)
    writer.start()
    records = traffic(np.random.default_rng(20), 300, every_s=2, text=None)
    for start in range(0, 300, 20):
        writer.record(records[start : start + 20])
        if start == 100:
            ready.set()
    time.sleep(30)


@pytest.mark.each_on_postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("wait_s", [0.01, 0.2])
def test_kill_9_while_traffic_is_summed_counts_each_once(tmp_path: Path, wait_s: float) -> None:
    context = multiprocessing.get_context("fork")
    connections.close_all()
    ready = context.Event()
    process = context.Process(target=_write_until_killed, args=(tmp_path, ready))
    process.start()
    assert ready.wait(30)
    time.sleep(wait_s)
    os.kill(process.pid, signal.SIGKILL)
    process.join(30)
    heir = Journal.open(tmp_path)
    assert JournalWriter(heir).replay_orphans() == 1
    heir.close()
    n_kept = Prediction.objects.count()
    found = all_sums()
    assert 120 <= n_kept == found.n == load_newest(MODEL, 1, 1000).sums.n
    # Ids differ between two makings of the records; the traffic does not.
    records = traffic(np.random.default_rng(20), 300, every_s=2, text=None)
    assert_same(found, expected(records[:n_kept]))
