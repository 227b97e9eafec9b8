"""Two sides that are alike are rarely called different; those that differ are, with bounds."""

import time

import numpy as np
import pytest
from scipy import stats

from monitoring.errors import TooManyClasses
from monitoring.quality.comparing import compare, difference, exact_test, holm, paired
from monitoring.quality.metrics import Matrix, matrix
from monitoring.quality.report import UNDEFINED, Estimate, Verdict

GOOD = np.array([[0.45, 0.05], [0.05, 0.45]])
WORSE = np.array([[0.36, 0.14], [0.05, 0.45]])
LABELS = ("a", "b")


def drawn(truth: np.ndarray, n: int, rng: np.random.Generator) -> Matrix:
    return Matrix(LABELS, rng.multinomial(n, truth.ravel()).reshape(2, 2))


def test_alike_versions_are_called_different_no_oftener_than_the_level() -> None:
    rng = np.random.default_rng(51)
    runs, accuracy, classes = 500, 0, 0
    for _ in range(runs):
        result = compare(drawn(GOOD, 150, rng), drawn(GOOD, 300, rng), n_draws=100)
        accuracy += result.p_value <= 0.05
        classes += any(row.p_adjusted <= 0.05 for row in result.classes)
    # Two standard errors of 500 runs are .02; exact tests may keep more.
    assert accuracy / runs <= 0.07
    assert classes / runs <= 0.07


def test_intervals_of_differences_hold_the_truth_95_times_in_100() -> None:
    rng = np.random.default_rng(52)
    runs, held = 300, {"accuracy": 0, "f1": 0, "macro": 0}
    f1 = [2 * t[0, 0] / (t[0].sum() + t[:, 0].sum()) for t in (GOOD, WORSE)]
    f1_b = [2 * t[1, 1] / (t[1].sum() + t[:, 1].sum()) for t in (GOOD, WORSE)]
    macro = [(a + b) / 2 for a, b in zip(f1, f1_b, strict=True)]
    for _ in range(runs):
        result = compare(drawn(GOOD, 200, rng), drawn(WORSE, 300, rng), n_draws=300)
        for key, shown, true in (
            ("accuracy", result.accuracy, -0.09),
            ("f1", result.classes[0].f1, f1[1] - f1[0]),
            ("macro", result.macro_f1, macro[1] - macro[0]),
        ):
            assert shown.low is not None
            assert shown.high is not None
            held[key] += shown.low <= true <= shown.high
    assert all(n / runs >= 0.925 for n in held.values()), held


def test_a_worse_version_is_found_and_the_class_named() -> None:
    base = matrix(
        {("a", "a"): 450, ("a", "b"): 50, ("b", "b"): 450, ("b", "c"): 50, ("c", "c"): 90}
    )
    new = matrix({("a", "a"): 360, ("a", "b"): 40, ("b", "b"): 450, ("b", "c"): 50, ("c", "c"): 20})
    result = compare(base, new)
    assert [row.label for row in result.classes if row.p_adjusted < 0.01] == ["c"]
    assert result.macro_f1.high is not None
    assert result.macro_f1.high < 0


def test_classes_that_one_side_lacks_are_compared_as_far_as_they_can_be() -> None:
    result = compare(matrix({("a", "a"): 30}), matrix({("b", "b"): 30}))
    assert [(row.label, row.n_base, row.n_new) for row in result.classes] == [
        ("a", 30, 0),
        ("b", 0, 30),
    ]
    assert {row.verdict for row in result.classes} == {Verdict.INSUFFICIENT_DATA}
    assert {row.p_value for row in result.classes} == {1.0}


def test_nothing_labelled_on_one_side_is_undefined() -> None:
    result = compare(matrix({}), matrix({("a", "a"): 30}))
    assert result.verdict is Verdict.INSUFFICIENT_DATA
    assert (result.accuracy.value, result.macro_f1.value, result.p_value) == (None, None, 1.0)


def test_more_classes_than_can_be_judged_are_refused() -> None:
    base = matrix({(f"a{i}", f"a{i}"): 1 for i in range(200)})
    with pytest.raises(TooManyClasses, match="400 classes"):
        compare(base, matrix({(f"b{i}", f"b{i}"): 1 for i in range(200)}))


def test_the_largest_comparison_takes_bounded_time() -> None:
    rng = np.random.default_rng(53)
    labels = tuple(f"{i:03}" for i in range(300))
    sides = [Matrix(labels, rng.poisson(0.5, (300, 300))) for _ in range(2)]
    started = time.process_time()
    compare(*sides)
    assert time.process_time() - started < 10


def test_boschloo_is_never_weaker_than_fisher() -> None:
    for hits in range(0, 21, 4):
        fisher = stats.fisher_exact([[hits, 15], [20 - hits, 5]]).pvalue
        assert exact_test(hits, 20, 15, 20) <= fisher + 1e-12
        assert exact_test(hits, 20, 15, 20, is_quick=True) == pytest.approx(fisher)


@pytest.mark.parametrize("sides", [(0, 0, 5, 9), (5, 9, 0, 0), (0, 9, 0, 7), (9, 9, 7, 7)])
def test_sides_that_cannot_differ_have_a_p_value_of_1(sides: tuple[int, int, int, int]) -> None:
    assert exact_test(*sides) == 1.0


def test_paired_answers_are_judged_by_those_that_differ() -> None:
    assert paired(0, 0) == 1.0
    assert paired(5, 5) == 1.0
    assert paired(2, 20) == pytest.approx(stats.binomtest(2, 22).pvalue)


def test_holm_rejects_what_the_stepwise_rule_does() -> None:
    rng = np.random.default_rng(54)
    for _ in range(50):
        p = rng.random(6) ** 3
        rejected = set()
        for rank, i in enumerate(np.argsort(p)):
            if p[i] > 0.05 / (6 - rank):
                break
            rejected.add(int(i))
        assert set(np.flatnonzero(holm(p) <= 0.05).tolist()) == rejected
    assert holm([]).tolist() == []


def test_a_difference_needs_both_sides() -> None:
    known = Estimate(0.5, 0.4, 0.6)
    assert difference(known, UNDEFINED).value is None
    both = difference(known, Estimate(0.7, 0.6, 0.8))
    assert (both.value, both.low, both.high) == pytest.approx(
        (0.2, 0.2 - 0.02**0.5, 0.2 + 0.02**0.5)
    )
