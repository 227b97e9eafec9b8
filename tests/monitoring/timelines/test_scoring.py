"""Hundreds of steps are judged at once, each as if it were judged alone."""

import numpy as np
import pytest

from monitoring.quality.metrics import matrix
from monitoring.quality.report import UNDEFINED, judge
from monitoring.timelines import scoring
from monitoring.timelines.scoring import choose_draws, score

Pairs = dict[tuple[str, str], int]


def tables(rng: np.random.Generator, n: int, k: int) -> list[Pairs]:
    """Random tables of up to k classes, some empty, some with one class only."""
    made = []
    for _ in range(n):
        cells = rng.poisson(rng.choice([0.05, 0.5, 20.0]), (k, k))
        made.append({(f"c{i}", f"c{j}"): int(cells[i, j]) for i in range(k) for j in range(k)})
    return made


@pytest.mark.parametrize("k", [2, 3, 6])
def test_each_step_is_what_judge_says_of_it(k: int) -> None:
    made = tables(np.random.default_rng(k), 60, k)
    sizes = [matrix(each).counts.size for each in made if matrix(each).n]
    n_draws = choose_draws(sizes)
    assert n_draws in scoring.DRAWS
    for pairs, found in zip(made, score(made), strict=True):
        expected = judge(matrix(pairs), n_draws=n_draws).macro.f1
        for name in ("value", "low", "high"):
            assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-12)


def test_nothing_labelled_is_undefined() -> None:
    assert score([{}, {("a", "a"): 0}]) == [UNDEFINED, UNDEFINED]
    assert score([]) == []


def test_a_step_alone_has_the_interval_of_a_report() -> None:
    pairs = {("a", "a"): 40, ("a", "b"): 4, ("b", "a"): 6, ("b", "b"): 50}
    assert score([pairs]) == [judge(matrix(pairs)).macro.f1]


def test_very_many_cells_have_values_without_bounds() -> None:
    pairs = {(f"c{i}", f"c{(i * 7) % 150}"): 1 for i in range(150)}
    found = score([pairs] * 2)
    assert found[0].value == judge(matrix(pairs)).macro.f1.value
    assert (found[0].low, found[0].high) == (None, None)


def test_too_many_classes_are_undefined_and_cost_no_other_step_its_numbers() -> None:
    many = {(f"c{i}", f"c{i}"): 1 for i in range(301)}
    few = {("a", "a"): 5, ("b", "b"): 5}
    assert score([many, few])[0] == UNDEFINED
    assert score([many, few])[1].value == 1.0
