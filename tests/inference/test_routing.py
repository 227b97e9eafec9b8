"""Buckets and shares: sticky, even, and monotone when a canary grows."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.routing import BUCKETS, bucket, choose


@dataclass(frozen=True)
class Share:
    name: str
    weight: int


weights = st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any)
places = st.integers(0, BUCKETS - 1)
percents = st.integers(1, 98)


def shares(*weights: int) -> list[Share]:
    return [Share(name, weight) for name, weight in zip("SABC", weights, strict=False)]


def chosen(weights: tuple[int, ...]) -> list[str]:
    routes = shares(*weights)
    return [choose(routes, place).name for place in range(0, BUCKETS, 7)]


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_key_always_falls_into_the_same_place(key, salt):
    assert bucket(key, salt) == bucket(key, salt)
    assert 0 <= bucket(key, salt) < BUCKETS


def test_places_do_not_change_between_releases():
    assert [bucket(f"key-{n}", "salt") for n in range(4)] == PLACES


PLACES = [3754, 8729, 4300, 4672]


def test_keys_spread_evenly():
    counts = [0] * 10
    for n in range(10_000):
        counts[bucket(f"key-{n}", "salt") * 10 // BUCKETS] += 1
    # Chi-squared with 9 degrees of freedom: 27.9 is its 0.999 quantile.
    assert sum((count - 1000) ** 2 / 1000 for count in counts) < 27.9


def test_another_salt_spreads_the_same_keys_differently():
    keys = [f"key-{n}" for n in range(200)]
    same = sum((bucket(key, "x") < 5000) == (bucket(key, "y") < 5000) for key in keys)
    assert 60 < same < 140


@given(weights, places)
def test_a_route_without_weight_is_never_chosen(weights, place):
    routes = [Share(str(n), weight) for n, weight in enumerate(weights)]
    assert choose(routes, place).weight > 0


def test_each_percent_is_exactly_a_hundred_places():
    for canary in range(1, 100):
        routes = shares(100 - canary, canary)
        names = [choose(routes, place).name for place in range(BUCKETS)]
        assert names.count("A") == canary * 100


@given(percents, percents, places)
def test_a_growing_canary_takes_callers_from_stable_and_gives_none_back(one, other, place):
    small, large = sorted((one, other))
    before = choose(shares(100 - small, small), place).name
    after = choose(shares(100 - large, large), place).name
    assert (before, after) in {("S", "S"), ("S", "A"), ("A", "A")}


triples = st.tuples(st.integers(1, 60), st.integers(1, 19), st.integers(1, 19)).map(
    lambda w: (100 - w[1] - w[2], w[1], w[2])
)


@given(triples, triples, places)
def test_nobody_returns_to_stable_while_its_weight_only_falls(one, other, place):
    before, after = sorted((one, other), reverse=True)
    if choose(shares(*before), place).name != "S":
        assert choose(shares(*after), place).name != "S"


@given(triples, st.integers(0, 50), places)
def test_the_first_canary_grows_from_stable_alone_and_moves_nobody_else(weights, more, place):
    stable, first, second = weights
    more = min(more, stable - 1)
    before = choose(shares(stable, first, second), place).name
    after = choose(shares(stable - more, first + more, second), place).name
    assert before == after or (before, after) == ("S", "A")


def test_a_later_canary_that_grows_pushes_callers_from_one_canary_to_the_next():
    moved = set(zip(chosen((80, 10, 10)), chosen((70, 10, 20)), strict=True))
    assert moved == {("S", "S"), ("S", "A"), ("A", "B"), ("B", "B")}


def test_routes_without_any_weight_are_refused():
    with pytest.raises(ValueError, match="weight"):
        choose([Share("a", 0)], 5000)
