"""Which sets of routes can be, and how one becomes the next."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.errors import InvalidRoutes
from registry.routes import (
    MAX_LIVE,
    MAX_SHADOWS,
    WantedRoute,
    check_routes,
    live_of,
    with_canary,
    with_live_alone,
    with_shadow,
    without,
)
from registry.specs import RouteMode

LIVE, SHADOW = RouteMode.LIVE, RouteMode.SHADOW
STABLE = (WantedRoute(1),)

routes = st.lists(
    st.builds(
        WantedRoute,
        version=st.integers(-1, 5),
        mode=st.sampled_from(RouteMode),
        weight=st.integers(-1, 101),
    ),
    max_size=8,
)


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        ([], "routes"),
        ([WantedRoute(1, SHADOW, 100)], "routes"),
        ([WantedRoute(1, LIVE, 99)], "routes"),
        ([WantedRoute(1, LIVE, 60), WantedRoute(2, LIVE, 41)], "routes"),
        ([WantedRoute(1), WantedRoute(1, SHADOW, 5)], "routes"),
        ([WantedRoute(1), WantedRoute(2, SHADOW, 0)], "routes[1].weight"),
        ([WantedRoute(1), WantedRoute(2, SHADOW, 101)], "routes[1].weight"),
        ([WantedRoute(1), WantedRoute(2, LIVE, 0)], "routes[1].weight"),
        ([WantedRoute(0)], "routes[0].version"),
        ([WantedRoute(2**31)], "routes[0].version"),
        ([WantedRoute(n, LIVE, 20) for n in range(1, 6)], "routes"),
        ([WantedRoute(1), *(WantedRoute(n, SHADOW, 1) for n in (2, 3, 4))], "routes"),
    ],
)
def test_a_set_that_cannot_be_is_refused_and_the_place_is_named(wanted, field):
    with pytest.raises(InvalidRoutes) as caught:
        check_routes(wanted)
    assert caught.value.details["field"] == field


@given(routes)
def test_what_passes_can_be_served(wanted):
    try:
        checked = check_routes(wanted)
    except InvalidRoutes:
        return
    assert sorted(checked, key=str) == sorted(wanted, key=str)
    assert 1 <= len(live_of(checked)) <= MAX_LIVE
    assert len(checked) - len(live_of(checked)) <= MAX_SHADOWS
    assert sum(route.weight for route in live_of(checked)) == 100
    assert len({route.version for route in checked}) == len(checked)
    assert checked[0].mode is LIVE


@given(routes, st.integers(1, 5), st.integers(1, 100))
def test_each_act_leads_from_a_sound_set_to_a_sound_one(wanted, number, percent):
    try:
        checked = check_routes(wanted)
    except InvalidRoutes:
        checked = STABLE
    for act in (with_canary, with_shadow):
        try:
            done = act(checked, number, percent)
        except InvalidRoutes:
            continue
        assert check_routes(done) == done
        assert done[0].version == checked[0].version
        assert next(r.weight for r in done if r.version == number) == percent
    assert check_routes(with_live_alone(checked, number))[0] == WantedRoute(number)


def test_a_canary_takes_from_the_stable_version_and_gives_back_to_it():
    first = with_canary(STABLE, 2, 5)
    assert first == (WantedRoute(1, LIVE, 95), WantedRoute(2, LIVE, 5))
    assert with_canary(first, 2, 30)[0].weight == 70
    assert without(with_canary(first, 3, 10), 2) == (
        WantedRoute(1, LIVE, 90),
        WantedRoute(3, LIVE, 10),
    )


def test_a_growing_canary_keeps_its_place_among_others():
    routes = with_canary(with_canary(STABLE, 2, 5), 3, 5)
    assert [route.version for route in with_canary(routes, 2, 20)] == [1, 2, 3]


def test_a_version_is_a_canary_or_a_shadow_and_not_both():
    assert with_canary(with_shadow(STABLE, 2, 10), 2, 5) == with_canary(STABLE, 2, 5)
    assert with_shadow(with_canary(STABLE, 2, 5), 2, 10) == (*STABLE, WantedRoute(2, SHADOW, 10))


def test_letting_one_version_answer_ends_canaries_and_leaves_shadows():
    routes = with_shadow(with_canary(STABLE, 2, 5), 3, 10)
    assert with_live_alone(routes, 2) == (WantedRoute(2), WantedRoute(3, SHADOW, 10))
    assert with_live_alone(routes, 3) == (WantedRoute(3),)


@pytest.mark.parametrize(
    "act",
    [
        lambda: with_canary((), 1, 5),
        lambda: with_canary(STABLE, 1, 5),
        lambda: with_canary(STABLE, 2, 100),
        lambda: with_shadow(STABLE, 1, 5),
        lambda: without(STABLE, 1),
        lambda: without(STABLE, 2),
    ],
)
def test_an_act_that_makes_no_sense_is_refused(act):
    with pytest.raises(InvalidRoutes):
        act()
