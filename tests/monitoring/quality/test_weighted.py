"""Known probabilities undo a biased choice of labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitoring.quality import metrics
from monitoring.quality.metrics import matrix
from monitoring.quality.report import Quality, Verdict
from monitoring.quality.report import judge as judge_plain
from monitoring.quality.weighted import Cell, judge, weighted_matrix

TRUTH = np.array([[0.35, 0.05], [0.10, 0.50]])
# Errors are labelled with probability .3, what is right with .03.
ASKED = np.array([[0.03, 0.3], [0.3, 0.03]])
LABELS = ("a", "b")


def plain(counts: np.ndarray) -> Quality:
    return judge_plain(matrix(pairs(counts)))


def pairs(counts: np.ndarray) -> dict[tuple[str, str], int]:
    return {(a, p): int(counts[i, j]) for i, a in enumerate(LABELS) for j, p in enumerate(LABELS)}


def weighted(counts: np.ndarray, probability: np.ndarray) -> Quality:
    cells = {
        (a, p): Cell(
            int(counts[i, j]),
            float(counts[i, j] / probability[i, j]),
            float(counts[i, j] / probability[i, j] ** 2),
        )
        for i, a in enumerate(LABELS)
        for j, p in enumerate(LABELS)
    }
    return judge(weighted_matrix(cells)).quality


def test_biased_feedback_is_undone_where_naive_f1_is_far_off() -> None:
    rng = np.random.default_rng(41)
    true = metrics.scores(TRUTH)
    macro = float(true.macro(true.f1))
    predictions = rng.multinomial(20_000, TRUTH.ravel()).reshape(2, 2)
    counts = rng.binomial(predictions, ASKED)
    naive, honest = plain(counts), weighted(counts, ASKED)
    assert abs(naive.macro.f1.value - macro) >= 0.10
    # The largest error of a hundred such draws is .028, their mean .005.
    assert abs(honest.macro.f1.value - macro) <= 0.02
    assert honest.accuracy.low < 0.85 < honest.accuracy.high


def test_weighted_intervals_hold_the_truth_about_95_times_in_100() -> None:
    rng = np.random.default_rng(42)
    true = metrics.scores(TRUTH)
    runs, held = 300, {"accuracy": 0, "f1": 0, "recall": 0, "macro": 0, "weighted": 0}
    for predictions in rng.multinomial(4000, TRUTH.ravel(), size=runs).reshape(-1, 2, 2):
        quality = weighted(rng.binomial(predictions, ASKED), ASKED)
        for key, estimate, value in (
            ("accuracy", quality.accuracy, true.accuracy),
            ("f1", quality.classes[0].f1, true.f1[0]),
            ("recall", quality.classes[1].recall, true.recall[1]),
            ("macro", quality.macro.f1, true.macro(true.f1)),
            ("weighted", quality.weighted.f1, true.weighted(true.f1)),
        ):
            held[key] += estimate.low <= value <= estimate.high
    # 300 runs know a coverage of .95 to .025 (two standard errors).
    assert all(n / runs >= 0.925 for n in held.values()), held


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 60), min_size=4, max_size=4), st.floats(0.5, 200))
def test_equal_weights_give_the_plain_rates_and_intervals(cells: list[int], weight: float) -> None:
    counts = np.array(cells).reshape(2, 2)
    honest = weighted(counts, np.full((2, 2), 1 / weight))
    expected = plain(counts)
    assert honest.n_labelled == expected.n_labelled
    assert honest.verdict == expected.verdict
    if not counts.sum():
        return
    assert honest.accuracy.low == pytest.approx(expected.accuracy.low, abs=1e-6)
    for row, other in zip(honest.classes, expected.classes, strict=True):
        assert (row.support, row.n_predicted) == (other.support, other.n_predicted)
        for name in ("precision", "recall", "f1"):
            mine, theirs = getattr(row, name), getattr(other, name)
            assert mine.value == pytest.approx(theirs.value)
            assert (mine.low, mine.high) == pytest.approx((theirs.low, theirs.high), abs=1e-6)
    for mine, theirs in ((honest.macro, expected.macro), (honest.weighted, expected.weighted)):
        assert mine.f1.value == pytest.approx(theirs.f1.value)
        assert mine.f1.low == pytest.approx(theirs.f1.low, abs=0.03)


def test_a_few_heavy_labels_are_worth_few() -> None:
    cells = {("a", "a"): Cell(500, 500, 500), ("b", "b"): Cell(2, 400, 80_000)}
    result = judge(weighted_matrix(cells))
    assert result.n_effective == pytest.approx(900**2 / 80_500)
    assert result.quality.verdict is Verdict.INSUFFICIENT_DATA
    assert result.quality.n_labelled == 502


def test_no_labels_are_no_verdict_about_the_model() -> None:
    result = judge(weighted_matrix({}))
    assert result.quality.accuracy.value is None
    assert (result.n_effective, result.quality.verdict) == (0.0, Verdict.INSUFFICIENT_DATA)


def test_cells_move_exactly_when_a_label_is_corrected() -> None:
    label = Cell(1, 50.0, 2500.0)
    assert label + label - label == label
    emptied = weighted_matrix({("a", "a"): label - label, ("b", "b"): label})
    assert emptied.counts.labels == ("b",)


def test_one_class_alone_can_be_judged() -> None:
    result = judge(weighted_matrix({("a", "a"): Cell(40, 400, 4000)}))
    assert result.quality.macro.f1.value == 1.0
    assert result.quality.macro.f1.low < 0.97
