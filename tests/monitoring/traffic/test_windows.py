"""Windows read back: by time, by count, by segment; each in a constant number of queries."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from inference.records import FAILED
from monitoring.drift.sums import sums_of
from monitoring.models import Feedback, Prediction
from monitoring.traffic.sampling import sample_of
from monitoring.traffic.windows import (
    count_since,
    latest_at,
    load_by_segment,
    load_failures,
    load_newest,
    load_sample,
    load_stretch,
    load_sums,
)
from monitoring.windows import Window
from tests.monitoring.builders import LABELS, MODEL, NOW
from tests.monitoring.traffic.builders import AJournal, assert_same, keep_traffic, traffic

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.mark.django_db
def test_a_window_covers_the_whole_slots_that_it_touches() -> None:
    records = traffic(np.random.default_rng(1), 60, every_s=60, text=None)
    keep_traffic(records)
    found = load_stretch(MODEL, 1, start=NOW + 7 * MINUTE, end=NOW + 15 * MINUTE)
    assert (found.start, found.end) == (NOW + 5 * MINUTE, NOW + 15 * MINUTE)
    assert_same(found.sums, sums_of(sample_of(records[5:15])))


@pytest.mark.django_db
def test_nothing_is_the_sums_of_nothing() -> None:
    found = load_stretch(MODEL, 1, start=NOW, end=NOW + HOUR)
    assert (found.sums.n, found.start, found.end) == (0, None, None)
    assert load_by_segment(MODEL, 1, start=NOW, end=NOW + HOUR) == {}
    assert load_newest(MODEL, 1, 100).sums.n == 0
    assert len(load_sample(MODEL, 1, NOW, NOW + HOUR, 10)) == 0
    assert latest_at(MODEL, 1) is None
    assert count_since(MODEL, None, NOW) == 0


@pytest.mark.django_db
def test_segments_can_be_read_together_and_one_by_one() -> None:
    records = traffic(np.random.default_rng(2), 90, segments=("", "web", "app"), text=None)
    keep_traffic(records)
    parts = load_by_segment(MODEL, 1, start=NOW, end=NOW + HOUR)
    assert list(parts) == ["", "app", "web"]
    for name, sums in parts.items():
        assert_same(sums, sums_of(sample_of([r for r in records if r.segment == name])))
        assert_same(load_sums(MODEL, 1, start=NOW, end=NOW + HOUR, segment=name), sums)


@pytest.mark.django_db
def test_windows_by_count_take_the_newest_blocks_until_there_are_enough() -> None:
    records = traffic(np.random.default_rng(3), 450, text=None)
    keep_traffic(records)
    for wanted, n in ((1, 50), (50, 50), (51, 150), (200, 250), (10_000, 450), (0, 0)):
        found = load_newest(MODEL, 1, wanted)
        assert found.sums.n == n
        if n:
            assert_same(found.sums, sums_of(sample_of(records[-n:])))
            assert found.end == datetime.fromtimestamp(records[-1].at, UTC)


@pytest.mark.django_db
def test_windows_by_count_do_not_reach_back_beyond_a_promotion() -> None:
    keep_traffic(traffic(np.random.default_rng(4), 450, text=None))
    found = load_newest(MODEL, 1, 450, since=NOW + timedelta(seconds=150))
    assert (found.sums.n, found.start) == (250, NOW + timedelta(seconds=200))


@pytest.mark.django_db
def test_a_sample_knows_the_latest_labels() -> None:
    records = traffic(np.random.default_rng(5), 12)
    keep_traffic(records)
    for record, revision, label in (
        (records[0], 1, "POSITIVE"),
        (records[0], 2, "NEGATIVE"),
        (records[3], 1, "UNHEARD"),
    ):
        prediction = Prediction.objects.get(id=record.id)
        Feedback.objects.create(
            prediction=prediction, revision=revision, label=label, source="audit", at=NOW
        )
    sample = load_sample(MODEL, 1, NOW, NOW + HOUR, 100)
    assert sample.labels == (*LABELS, "UNHEARD")
    actual = dict(zip(sample.texts, sample.actual, strict=True))
    assert sample.labels[actual[records[0].text]] == "NEGATIVE"
    assert sample.labels[actual[records[3].text]] == "UNHEARD"
    assert sorted(actual.values())[:-2] == [-1] * 10


@pytest.mark.django_db
def test_a_sample_is_that_of_the_asked_time() -> None:
    keep_traffic(traffic(np.random.default_rng(6), 100, every_s=60))
    assert len(load_sample(MODEL, 1, NOW + 10 * MINUTE, NOW + 30 * MINUTE, 100)) == 20
    assert len(load_sample(MODEL, 1, NOW, NOW + 100 * MINUTE, 7)) == 7
    assert len(load_sample(MODEL, 1, NOW, NOW + 100 * MINUTE, -1)) == 0


@pytest.mark.django_db
def test_predictions_since_a_time_are_counted_by_whole_minutes() -> None:
    records = traffic(np.random.default_rng(7), 100, every_s=30, versions=(1, 2), text=None)
    keep_traffic(records)
    since = NOW + timedelta(minutes=20, seconds=45)
    late = [r for r in records if r.at >= (NOW + 20 * MINUTE).timestamp()]
    assert count_since(MODEL, None, since) == len(late)
    assert count_since(MODEL, 2, since) == sum(r.version == 2 for r in late)
    assert count_since(MODEL, None, NOW - 40 * 24 * HOUR) == 100


@pytest.mark.django_db
def test_the_latest_prediction_is_that_of_any_journal() -> None:
    rng = np.random.default_rng(8)
    later, earlier = traffic(rng, 5, start=NOW.timestamp() + 60), traffic(rng, 5)
    keep_traffic(later)
    keep_traffic(earlier)
    assert latest_at(MODEL, 1) == datetime.fromtimestamp(later[-1].at, UTC)


@pytest.mark.django_db
def test_failures_are_read_by_code_and_window() -> None:
    rng = np.random.default_rng(9)
    failed = {"route": FAILED, "scores": {}, "embedding": b"", "text": None}
    keep_traffic(traffic(rng, 3, label="queue_full", **failed))
    keep_traffic(traffic(rng, 2, label="lane_failed", start=NOW.timestamp() + 120, **failed))
    assert load_failures(MODEL, 1, Window(NOW, NOW + HOUR)) == {"queue_full": 3, "lane_failed": 2}
    assert load_failures(MODEL, 1, Window(NOW, NOW + MINUTE)) == {"queue_full": 3}
    assert load_failures(MODEL, 2, Window(NOW, NOW + HOUR)) == {}


@pytest.mark.django_db
def test_readers_make_a_constant_number_of_queries() -> None:
    def n_queries() -> list[int]:
        counts = []
        for read in (
            lambda: load_sums(MODEL, 1, start=NOW, end=NOW + 9 * HOUR),
            lambda: load_by_segment(MODEL, 1, start=NOW, end=NOW + 9 * HOUR),
            lambda: load_newest(MODEL, 1, 5000),
            lambda: load_sample(MODEL, 1, NOW, NOW + 9 * HOUR, 400),
            lambda: latest_at(MODEL, 1),
            lambda: count_since(MODEL, None, NOW + MINUTE),
        ):
            with CaptureQueriesContext(
                connection,
            ) as queries:
                read()
            counts.append(len(queries))
        return counts

    rng = np.random.default_rng(10)
    keep_traffic(traffic(rng, 20, text=None))
    few = n_queries()
    journals = [AJournal(), AJournal()]
    for i in range(6):
        start = NOW.timestamp() + 5000 * i
        journals[i % 2].keep(traffic(rng, 200, start=start, segments=("", "web"), text=None))
    assert n_queries() == few == [1, 1, 2, 2, 1, 3]
