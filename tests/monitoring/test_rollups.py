"""Whatever happens to predictions and labels, roll-ups say what the rows say."""

import time
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from sklearn.metrics import accuracy_score, precision_recall_fscore_support

from monitoring.counters import add
from monitoring.errors import InvalidWindow
from monitoring.models import ConfusionCell, Feedback, Prediction, PredictionCount
from monitoring.queries import load_quality
from monitoring.recounts import recount, repair
from monitoring.rollups import By, Scope, load_cells, load_counts
from monitoring.services import give_feedback
from monitoring.specs import SOURCES, FeedbackItem
from monitoring.windows import Grain, Window, floor
from registry.errors import ModelNotFound, VersionNotFound
from tests.monitoring.builders import (
    LABELS,
    MODEL,
    NOW,
    labels_of,
    make_prediction,
    register,
)

START = NOW - timedelta(days=3)
EVENTS = st.lists(
    st.one_of(
        st.tuples(
            st.just("predict"),
            st.integers(0, 3 * 24 * 60 - 1),
            st.sampled_from(LABELS),
            st.sampled_from(["", "web"]),
        ),
        st.tuples(
            st.just("label"),
            st.integers(0, 30),
            st.sampled_from(LABELS),
            st.sampled_from([None, *SOURCES]),
        ),
    ),
    max_size=25,
)


def play(events: list[tuple[str, int, str, str | None]]) -> None:
    predictions: list[Prediction] = []
    for step, (what, number, label, extra) in enumerate(events):
        if what == "predict":
            at = START + timedelta(minutes=number)
            version = 1 + number % 2
            predictions.append(make_prediction(at=at, label=label, segment=extra, version=version))
        elif predictions:
            chosen = predictions[number % len(predictions)]
            item = FeedbackItem(chosen.id, label, extra)
            now = START + timedelta(hours=3 * step)
            give_feedback([item], key_id="k", now=now, load_labels=labels_of)


def latest_pairs(window: Window, **filters: object) -> list[tuple[str, str]]:
    rows: dict[object, Feedback] = {}
    found = Feedback.objects.filter(
        prediction__at__gte=window.start, prediction__at__lt=window.end
    ).select_related("prediction")
    for row in found.order_by("revision"):
        rows[row.prediction_id] = row
    return [
        (row.label, row.prediction.label)
        for row in rows.values()
        if all(
            getattr(row if name == "source" else row.prediction, name) == value
            for name, value in filters.items()
        )
    ]


class TestQualityEqualsTheRawRows(TestCase):
    @settings(
        max_examples=25,
        deadline=None,
        suppress_health_check=[HealthCheck.differing_executors, HealthCheck.too_slow],
    )
    @given(EVENTS, st.integers(0, 3 * 24 * 60), st.integers(0, 3 * 24 * 60))
    def test_after_any_events_in_any_window(
        self, events: list[tuple[str, int, str, str | None]], one: int, other: int
    ) -> None:
        register(number=1)
        register(number=2)
        play(events)
        bounds = sorted((one, other + (one == other)))
        window = Window(*(START + timedelta(minutes=minutes) for minutes in bounds))
        report = load_quality(Scope(model=MODEL, window=window))
        pairs = latest_pairs(window)
        in_window = Prediction.objects.filter(at__gte=window.start, at__lt=window.end)
        assert report.n_predicted == in_window.count()
        assert report.quality.n_labelled == len(pairs)
        if pairs:
            actual, predicted = [list(side) for side in zip(*pairs, strict=True)]
            macro = report.quality.macro
            expected = precision_recall_fscore_support(
                actual, predicted, average="macro", zero_division=0
            )
            values = [macro.precision.value, macro.recall.value, macro.f1.value]
            assert values == pytest.approx(list(expected[:3]))
            assert report.quality.accuracy.value == pytest.approx(accuracy_score(actual, predicted))
        for filters in ({"version": 1}, {"segment": "web"}, {"source": "audit"}):
            cells = load_cells(Scope(model=MODEL, window=window, **filters)).get(None, {})
            assert Counter(cells) == Counter(latest_pairs(window, **filters))
        assert_recounts_agree()
        assert ConfusionCell.objects.filter(n__lt=0).count() == 0


def assert_recounts_agree() -> None:
    for days in range(-1, 8):
        result = recount(MODEL, (START + timedelta(days=days)).date(), now=NOW)
        assert result.has_arrivals
        assert result.differences == ()


def everything(by: By = By.NONE, **changes: object) -> Scope:
    window = Window(START, NOW + timedelta(days=1))
    return Scope(model=MODEL, window=window, by=by, **changes)  # type: ignore[arg-type]


@pytest.fixture
def traffic(db: None) -> None:
    register(number=1)
    register(number=2)
    for hours, version, segment, label, actual in (
        (0, 1, "", "POSITIVE", "POSITIVE"),
        (0.5, 1, "web", "POSITIVE", "NEGATIVE"),
        (1, 2, "web", "NEGATIVE", "NEGATIVE"),
        (30, 2, "", "NEGATIVE", None),
    ):
        row = make_prediction(
            at=START + timedelta(hours=hours), version=version, segment=segment, label=label
        )
        if actual:
            item = FeedbackItem(row.id, actual, "audit")
            give_feedback([item], key_id="k", now=NOW, load_labels=labels_of)


