"""Rates equal scikit-learn's; intervals hold the truth about as often as they say."""

import doctest
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support

from monitoring.errors import TooManyClasses
from monitoring.quality import intervals, metrics
from monitoring.quality.metrics import matrix
from monitoring.quality.report import UNDEFINED, Estimate, Quality, Verdict, judge

PAIRS = st.lists(
    st.tuples(st.sampled_from("ABCDE"), st.sampled_from("ABCDE")), min_size=1, max_size=60
)


def judged(pairs: list[tuple[str, str]]) -> Quality:
    cells: dict[tuple[str, str], int] = {}
    for pair in pairs:
        cells[pair] = cells.get(pair, 0) + 1
    return judge(matrix(cells))


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_every_rate_equals_scikit_learn_s(pairs: list[tuple[str, str]]) -> None:
    quality = judged(pairs)
    actual, predicted = [list(side) for side in zip(*pairs, strict=True)]
    assert quality.accuracy.value == pytest.approx(accuracy_score(actual, predicted))
    labels = quality.matrix.labels
    assert list(labels) == sorted({*actual, *predicted})
    expected = confusion_matrix(actual, predicted, labels=labels)
    assert quality.matrix.counts.tolist() == expected.tolist()
    columns = precision_recall_fscore_support(actual, predicted, zero_division=0)
    for row, *expected in zip(quality.classes, *columns, strict=True):
        rates = [row.precision.value, row.recall.value, row.f1.value, row.support]
        assert rates == pytest.approx(expected)
    for name in ("macro", "weighted"):
        average = getattr(quality, name)
        expected = precision_recall_fscore_support(
            actual, predicted, average=name, zero_division=0
        )[:3]
        rates = [average.precision.value, average.recall.value, average.f1.value]
        assert rates == pytest.approx(list(expected))


@settings(deadline=None, max_examples=60)
@given(PAIRS)
def test_every_interval_holds_its_value_and_stays_a_rate(pairs: list[tuple[str, str]]) -> None:
    quality = judged(pairs)
    averages = [
        getattr(average, name)
        for average in (quality.macro, quality.weighted, *quality.classes)
        for name in ("precision", "recall", "f1")
    ]
    for estimate in [quality.accuracy, *averages]:
        assert 0 <= estimate.low <= estimate.value + 1e-12
        assert estimate.value - 1e-12 <= estimate.high <= 1


def test_nothing_labelled_is_null_and_no_verdict_about_the_model() -> None:
    quality = judge(matrix({}))
    assert quality.accuracy == quality.macro.f1 == quality.weighted.recall == UNDEFINED
    assert (quality.n_labelled, quality.classes) == (0, ())
    assert quality.verdict is Verdict.INSUFFICIENT_DATA


def test_too_few_labels_say_so_and_still_give_numbers() -> None:
    assert judged([("A", "A")] * 20).verdict is None
    few = judged([("A", "A")] * 19)
    assert few.verdict is Verdict.INSUFFICIENT_DATA
    assert few.accuracy == Estimate(1.0, pytest.approx(0.8235, abs=1e-4), 1.0)


def test_one_class_alone_leaves_the_averages_as_unsure_as_itself() -> None:
    quality = judged([("A", "A")] * 30)
    assert quality.macro.f1 == quality.weighted.f1 == quality.classes[0].f1
    assert quality.macro.f1.low < 0.95


def test_a_rare_class_is_judged_on_its_own_items() -> None:
    quality = judged([("A", "A")] * 100 + [("B", "B")] * 3)
    assert [(row.label, row.verdict) for row in quality.classes] == [
        ("A", None),
        ("B", Verdict.INSUFFICIENT_DATA),
    ]


def test_a_class_never_predicted_has_no_precision_to_speak_of() -> None:
    row = judged([("A", "B")] * 5).classes[0]
    assert row.label == "A"
    assert row.precision == Estimate(0.0, 0.0, 1.0)
    assert row.recall.value == 0


@given(st.integers(0, 400), st.integers(0, 400))
def test_a_proportion_s_interval_is_clopper_and_pearson_s(hits: int, misses: int) -> None:
    low, high = intervals.proportion(hits, hits + misses)
    if hits + misses == 0:
        assert (low, high) == (0, 1)
        return
    exact = stats.binomtest(hits, hits + misses).proportion_ci(0.95, method="exact")
    assert (float(low), float(high)) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_the_same_matrix_gets_the_same_intervals() -> None:
    pairs = [("A", "A")] * 40 + [("A", "B")] * 7 + [("B", "B")] * 30
    assert judged(pairs).macro == judged(pairs).macro


TRUTHS = {
    "balanced": [[0.45, 0.05], [0.05, 0.45]],
    "rare class": [[0.10, 0.05], [0.05, 0.80]],
    "three classes": [[0.30, 0.03, 0.02], [0.04, 0.25, 0.03], [0.02, 0.03, 0.28]],
}


@pytest.mark.parametrize("name", TRUTHS)
@pytest.mark.parametrize("n", [150, 600])
def test_intervals_hold_the_truth_about_95_times_in_100(name: str, n: int) -> None:
    truth = np.array(TRUTHS[name])
    true = metrics.scores(truth)
    labels = "ABC"[: len(truth)]
    rng = np.random.default_rng(20261121)
    n_runs = 400
    n_held = {"accuracy": 0, "f1": 0, "recall": 0, "macro": 0, "weighted": 0}
    for table in rng.multinomial(n, truth.ravel(), size=n_runs).reshape(-1, *truth.shape):
        cells = {
            (a, p): int(table[i, j]) for i, a in enumerate(labels) for j, p in enumerate(labels)
        }
        quality = judge(matrix(cells))
        for key, estimate, value in (
            ("accuracy", quality.accuracy, true.accuracy),
            ("f1", quality.classes[0].f1, true.f1[0]),
            ("recall", quality.classes[0].recall, true.recall[0]),
            ("macro", quality.macro.f1, true.macro(true.f1)),
            ("weighted", quality.weighted.f1, true.weighted(true.f1)),
        ):
            n_held[key] += estimate.low <= value <= estimate.high
    coverage = {key: held / n_runs for key, held in n_held.items()}
    # 400 runs know a coverage of .95 to about .022 (two standard errors).
    for key in ("macro", "weighted"):
        assert 0.925 <= coverage[key] <= 0.98, coverage
    for key in ("accuracy", "f1", "recall"):  # exact intervals may hold more, never less
        assert coverage[key] >= 0.935, coverage


def test_a_matrix_of_too_many_classes_is_refused() -> None:
    assert matrix({(f"{i}", f"{i}"): 1 for i in range(300)}).n == 300
    with pytest.raises(TooManyClasses, match="301 classes"):
        matrix({(f"{i}", f"{i}"): 1 for i in range(301)})


def test_the_largest_matrix_is_judged_in_bounded_time() -> None:
    rng = np.random.default_rng(1)
    cells = {(f"{i}", f"{j}"): int(rng.poisson(1)) for i in range(300) for j in range(300)}
    started = time.process_time()
    judge(matrix(cells))
    assert time.process_time() - started < 5


@pytest.mark.parametrize("module", [metrics, intervals])
def test_the_examples_hold(module) -> None:  # type: ignore[no-untyped-def]
    result = doctest.testmod(module)
    assert result.attempted > 0
    assert result.failed == 0
