"""Agreement of two labellers: the formulas, against other implementations and by simulation."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from monitoring.labelling.agreement import MIN_PAIRS, agreement, wilson
from monitoring.verdicts import Verdict


def draw(n: int, truth: float, seed: int) -> list[tuple[str, str]]:
    """Pairs of three labels that agree at least `truth` of the time."""
    rng = np.random.default_rng(seed)
    first = rng.choice(list("abc"), n, p=[0.6, 0.3, 0.1])
    second = np.where(rng.random(n) < truth, first, rng.choice(list("abc"), n))
    return list(zip(first.tolist(), second.tolist(), strict=True))


@pytest.mark.parametrize("truth", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("n", [25, 400])
def test_kappa_is_that_of_scikit_learn(n, truth):
    for seed in range(5):
        pairs = draw(n, truth, seed)
        found = agreement(pairs).kappa
        assert found is not None
        assert found.value == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
        assert found.low <= found.value <= found.high


def test_the_interval_of_kappa_holds_the_truth_about_as_often_as_it_says():
    truth = agreement(draw(400_000, 0.6, 1)).kappa
    assert truth is not None
    held = 0
    for seed in range(400):
        found = agreement(draw(150, 0.6, 1000 + seed)).kappa
        assert found is not None
        held += found.low <= truth.value <= found.high
    assert 0.92 <= held / 400 <= 0.98


def test_wilson_is_inside_zero_and_one_and_holds_the_share():
    for n in (1, 7, 200):
        for hits in range(n + 1):
            rate = wilson(hits, n)
            assert 0 <= rate.low <= rate.value + 1e-12
            assert rate.value - 1e-12 <= rate.high <= 1
    assert wilson(15, 20).low == pytest.approx(0.5313, abs=1e-4)


def test_perfect_agreement_of_few_texts_is_not_certain():
    found = agreement([("a", "a"), ("b", "b")] * 10)
    assert found.kappa is not None
    assert (found.kappa.value, found.kappa.high) == (1.0, 1.0)
    assert found.kappa.low < 0.8


def test_one_label_for_everything_says_nothing_beyond_chance():
    found = agreement([("a", "a")] * 30)
    assert found.kappa is None
    assert found.raw is not None
    assert found.raw.value == 1.0


def test_too_few_texts_are_their_own_verdict():
    assert agreement([]).raw is None
    assert agreement([("a", "b")] * (MIN_PAIRS - 1)).verdict is Verdict.INSUFFICIENT_DATA
    assert agreement([("a", "b")] * MIN_PAIRS).verdict is None