@pytest.mark.each_on_postgres
@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize(
    ("by", "groups"),
    [
        (By.VERSION, {1: (2, 2), 2: (2, 1)}),
        (By.SEGMENT, {"": (2, 1), "web": (2, 2)}),
        (
            By.DAY,
            {
                datetime(2026, 11, 18, tzinfo=UTC): (3, 3),
                datetime(2026, 11, 19, tzinfo=UTC): (1, 0),
            },
        ),
        (
            By.HOUR,
            {
                datetime(2026, 11, 18, 12, tzinfo=UTC): (1, 1),
                datetime(2026, 11, 18, 13, tzinfo=UTC): (2, 2),
                datetime(2026, 11, 19, 18, tzinfo=UTC): (1, 0),
            },
        ),
    ],
)
def test_groups_add_up_to_the_whole(by: By, groups: dict[object, tuple[int, int]]) -> None:
    report = load_quality(everything(by))
    found = {part.group: (part.n_predicted, part.quality.n_labelled) for part in report.groups}
    assert found == groups
    assert list(found) == sorted(found)
    assert (report.n_predicted, report.quality.n_labelled) == (4, 3)
    assert report.coverage == 0.75


@pytest.mark.usefixtures("traffic")
def test_by_minute_starts_and_ends_inside_the_window() -> None:
    window = Window(START, START + timedelta(minutes=31))
    counts = load_counts(Scope(model=MODEL, window=window, by=By.MINUTE))
    assert counts == {START: 1, START + timedelta(minutes=30): 1}


@pytest.mark.usefixtures("traffic")
def test_the_arrival_clock_counts_labels_when_they_came() -> None:
    assert sum(load_cells(everything(clock="arrived"))[None].values()) == 3
    early = Scope(model=MODEL, window=Window(START, START + timedelta(days=1)), clock="arrived")
    assert load_cells(early) == {}


@pytest.mark.usefixtures("traffic")
def test_models_and_versions_that_do_not_exist_are_errors_not_empty_answers() -> None:
    with pytest.raises(VersionNotFound):
        load_quality(everything(version=9))
    with pytest.raises(ModelNotFound):
        load_quality(Scope(model="acme/other", window=Window(START, NOW)))


@pytest.mark.django_db
def test_too_many_groups_are_refused_before_they_are_counted() -> None:
    window = Window(NOW - timedelta(minutes=1501), NOW)
    with pytest.raises(InvalidWindow, match="by=minute") as refused:
        load_counts(Scope(model=MODEL, window=window, by=By.MINUTE))
    assert refused.value.details["field"] == "by"
    with pytest.raises(InvalidWindow, match="by=hour"):
        load_counts(Scope(model=MODEL, window=Window(NOW - timedelta(days=70), NOW), by=By.HOUR))
    day = floor(NOW, Grain.DAY)
    add(PredictionCount, {(MODEL, "day", day, 1, f"s{i}", "A"): 1 for i in range(1501)})
    with pytest.raises(InvalidWindow, match="by=segment"):
        load_counts(Scope(model=MODEL, window=Window(day, day + timedelta(days=1)), by=By.SEGMENT))


@pytest.mark.django_db
def test_adding_makes_moves_and_cancels_counters() -> None:
    key = (MODEL, "hour", floor(NOW, Grain.HOUR), 1, "", "A")
    other = (*key[:-1], 'it\'s "quoted" %s; é')
    add(PredictionCount, {key: 2})
    add(PredictionCount, {key: 3, other: 1})
    add(PredictionCount, {key: -5, other: 0})
    add(PredictionCount, {})
    rows = PredictionCount.objects.values_list("label", "n")
    assert dict(rows) == {"A": 0, other[-1]: 1}


@pytest.mark.django_db
def test_more_counters_than_one_statement_holds_are_added() -> None:
    bucket = floor(NOW, Grain.HOUR)
    keys = {(MODEL, "hour", bucket, 1, f"s{i}", "A"): i + 1 for i in range(1203)}
    add(PredictionCount, keys)
    assert PredictionCount.objects.count() == 1203
    hour = Window(bucket, bucket + timedelta(hours=1))
    assert load_counts(Scope(model=MODEL, window=hour)) == {None: sum(keys.values())}


@pytest.mark.usefixtures("traffic")
def test_a_repair_puts_wrong_counters_right() -> None:
    day = START.date()
    ConfusionCell.objects.filter(grain="hour").update(n=7)
    PredictionCount.objects.filter(grain="day", label="POSITIVE").delete()
    result = recount(MODEL, day, now=NOW)
    assert (result.n_predictions, result.n_labelled) == (3, 3)
    assert len(result.differences) == 5
    repair(result)
    assert recount(MODEL, day, now=NOW).differences == ()


@pytest.mark.usefixtures("traffic")
def test_a_day_that_may_be_pruned_is_not_recounted() -> None:
    with pytest.raises(InvalidWindow, match="pruned"):
        recount(MODEL, START.date(), now=NOW + timedelta(days=40))


@pytest.mark.usefixtures("traffic")
def test_arrivals_are_not_recounted_once_predictions_may_be_pruned() -> None:
    later = NOW + timedelta(days=28)
    Prediction.objects.filter(at__lt=later - timedelta(days=30)).delete()
    result = recount(MODEL, NOW.date(), now=later)
    assert not result.has_arrivals
    assert result.differences == ()


@pytest.mark.usefixtures("traffic")
def test_a_long_window_reads_few_rows_and_is_quick() -> None:
    window = Window(NOW - timedelta(days=5 * 365), NOW)
    started = time.process_time()
    report = load_quality(Scope(model=MODEL, window=window, by=By.VERSION))
    assert time.process_time() - started < 0.5
    assert report.quality.n_labelled == 3
