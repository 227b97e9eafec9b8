"""Windows become at most two hundred whole steps, the shortest that do."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitoring.timelines.steps import (
    LADDER,
    MOST_STEPS,
    UNDER_A_MINUTE,
    Steps,
    choose_steps,
    choose_whole_minutes,
    cover,
)
from monitoring.windows import Grain, Window

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@pytest.mark.parametrize(
    ("length", "step_s"),
    [
        pytest.param(10 * MINUTE, 5, id="10-min"),
        pytest.param(16 * MINUTE, 5, id="16-min"),
        pytest.param(17 * MINUTE, 15, id="17-min"),
        pytest.param(30 * MINUTE, 15, id="30-min"),
        pytest.param(31 * MINUTE, 60, id="31-min"),
        pytest.param(200 * MINUTE, 60, id="200-min"),
        pytest.param(201 * MINUTE, 300, id="201-min"),
        pytest.param(DAY, 900, id="1-d"),
        pytest.param(7 * DAY, 3600, id="7-d"),
        pytest.param(30 * DAY, 6 * 3600, id="30-d"),
        pytest.param(90 * DAY, 12 * 3600, id="90-d"),
        pytest.param(200 * DAY, 86_400, id="200-d"),
        pytest.param(365 * DAY, 2 * 86_400, id="1-y"),
        pytest.param(5 * 366 * DAY, 14 * 86_400, id="5-y"),
    ],
)
def test_the_ladder_grows_with_the_window(length: timedelta, step_s: int) -> None:
    midnight = NOON.replace(hour=0)
    assert choose_steps(Window(midnight - length, midnight)).step_s == step_s


@given(
    start=st.integers(0, 10**7).map(lambda minutes: NOON - minutes * MINUTE),
    length=st.integers(1, 5 * 366 * 1440).map(lambda minutes: minutes * MINUTE),
)
def test_whole_steps_cover_the_window_and_a_shorter_step_would_not_do(
    start: datetime, length: timedelta
) -> None:
    window = Window(start, start + length)
    steps = choose_steps(window)
    assert steps.n <= MOST_STEPS
    assert steps.start_s % steps.step_s == 0
    assert steps.window.start <= window.start < steps.window.start + steps.step_s * MINUTE / 60
    assert steps.window.end - steps.step_s * MINUTE / 60 < window.end <= steps.window.end
    allowed = (*UNDER_A_MINUTE, *LADDER) if length <= 30 * MINUTE else LADDER
    shorter = [step for step in allowed if step < steps.step_s]
    if shorter:
        touched = -(-int(window.end.timestamp()) // shorter[-1])
        touched -= int(window.start.timestamp()) // shorter[-1]
        assert touched > MOST_STEPS


@given(
    start=st.integers(0, 10**6).map(lambda minutes: NOON - minutes * MINUTE),
    length=st.integers(1, 500 * 1440).map(lambda minutes: minutes * MINUTE),
    second=st.floats(0, 0.999999),
)
def test_every_time_of_the_window_has_one_step(
    start: datetime, length: timedelta, second: float
) -> None:
    steps = choose_steps(Window(start, start + length))
    at = start + second * length
    place = steps.place(at)
    assert 0 <= place < steps.n
    assert 0 <= at.timestamp() - steps.times[place] < steps.step_s + 1e-6


def test_steps_are_made_of_the_longest_buckets_that_fit() -> None:
    grains = {step: Steps(0, step, 1).grain for step in LADDER}
    assert {step for step, grain in grains.items() if grain is Grain.MINUTE} == {60, 300, 900}
    assert grains[3600] is grains[12 * 3600] is Grain.HOUR
    assert grains[86_400] is grains[30 * 86_400] is Grain.DAY


def test_a_stretch_that_is_longer_than_a_step_spans_all_that_it_touches() -> None:
    steps = choose_whole_minutes(Window(NOON, NOON + HOUR))
    assert steps.span(NOON + 5 * MINUTE, NOON + 10 * MINUTE) == slice(5, 10)
    assert steps.span(NOON - HOUR, NOON + MINUTE) == slice(0, 1)
    assert steps.span(NOON - HOUR, NOON) == slice(0, 0)


def test_steps_that_have_not_begun_are_the_future() -> None:
    steps = choose_whole_minutes(Window(NOON, NOON + HOUR))
    assert steps.n_begun(NOON + 90 * MINUTE) == 60
    assert steps.n_begun(NOON + 10 * MINUTE) == 11
    assert steps.n_begun(NOON - MINUTE) == 0


@given(st.integers(1, 10**6), st.integers(1, 500))
def test_stretches_cover_a_window_in_at_most_so_many(minutes: int, n: int) -> None:
    window = Window(NOON, NOON + minutes * MINUTE)
    stretches = cover(window, n=n)
    assert stretches.n <= n
    assert stretches.window.end >= window.end
