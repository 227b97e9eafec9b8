"""Every series equals a recount from the rows, whatever it was read from."""

import random
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from inference.records import FAILED, PINNED
from monitoring.api import params
from monitoring.api.serializers.timelines import show_timeline
from monitoring.models import Feedback, Prediction, Span, TrafficProfile, TrafficSum
from monitoring.services import give_feedback
from monitoring.specs import FeedbackItem
from monitoring.timelines import rows as timeline_rows
from monitoring.timelines.loading import load_timeline
from monitoring.traffic.compacting import compact
from tests.monitoring.builders import LABELS, MODEL, NOW, make_record, register
from tests.monitoring.timelines.recounts import Recount, macro_f1, percentile, total
from tests.monitoring.traffic.builders import keep_traffic, traffic

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
SEGMENTS = ("", "web", "app")
BIN = 1.25
"""By so much a latency that is read from a histogram may be off."""


@pytest.fixture(autouse=True)
def _versions(db: None) -> None:
    for number in (1, 2, 3):
        register(number=number)


def read(**query: str) -> dict[str, Any]:
    scope = params.parse_timeline(MODEL, query, now=NOW)
    return show_timeline(load_timeline(scope, now=NOW))


def fill(seed: int, *, n: int = 400, span: timedelta = DAY, end: datetime = NOW) -> None:
    """`n` predictions of two versions and three segments, evenly over `span`, a third labelled."""
    rng, draw = np.random.default_rng(seed), random.Random(seed)
    records = traffic(
        rng,
        n,
        start=(end - span).timestamp(),
        every_s=span.total_seconds() / n,
        segments=SEGMENTS,
        versions=(1, 2),
        text=None,
    )
    pinned = [make_record(at=records[i].at, route=PINNED) for i in range(0, n, 50)]
    failed = [
        make_record(at=records[i].at, route=FAILED, label="inference_timeout", version=1 + i % 2)
        for i in range(0, n, 40)
    ]
    keep_traffic([*records, *pinned, *failed], chunk=200)
    ids = list(Prediction.objects.filter(route="live").order_by("id").values_list("id", flat=True))
    # Some are told twice, and the latest revision counts.
    for share in (3, 10):
        items = [
            FeedbackItem(id, draw.choice(LABELS), "delayed") for id in draw.sample(ids, n // share)
        ]
        give_feedback(items, key_id="tests", now=NOW)


def check_counts(shown: dict[str, Any], recount: Recount) -> None:
    versions = recount.counts("version")
    assert shown["traffic"]["by_version"] == {str(v): n for v, n in sorted(versions.items())}
    assert shown["traffic"]["n"] == total([[0] * len(recount.times), *versions.values()])
    assert shown["labels"] == recount.counts("label")


def check_quality(shown: dict[str, Any], recount: Recount) -> None:
    lines = shown["quality"]["by_version"]
    labelled = {row.version for row in recount.rows if row.id in recount.labels}
    assert set(lines) == {str(version) for version in labelled}
    for version, line in lines.items():
        pairs = recount.pairs(int(version))
        assert line["n"] == [step.total() for step in pairs]
        for step, value, low, high in zip(
            pairs, line["value"], line["low"], line["high"], strict=True
        ):
            assert value == pytest.approx(macro_f1(step), abs=1e-6)
            assert (value is None) or 0 <= low <= value <= high <= 1


def check_shapes(shown: dict[str, Any], recount: Recount, *, is_exact: bool) -> None:
    for i, seconds in enumerate(recount.values("total_s")):
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            found, true = shown["latency_ms"][name][i], percentile(seconds, share)
            if true is None:
                assert found is None
            elif is_exact:
                assert found == pytest.approx(true * 1000, abs=6e-4)
            else:
                assert max(true, 1e-4) * 1000 / BIN <= found <= max(true, 1e-4) * 1000 * BIN
    for i, scores in enumerate(recount.values("score")):
        for name, share in (("p10", 0.1), ("p50", 0.5), ("p90", 0.9)):
            found, true = shown["confidence"][name][i], percentile(scores, share)
            near = 1e-6 if is_exact else 0.065
            assert found == (None if true is None else pytest.approx(true, abs=near))


NARROWED = [
    pytest.param({}, id="all"),
    pytest.param({"version": "2"}, id="version"),
    pytest.param({"segment": "web"}, id="segment"),
    pytest.param({"version": "1", "segment": ""}, id="both"),
]


def recount_of(shown: dict[str, Any], narrowed: dict[str, str]) -> Recount:
    version = int(narrowed["version"]) if "version" in narrowed else None
    return Recount(shown, model=MODEL, version=version, segment=narrowed.get("segment"))


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("narrowed", NARROWED)
def test_a_day_by_quarters_of_an_hour_equals_the_rows(narrowed: dict[str, str]) -> None:
    fill(1)
    shown = read(**narrowed)
    assert shown["step_s"] == 900
    recount = recount_of(shown, narrowed)
    assert len(recount.rows) > 50
    check_counts(shown, recount)
    check_quality(shown, recount)
    check_shapes(shown, recount, is_exact=False)


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("narrowed", NARROWED)
def test_the_last_minutes_equal_the_rows_exactly(narrowed: dict[str, str]) -> None:
    fill(2, span=40 * MINUTE)
    shown = read(**{"from": (NOW - 20 * MINUTE).isoformat()}, **narrowed)
    assert shown["step_s"] == 15
    recount = recount_of(shown, narrowed)
    assert len(recount.rows) > 20
    check_counts(shown, recount)
    check_quality(shown, recount)
    check_shapes(shown, recount, is_exact=True)


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("narrowed", NARROWED)
def test_months_equal_the_rows_after_the_slots_have_become_hours(narrowed: dict[str, str]) -> None:
    fill(3, n=600, span=90 * DAY)
    compact(NOW)
    assert TrafficProfile.objects.filter(grain="day").count() > 90
    shown = read(**{"from": (NOW - 90 * DAY).isoformat()}, **narrowed)
    assert shown["step_s"] == 12 * 3600
    recount = recount_of(shown, narrowed)
    check_counts(shown, recount)
    check_quality(shown, recount)
    check_shapes(shown, recount, is_exact=False)


def test_a_year_equals_the_rows_by_days() -> None:
    fill(4, n=500, span=364 * DAY)
    compact(NOW)
    shown = read(**{"from": (NOW - 364 * DAY).isoformat()})
    assert shown["step_s"] == 2 * 86_400
    recount = recount_of(shown, {})
    assert len(recount.rows) == 500
    check_counts(shown, recount)
    check_shapes(shown, recount, is_exact=False)


def test_compacting_changes_no_step_that_is_an_hour_or_longer() -> None:
    fill(5, n=300, span=5 * DAY)
    query = {"from": (NOW - 5 * DAY).isoformat()}
    before = read(**query)
    assert before["step_s"] == 3600
    compact(NOW)
    assert TrafficSum.objects.filter(span=Span.HOUR).exists()
    assert read(**query) == before
    compact(NOW + 2 * DAY)
    assert read(**query) == before


def test_where_steps_are_shorter_than_what_is_kept_each_shows_what_holds_it() -> None:
    end = NOW - 10 * DAY
    fill(6, n=100, span=HOUR, end=end)
    compact(NOW)
    shown = read(**{"from": (end - HOUR).isoformat(), "to": end.isoformat()})
    assert shown["step_s"] == 60
    shown_p50 = {
        value
        for value, n in zip(shown["latency_ms"]["p50"], shown["traffic"]["n"], strict=True)
        if n
    }
    # Half past eleven to half past twelve: two hours, hence two values, and none without traffic.
    assert len(shown_p50) == 2
    empty = [i for i, n in enumerate(shown["traffic"]["n"]) if not n]
    assert all(shown["latency_ms"]["p50"][i] is None for i in empty)


def test_failures_are_counted_by_step_and_have_no_segment() -> None:
    fill(7)
    assert sum(read()["traffic"]["failed"]) == 10
    assert sum(read(version="1")["traffic"]["failed"]) == 10
    assert set(read(segment="web")["traffic"]["failed"]) == {None}


def test_failures_of_the_last_minutes_stand_at_their_minutes_first_step() -> None:
    keep_traffic([make_record(at=(NOW - 90 * MINUTE / 60).timestamp(), route=FAILED, label="x")])
    shown = read(**{"from": (NOW - 10 * MINUTE).isoformat()})
    at = [time for time, n in zip(shown["times"], shown["traffic"]["failed"], strict=True) if n]
    assert at == [int((NOW - 2 * MINUTE).timestamp())]


def test_a_model_without_traffic_has_steps_and_nothing_else() -> None:
    shown = read()
    n = len(shown["times"])
    assert shown["traffic"] == {"n": [0] * n, "failed": [0] * n, "by_version": {}}
    assert shown["latency_ms"] == dict.fromkeys(("p50", "p95", "p99"), [None] * n)
    assert shown["confidence"] == dict.fromkeys(("p10", "p50", "p90"), [None] * n)
    assert shown["quality"] == {"metric": "macro_f1", "by_version": {}, "baseline": None}
    assert (shown["labels"], shown["estimates"]) == ({}, None)
    assert (shown["drift"], shown["marks"]) == ([], [])


def test_the_future_is_null_and_not_zero() -> None:
    fill(8, n=50, span=HOUR)
    shown = read(**{"to": (NOW + DAY).isoformat(), "from": (NOW - DAY).isoformat()})
    begun = [i for i, time in enumerate(shown["times"]) if time <= NOW.timestamp()]
    assert shown["traffic"]["n"][: len(begun)].count(None) == 0
    assert set(shown["traffic"]["n"][len(begun) :]) == {None}
    assert set(shown["labels"]["POSITIVE"][len(begun) :]) == {None}


def test_beyond_twelve_labels_the_rest_is_together() -> None:
    at = (NOW - HOUR).timestamp()
    names = [f"label {i:02}" for i in range(15)]
    records = [
        make_record(at=at, label=name, scores={name: 0.9, "z": 0.1})
        for i, name in enumerate(names)
        for _ in range(20 - i)
    ]
    keep_traffic(records)
    shown = read()["labels"]
    assert list(shown) == [*names[:12], "other labels"]
    assert sum(shown["other labels"]) == 8 + 7 + 6
    assert sum(map(sum, shown.values())) == len(records)


def test_too_many_rows_are_read_from_counters_in_whole_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fill(9, n=100, span=20 * MINUTE)
    monkeypatch.setattr(timeline_rows, "MOST_ROWS", 50)
    shown = read(**{"from": (NOW - 20 * MINUTE).isoformat()})
    assert shown["step_s"] == 60
    check_counts(shown, recount_of(shown, {}))


def test_minutes_whose_rows_may_be_pruned_are_read_from_counters(settings: Any) -> None:
    settings.BELLWETHER_RETENTION_DAYS = 3
    end = NOW - 4 * DAY
    fill(10, n=60, span=20 * MINUTE, end=end)
    query = {"from": (end - 20 * MINUTE).isoformat(), "to": end.isoformat()}
    shown = read(**query)
    assert shown["step_s"] == 60
    Feedback.objects.all().delete()
    Prediction.objects.all().delete()
    assert read(**query) == shown
    assert sum(shown["traffic"]["n"]) == 60


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("days", [0, 1, 30, 365])
def test_the_number_of_queries_is_bounded(days: int, django_assert_max_num_queries: Any) -> None:
    fill(11, n=120, span=max(days, 1) * DAY)
    start = NOW - (days * DAY if days else 20 * MINUTE)
    with django_assert_max_num_queries(16):
        read(**{"from": start.isoformat()})
