import math

import pytest

from monitoring.drift.budget import DAY_S, LARGEST_ALPHA, alpha_for


@pytest.mark.parametrize("every_s", [60.0, 3600.0, DAY_S / 2])
def test_levels_of_all_evaluations_add_up_to_one_false_alarm(every_s: float) -> None:
    n = 90 * DAY_S / every_s
    assert alpha_for(every_s) * n == pytest.approx(1.0)


def test_shares_of_the_budget_add_up() -> None:
    whole = alpha_for(3600)
    assert alpha_for(3600, share=0.7) + alpha_for(3600, share=0.3) == pytest.approx(whole)


def test_a_long_pause_does_not_spend_more_than_the_largest_level() -> None:
    assert alpha_for(365 * DAY_S) == LARGEST_ALPHA


def test_no_time_spends_nothing() -> None:
    assert alpha_for(0.0) == 0.0


@pytest.mark.parametrize(
    ("elapsed_s", "days", "share", "field"),
    [
        (-1.0, 90.0, 1.0, "elapsed_s"),
        (math.nan, 90.0, 1.0, "elapsed_s"),
        (1.0, 0.0, 1.0, "days"),
        (1.0, math.inf, 1.0, "days"),
        (1.0, 90.0, 1.5, "share"),
    ],
)
def test_a_budget_that_is_none_is_refused(
    elapsed_s: float, days: float, share: float, field: str
) -> None:
    with pytest.raises(ValueError, match=field):
        alpha_for(elapsed_s, days=days, share=share)
