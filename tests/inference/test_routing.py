import math
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.routing import bucket, choose


@dataclass(frozen=True)
class Share:
    name: str
    weight: int


weights = st.lists(st.integers(0, 100), min_size=1, max_size=5).filter(any)


@given(st.text(max_size=20), st.text(min_size=1, max_size=20))
def test_a_key_always_falls_into_the_same_place(key, salt):
    assert bucket(key, salt) == bucket(key, salt)
    assert 0 <= bucket(key, salt) < 1


def test_another_model_spreads_the_same_keys_differently():
    keys = [f"key-{n}" for n in range(200)]
    same = sum((bucket(key, "a/x") < 0.5) == (bucket(key, "b/y") < 0.5) for key in keys)
    assert 60 < same < 140


@given(weights, st.floats(0, 1, exclude_max=True))
def test_a_route_without_weight_is_never_chosen(shares, place):
    routes = [Share(str(n), weight) for n, weight in enumerate(shares)]
    assert choose(routes, place).weight > 0


@given(weights)
def test_each_route_gets_its_share(shares):
    routes = [Share(str(n), weight) for n, weight in enumerate(shares)]
    places = [(n + 0.5) / 1000 for n in range(1000)]
    chosen = [choose(routes, place).name for place in places]
    for route in routes:
        assert math.isclose(
            chosen.count(route.name) / 1000, route.weight / sum(shares), abs_tol=0.002
        )


def test_a_growing_canary_takes_keys_and_gives_none_back():
    before = [Share("canary", 10), Share("stable", 90)]
    after = [Share("canary", 30), Share("stable", 70)]
    for n in range(500):
        place = bucket(f"key-{n}", "team/model")
        if choose(before, place).name == "canary":
            assert choose(after, place).name == "canary"


def test_routes_without_any_weight_are_refused():
    with pytest.raises(ValueError, match="weight"):
        choose([Share("a", 0)], 0.5)
