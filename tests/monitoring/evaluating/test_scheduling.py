"""When monitors are due, and who may enqueue."""

from datetime import timedelta

import pytest

from monitoring.evaluating import leases
from monitoring.evaluating.budget import OPERATIONAL, SHARES, level, share_of
from monitoring.evaluating.scheduling import SHORTEST_GAP, Timing, is_due
from tests.monitoring.evaluating.builders import NOW


def timing(**changes: object) -> Timing:
    fields = {
        "every_s": 60,
        "every_n": 100,
        "needs_traffic": True,
        "evaluated_at": NOW,
        "n_new": 1,
    }
    return Timing(**(fields | changes))  # type: ignore[arg-type]


def test_a_new_monitor_is_due_at_once() -> None:
    assert is_due(timing(evaluated_at=None, n_new=0), NOW)


def test_time_or_count_makes_it_due_whichever_comes_first() -> None:
    assert not is_due(timing(n_new=99), NOW + timedelta(seconds=59))
    assert is_due(timing(n_new=99), NOW + timedelta(seconds=60))
    assert is_due(timing(n_new=100), NOW + timedelta(seconds=20))


def test_without_new_traffic_there_is_nothing_to_ask() -> None:
    assert not is_due(timing(n_new=0), NOW + timedelta(days=1))
    assert is_due(timing(n_new=0, needs_traffic=False), NOW + timedelta(days=1))


def test_a_flood_does_not_make_it_due_without_end() -> None:
    flooded = timing(n_new=10**6)
    assert not is_due(flooded, NOW + SHORTEST_GAP - timedelta(seconds=1))
    assert is_due(flooded, NOW + SHORTEST_GAP)


def test_who_asks_for_a_few_seconds_gets_them() -> None:
    hurried = timing(every_s=5, n_new=10**6)
    assert not is_due(hurried, NOW + timedelta(seconds=4))
    assert is_due(hurried, NOW + timedelta(seconds=5))


def test_zero_switches_a_clock_off() -> None:
    assert not is_due(timing(every_s=0, n_new=99), NOW + timedelta(days=9))
    assert not is_due(timing(every_n=0, n_new=10**6), NOW + timedelta(seconds=59))


def test_the_statistical_monitors_share_one_budget() -> None:
    assert sum(SHARES.values()) == pytest.approx(1)
    assert share_of("drift", 2) == SHARES["drift"] / 2
    assert share_of("traffic", 1) == OPERATIONAL


@pytest.mark.parametrize("period_s", [60, 3600, 7919])
def test_however_often_one_looks_the_levels_add_up_to_the_share(period_s: int) -> None:
    days = 90.0
    n = int(days * 86_400 / period_s)
    spent = n * level("drift", n_alike=1, elapsed_s=period_s, days=days)
    assert spent == pytest.approx(SHARES["drift"], rel=0.01)


def test_a_clock_that_was_set_back_spends_nothing() -> None:
    assert level("drift", n_alike=1, elapsed_s=-5, days=90) == 0


@pytest.mark.django_db
def test_of_two_only_one_leads_until_its_lease_ends() -> None:
    assert leases.hold("scheduler", "a", NOW)
    assert not leases.hold("scheduler", "b", NOW)
    # It renews: its time counts from the last call.
    assert leases.hold("scheduler", "a", NOW + timedelta(seconds=20))
    assert not leases.hold("scheduler", "b", NOW + timedelta(seconds=40))
    assert leases.hold("scheduler", "b", NOW + timedelta(seconds=50))
    assert not leases.hold("scheduler", "a", NOW + timedelta(seconds=51))


@pytest.mark.django_db
def test_a_lease_given_up_is_free_at_once() -> None:
    assert leases.hold("scheduler", "a", NOW)
    leases.release("scheduler", "b")
    assert not leases.hold("scheduler", "b", NOW)
    leases.release("scheduler", "a")
    assert leases.hold("scheduler", "b", NOW)


@pytest.mark.django_db
def test_leases_of_other_names_are_others() -> None:
    assert leases.hold("scheduler", "a", NOW)
    assert leases.hold("other", "b", NOW)
