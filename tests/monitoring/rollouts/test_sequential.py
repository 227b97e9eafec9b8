"""Betting on two streams: how often it errs, and how soon it sees."""

import numpy as np
import pytest

from monitoring.quality.intervals import proportion
from monitoring.rollouts.sequential import (
    NO_DUEL,
    START,
    Duel,
    Tally,
    mean_e,
    watch,
    watch_alone,
)

ALPHA = 0.05
RUNS = 200


def tally(rng: np.random.Generator, n: int, rate: float) -> Tally:
    return Tally(n, int(rng.binomial(n, rate)))


def first_look_over(
    rng: np.random.Generator, candidate: float, stable: float, *, looks: int, n: int, many: int
) -> int | None:
    """The look at which «worse» crossed 1/ALPHA, in one run."""
    duel = NO_DUEL
    for at in range(1, looks + 1):
        duel = watch(
            duel,
            tally(rng, n, candidate),
            tally(rng, many, stable),
            margin=0.02,
            fine_margin=0.1,
            rng=rng,
        )
        if duel.worse.e_value >= 1 / ALPHA:
            return at
    return None


@pytest.mark.parametrize(("n", "many"), [(10, 10), (10, 95), (60, 7)])
def test_a_candidate_exactly_at_the_margin_is_rarely_called_worse(n: int, many: int) -> None:
    rng = np.random.default_rng(3)
    wrong = sum(
        first_look_over(rng, 0.12, 0.10, looks=60, n=n, many=many) is not None for _ in range(RUNS)
    )
    low, _ = proportion(wrong, RUNS, level=0.99)
    assert float(low) <= ALPHA


def test_two_equal_versions_are_almost_never_called_worse() -> None:
    rng = np.random.default_rng(4)
    runs = [first_look_over(rng, 0.1, 0.1, looks=60, n=20, many=20) for _ in range(RUNS)]
    assert sum(look is not None for look in runs) <= 4


def test_a_clearly_worse_candidate_is_seen_soon() -> None:
    rng = np.random.default_rng(5)
    looks = [first_look_over(rng, 0.3, 0.1, looks=60, n=20, many=180) for _ in range(100)]
    assert all(look is not None for look in looks)
    assert np.median([look for look in looks if look]) <= 8


def test_a_day_that_goes_up_and_down_for_both_does_not_matter() -> None:
    rng = np.random.default_rng(6)
    duel = NO_DUEL
    for at in range(300):
        rate = 0.1 + 0.09 * np.sin(at / 10)
        duel = watch(
            duel,
            tally(rng, 20, rate),
            tally(rng, 60, rate),
            margin=0.02,
            fine_margin=0.1,
            rng=rng,
        )
    assert duel.worse.e_value < 20
    assert duel.fine.e_value > 20


def test_what_has_no_counterpart_is_not_bet_on() -> None:
    rng = np.random.default_rng(7)
    for candidate, stable in ((Tally(5, 5), Tally()), (Tally(), Tally(5, 0))):
        assert watch(NO_DUEL, candidate, stable, margin=0.02, fine_margin=0.1, rng=rng) == NO_DUEL


def test_wealth_starts_at_one_and_stays_a_number() -> None:
    rng = np.random.default_rng(8)
    duel = Duel()
    assert duel.worse.e_value == pytest.approx(1)
    for _ in range(200):
        duel = watch(duel, Tally(500, 500), Tally(500, 0), margin=0.02, fine_margin=0.1, rng=rng)
    assert np.isfinite(duel.worse.e_value)
    assert 0 <= duel.fine.e_value < 1e-6


def test_a_stream_without_counterpart_is_held_to_its_limit() -> None:
    rng = np.random.default_rng(9)
    wrong = 0
    for _ in range(RUNS):
        wealth = START
        for _ in range(50):
            wealth = watch_alone(wealth, tally(rng, 20, 0.2), limit=0.2)
            if wealth.e_value >= 1 / ALPHA:
                wrong += 1
                break
    low, _ = proportion(wrong, RUNS, level=0.99)
    assert float(low) <= ALPHA
    assert watch_alone(START, Tally(400, 200), limit=0.2).e_value > 1 / ALPHA


def test_a_tally_that_was_corrected_downwards_gives_nothing() -> None:
    assert Tally(10, 2).since(Tally(12, 3)) == Tally(0, 0)
    assert Tally(12, 3).since(Tally(10, 2)) == Tally(2, 1)
    assert Tally(12, 1).since(Tally(10, 2)) == Tally(2, 0)


def test_the_mean_of_no_evidence_is_no_evidence() -> None:
    assert mean_e([]) == 1.0
    assert mean_e([1.0, 3.0]) == 2.0
