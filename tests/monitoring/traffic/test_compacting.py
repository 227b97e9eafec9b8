"""Old slots become hours, old samples thin out: windows say the same before and after."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.db import connections
from django.utils import timezone

from inference.records import PredictionRecord
from monitoring.drift.sums import sums_of
from monitoring.models import Exemplar, Span, TrafficSum
from monitoring.tasks import compact_traffic
from monitoring.traffic import compacting
from monitoring.traffic.compacting import (
    compact,
    drop_blocks,
    drop_old,
    merge_slots,
    thin_sample,
)
from monitoring.traffic.reservoir import rank_of
from monitoring.traffic.sampling import sample_of
from monitoring.traffic.windows import load_by_segment, load_newest, load_sample, load_stretch
from monitoring.windows import Grain, floor
from tests.monitoring.builders import MODEL, NOW
from tests.monitoring.traffic.builders import AJournal, assert_same, keep_traffic, traffic

HOUR = timedelta(hours=1)
HALF_HOUR = timedelta(minutes=30)
DAY = timedelta(days=1)
# NOW is half past twelve: its hour is old once the next day's thirteenth has begun.
LATER = NOW + DAY + HALF_HOUR


@pytest.mark.django_db
def test_hours_hold_what_their_slots_held() -> None:
    rng = np.random.default_rng(1)
    records = traffic(rng, 300, every_s=20, segments=("", "web"), text=None)
    journals = [AJournal(), AJournal(), AJournal()]
    for i, start in enumerate(range(0, 300, 25)):
        journals[i % 3].keep(records[start : start + 25])
    before = load_by_segment(MODEL, 1, start=NOW - HOUR, end=NOW + 3 * HOUR)
    n_slots = TrafficSum.objects.filter(span=Span.SLOT).count()
    assert merge_slots(LATER + 2 * HOUR) == n_slots
    rows = TrafficSum.objects.filter(span=Span.HOUR)
    assert {(row.journal, row.segment) for row in rows} == {(None, ""), (None, "web")}
    assert rows.count() == 6
    after = load_by_segment(MODEL, 1, start=NOW - HOUR, end=NOW + 3 * HOUR)
    assert list(after) == list(before)
    for name, sums in before.items():
        assert_same(after[name], sums)
    assert sum(rows.values_list("n", flat=True)) == 300


@pytest.mark.django_db
def test_only_hours_older_than_a_day_are_merged() -> None:
    keep_traffic(traffic(np.random.default_rng(2), 120, every_s=30, text=None))
    assert merge_slots(LATER - timedelta(seconds=1)) == 0
    assert merge_slots(LATER) == 6
    assert merge_slots(LATER) == 0
    found = load_stretch(MODEL, 1, start=NOW, end=NOW + HALF_HOUR)
    assert (found.sums.n, found.start) == (60, NOW - HALF_HOUR)


@pytest.mark.django_db
def test_late_records_join_their_hour_in_the_next_run() -> None:
    rng = np.random.default_rng(3)
    early, late = traffic(rng, 40, text=None), traffic(rng, 30, segments=("", "web"), text=None)
    keep_traffic(early)
    merge_slots(LATER)
    keep_traffic(late)
    before = load_stretch(MODEL, 1, start=NOW, end=NOW + HALF_HOUR).sums
    assert before.n == 70
    merge_slots(LATER)
    assert TrafficSum.objects.exclude(span=Span.BLOCK).count() == 2
    assert_same(load_stretch(MODEL, 1, start=NOW, end=NOW + HALF_HOUR).sums, before)


@pytest.mark.django_db
def test_compacting_at_any_time_between_late_records_changes_no_sum() -> None:
    rng, draw, journals = np.random.default_rng(4), random.Random(4), [AJournal(), AJournal()]
    records = traffic(rng, 200, every_s=90, segments=("", "web"), text=None)
    draw.shuffle(records)
    for start in range(0, 200, 20):
        draw.choice(journals).keep(records[start : start + 20])
        if draw.random() < 0.5:
            compact(NOW + DAY + draw.randint(-1, 6) * HOUR)
    found = load_stretch(MODEL, 1, start=NOW - HOUR, end=NOW + 6 * HOUR).sums
    assert_same(found, load_newest(MODEL, 1, 1000).sums)
    assert found.n == 200


@pytest.mark.django_db
def test_a_day_old_sample_is_the_lowest_ranks_of_each_hour(settings: Any) -> None:
    settings.BELLWETHER_RESERVOIR_SIZE = 15
    records = traffic(np.random.default_rng(5), 600, every_s=3, text=None)
    keep_traffic(records, chunk=100)
    thin_sample(NOW + 2 * HOUR)
    assert Exemplar.objects.count() == 6 * 15
    thin_sample(LATER)
    assert set(Exemplar.objects.values_list("slot_at", flat=True)) == {NOW - HALF_HOUR}
    kept = Exemplar.objects.order_by("rank").values_list("rank", flat=True)
    assert list(kept) == sorted(rank_of(record.id) for record in records)[:15]
    assert len(load_sample(MODEL, 1, NOW, NOW + HALF_HOUR, 100)) == 15
    assert thin_sample(LATER) == 0


@pytest.mark.django_db
def test_a_reservoir_that_is_switched_off_is_emptied(settings: Any) -> None:
    keep_traffic(traffic(np.random.default_rng(6), 30, text=None))
    settings.BELLWETHER_RESERVOIR_SIZE = 0
    thin_sample(NOW + 2 * HOUR)
    assert Exemplar.objects.count() == 0


@pytest.mark.django_db
def test_what_is_too_old_goes(settings: Any) -> None:
    keep_traffic(traffic(np.random.default_rng(7), 30, text=None))
    settings.BELLWETHER_RESERVOIR_DAYS, settings.BELLWETHER_SUMS_DAYS = 14, 400
    assert drop_old(NOW + 14 * DAY) == 0
    assert drop_old(NOW + 14 * DAY + HOUR) == 30
    assert drop_old(NOW + 400 * DAY) == 0
    assert drop_old(NOW + 401 * DAY) == 2
    assert TrafficSum.objects.count() == 0


@pytest.mark.django_db
def test_an_exemplar_does_not_outlive_its_prediction(settings: Any) -> None:
    settings.BELLWETHER_RETENTION_DAYS = 2
    keep_traffic(traffic(np.random.default_rng(11), 30, text=None))
    Exemplar.objects.update(is_collected=True)
    assert drop_old(NOW + 2 * DAY) == 0
    assert drop_old(NOW + 2 * DAY + HOUR) == 30


@pytest.mark.django_db
def test_blocks_of_many_journals_are_bounded_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compacting, "BLOCKED_ITEMS", 250)
    rng = np.random.default_rng(8)
    for i in range(6):
        AJournal().keep(traffic(rng, 60, start=NOW.timestamp() + 100 * i, text=None))
    assert drop_blocks() == 1
    assert load_newest(MODEL, 1, 1000).sums.n == 300
    monkeypatch.setattr(compacting, "MOST_BLOCKS", 2)
    assert drop_blocks() == 3
    assert load_newest(MODEL, 1, 1000).sums.n == 120


@pytest.mark.django_db
def test_the_task_says_how_many_rows_it_touched() -> None:
    start = (floor(timezone.now(), Grain.HOUR) - 3 * DAY).timestamp()
    keep_traffic(traffic(np.random.default_rng(9), 30, start=start, every_s=20, text=None))
    assert compact_traffic.func() == 2


@pytest.mark.django_db(transaction=True)
def test_a_writer_and_two_compactions_at_once_lose_nothing() -> None:
    rng = np.random.default_rng(10)
    records = traffic(rng, 240, every_s=60, text=None)
    random.Random(10).shuffle(records)
    journals = [AJournal(), AJournal()]
    is_done = threading.Event()

    def compact_often() -> None:
        try:
            while not is_done.is_set():
                compact(NOW + 2 * DAY)
        finally:
            connections.close_all()

    def write(journal: AJournal, mine: list[PredictionRecord]) -> None:
        try:
            for start in range(0, len(mine), 10):
                journal.keep(mine[start : start + 10])
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        compacting_ = [pool.submit(compact_often) for _ in range(2)]
        writing = [pool.submit(write, journal, records[i::2]) for i, journal in enumerate(journals)]
        wait(writing)
        is_done.set()
    for each in (*writing, *compacting_):
        each.result()
    compact(NOW + 2 * DAY)
    found = load_stretch(MODEL, 1, start=NOW - HOUR, end=NOW + 6 * HOUR).sums
    assert_same(found, sums_of(sample_of(records)))
    assert {row.span for row in TrafficSum.objects.all()} == {Span.HOUR, Span.BLOCK}
