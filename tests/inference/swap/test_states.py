"""A version goes from step to step, never around one."""

import json

import pytest

from inference.swap.states import NEXT, IllegalStep, SwapState, Track
from tests.inference.doubles import a_spec

WAY = ("verified", "staged", "loading", "smoke", "warming", "ready", "active", "draining")


def a_track(*steps: str) -> Track:
    times = iter(range(100))
    track = Track(a_spec(1), lambda: float(next(times)))
    for step in steps:
        track.move(SwapState(step))
    return track


def test_the_whole_way_can_be_gone_and_gone_again():
    track = a_track(*WAY, "standby", "active", "draining", "standby", "unloaded", "registered")
    assert track.state is SwapState.REGISTERED
    assert list(track.times) == ["registered"]


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ((), "loading"),
        (WAY[:3], "active"),
        (WAY[:5], "ready_"),
        (WAY[:7], "standby"),
        (WAY[:7], "unloaded"),
        ((*WAY, "standby"), "ready"),
    ],
)
def test_no_step_can_be_left_out(steps, wrong):
    wrong = "active" if wrong == "ready_" else wrong
    with pytest.raises(IllegalStep):
        a_track(*steps).move(SwapState(wrong))


@pytest.mark.parametrize("n_steps", range(6))
def test_a_version_can_fail_at_any_step_before_it_is_ready(n_steps):
    track = a_track(*WAY[:n_steps])
    track.fail("load_failed", "no room")
    assert (track.state, track.reason) == (SwapState.FAILED, "load_failed: no room")
    track.move(SwapState.REGISTERED)
    assert track.reason == ""


def test_what_serves_cannot_fail_any_more():
    for n_steps in (6, 7, 8):
        with pytest.raises(IllegalStep):
            a_track(*WAY[:n_steps]).fail("late", "too late")


def test_every_state_has_a_way_in_and_a_way_on():
    assert set(NEXT) == set(SwapState)
    assert all(NEXT.values())
    assert set().union(*NEXT.values()) == set(SwapState)


def test_facts_are_plain_json_with_times_and_evidence():
    track = a_track("verified")
    track.note(estimated_bytes=5)
    track.move(SwapState.STAGED, more=1.5)
    facts = json.loads(json.dumps(track.facts()))
    assert facts["state"] == "staged"
    assert facts["reason"] is None
    assert facts["evidence"] == {"estimated_bytes": 5, "more": 1.5}
    assert list(facts["times"]) == ["registered", "verified", "staged"]
