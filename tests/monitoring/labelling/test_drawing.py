"""The draw is fixed beforehand, as likely as it says, and its weights undo its preference."""

import doctest
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.labelling import drawing
from monitoring.labelling.drawing import (
    FLOOR,
    LARGEST_SHARE,
    Chance,
    Rates,
    chance,
    is_drawn,
    rate,
    uncertainty,
    weight,
)

KEY = b"a key of the tests"
RATES = st.builds(
    Rates,
    rate=st.floats(0, 1),
    uncertain_share=st.floats(0, LARGEST_SHARE),
    mean_uncertainty=st.floats(0, 1),
)


def ids(n: int, seed: int = 1) -> list[UUID]:
    rng = np.random.default_rng(seed)
    return [UUID(bytes=rng.bytes(16)) for _ in range(n)]


@given(st.floats(allow_nan=True), st.integers(0, 1000))
def test_uncertainty_is_a_share_whatever_the_score(score: float, n_labels: int) -> None:
    assert 0 <= uncertainty(score, n_labels) <= 1


@given(st.floats(0, 1), RATES)
def test_a_probability_is_never_below_the_floor(unsure: float, rates: Rates) -> None:
    drawn = chance(unsure, rates)
    assert FLOOR <= drawn.probability <= 1
    assert 0 <= drawn.kept <= 1
    assert 1000 <= weight(drawn.probability) <= 200_000


def test_who_is_less_sure_is_drawn_more_often() -> None:
    rates = Rates(rate=0.1, uncertain_share=0.5, mean_uncertainty=0.2)
    found = [chance(unsure, rates).probability for unsure in (0.0, 0.1, 0.5, 1.0)]
    assert found == sorted(found)
    even = Rates(rate=0.1, uncertain_share=0.0, mean_uncertainty=0.2)
    assert {chance(unsure, even).probability for unsure in (0.0, 0.5, 1.0)} == {0.1}


def test_a_rate_of_zero_draws_nothing() -> None:
    never = chance(1.0, Rates(rate=0.0, uncertain_share=0.5, mean_uncertainty=0.1))
    assert not any(is_drawn(id, never, key=KEY) for id in ids(1000))


def test_draws_are_as_frequent_as_their_probability() -> None:
    for probability, kept in ((0.3, 1.0), (0.05, 1.0), (0.2, 0.1)):
        n = 20_000
        drawn = sum(is_drawn(id, Chance(probability, kept), key=KEY) for id in ids(n))
        expected = probability * kept
        # Three standard errors: one false failure in 370 seeds, and the seed is fixed.
        assert abs(drawn / n - expected) < 3 * (expected * (1 - expected) / n) ** 0.5


def test_the_draw_is_the_same_again_and_another_with_another_key() -> None:
    half = Chance(0.5, 1.0)
    first = [is_drawn(id, half, key=KEY) for id in ids(200)]
    assert first == [is_drawn(id, half, key=KEY) for id in ids(200)]
    assert first != [is_drawn(id, half, key=b"another") for id in ids(200)]


def test_on_average_as_many_are_drawn_as_were_asked_for() -> None:
    rng = np.random.default_rng(7)
    unsure = rng.beta(0.5, 3, size=4000)
    for per_hour in (20, 2):  # the second is thinned: 4,000 an hour are too many for the floor
        rates = Rates(
            rate=rate(per_hour, len(unsure)),
            uncertain_share=0.5,
            mean_uncertainty=float(unsure.mean()),
        )
        drawn = [chance(float(u), rates) for u in unsure]
        expected = sum(each.probability * each.kept for each in drawn)
        assert expected == pytest.approx(per_hour, rel=0.02)


def test_weights_undo_the_preference_for_uncertain_answers() -> None:
    """Uncertain answers are more often wrong: drawn labels alone make the model look worse."""
    rng = np.random.default_rng(20261121)
    unsure = rng.beta(0.5, 2, size=50_000)
    wrong = rng.random(len(unsure)) < unsure / 2
    rates = Rates(rate=0.05, uncertain_share=0.8, mean_uncertainty=float(unsure.mean()))
    sample = [
        (bool(bad), weight(drawn.probability))
        for id, u, bad in zip(ids(len(unsure)), unsure, wrong, strict=True)
        if is_drawn(id, drawn := chance(float(u), rates), key=KEY)
    ]
    naive = np.mean([bad for bad, _ in sample])
    weighed = sum(bad * w for bad, w in sample) / sum(w for _, w in sample)
    assert naive - wrong.mean() > 0.08
    assert abs(weighed - wrong.mean()) < 0.02


def test_the_examples_hold() -> None:
    result = doctest.testmod(drawing)
    assert result.attempted > 0
    assert result.failed == 0
