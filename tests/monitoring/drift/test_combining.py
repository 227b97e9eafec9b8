import numpy as np
import pytest

from monitoring.drift.combining import cauchy, e_bh, e_value, holm
from tests.monitoring.drift.builders import assert_level, assert_used


def test_cauchy_keeps_its_level_for_equal_and_for_independent_p_values() -> None:
    p = np.random.default_rng(0).random((4000, 3))
    for rows in (p, np.repeat(p[:, :1], 3, axis=1)):
        combined = [cauchy(row) for row in rows.tolist()]
        assert_level(combined, 0.05, times=1.1)
        assert_used(combined, 0.05, least=0.8)


def test_cauchy_follows_a_p_value_that_stands_out() -> None:
    assert cauchy([1e-12, 0.7]) == pytest.approx(2e-12, rel=1e-3)
    assert cauchy([0.0, 1.0]) < 1e-200


def test_cauchy_of_a_certain_null_does_not_drown_evidence() -> None:
    assert cauchy([1e-4, 1.0]) < 3e-4


def test_cauchy_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        cauchy([])


def test_holm_adjusts_in_the_order_given_and_never_above_one() -> None:
    assert holm([0.6, 0.001, 0.02]) == pytest.approx([0.6, 0.003, 0.04])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_never_ranks_a_larger_p_value_below_a_smaller() -> None:
    adjusted = holm([0.01, 0.011, 0.9])
    assert adjusted[0] <= adjusted[1] <= adjusted[2]


def test_e_values_of_uniform_p_values_are_one_on_average() -> None:
    p = np.random.default_rng(1).random(200_000)
    assert np.mean([e_value(x) for x in p.tolist()]) == pytest.approx(1.0, abs=0.02)


def test_e_bh_finds_nothing_among_quiet_e_values() -> None:
    assert e_bh([1.0] * 20, 0.05) == ()
    assert e_bh([], 0.05) == ()


def test_e_bh_accepts_weaker_evidence_beside_strong() -> None:
    assert e_bh([25.0, 0.1], 0.1) == (0,)
    assert e_bh([11.0, 0.1], 0.1) == ()
    assert e_bh([11.0, 25.0], 0.1) == (0, 1)
