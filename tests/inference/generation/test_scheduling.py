"""Who starts, and where: by room, padding and order, never overtaking."""

import pytest

from inference.generation.limits import GenerationLimits
from inference.generation.scheduling import Load, Size, choose_host, choose_newcomers, load_of

LIMITS = GenerationLimits(
    max_rows=4, max_cohorts=2, max_cached_tokens=400, max_padding=0.5, max_prefill_tokens=60
)


def newcomers(waiting: list[Size], cohorts: list[Load], *, can_merge: bool = True) -> int:
    return choose_newcomers(waiting, cohorts, LIMITS, can_merge=can_merge)


def test_an_empty_generator_starts_what_shares_a_pass_well() -> None:
    assert newcomers([Size(10, 20), Size(12, 20), Size(11, 30)], []) == 3


def test_rows_are_bounded() -> None:
    assert newcomers([Size(5, 10)] * 9, []) == 4
    assert newcomers([Size(5, 10)] * 9, [load_of([Size(5, 10)] * 3)]) == 1


def test_a_first_pass_is_bounded_but_never_too_small_for_one() -> None:
    assert newcomers([Size(25, 30)] * 4, []) == 2
    assert newcomers([Size(300, 390)], []) == 1


def test_padding_keeps_unequal_prompts_apart() -> None:
    assert newcomers([Size(2, 10), Size(20, 30)], []) == 2
    assert newcomers([Size(1, 10), Size(1, 10), Size(50, 60)], []) == 2


def test_what_caches_may_come_to_hold_is_reserved() -> None:
    running = [load_of([Size(50, 100)] * 3)]
    assert newcomers([Size(50, 100)], running) == 1
    assert newcomers([Size(50, 101)], running) == 0


def test_nobody_overtakes_who_does_not_fit() -> None:
    running = [load_of([Size(50, 100)] * 3)]
    assert newcomers([Size(60, 200), Size(1, 2)], running) == 0


def test_an_empty_generator_starts_even_what_exceeds_all_room() -> None:
    assert newcomers([Size(500, 600)], []) == 1


def test_cohorts_that_cannot_take_anybody_in_are_bounded() -> None:
    running = [load_of([Size(5, 10)])]
    assert newcomers([Size(5, 10)], running, can_merge=False) == 1
    assert newcomers([Size(5, 10)], running * 2, can_merge=False) == 0
    assert newcomers([Size(5, 10)], running * 2, can_merge=True) == 1


def test_what_is_paused_takes_room_but_no_turn() -> None:
    paused = [load_of([Size(5, 10)])] * 3
    one = [Size(5, 10)]
    assert choose_newcomers(one * 2, [], LIMITS, can_merge=False, paused=paused) == 1


def test_the_host_is_the_cohort_that_wastes_least() -> None:
    short, long = load_of([Size(10, 20)]), load_of([Size(40, 50)])
    assert choose_host(load_of([Size(12, 20)]), [long, short], LIMITS) == 1
    assert choose_host(load_of([Size(35, 45)]), [long, short], LIMITS) == 0
    assert choose_host(load_of([Size(1, 200), Size(1, 200)]), [long], LIMITS) is None


def test_a_load_knows_its_padding() -> None:
    assert load_of([Size(10, 20), Size(5, 30)]) == Load(2, 15, 10, 30)
    assert load_of([Size(10, 20), Size(5, 30)]).padding == pytest.approx(0.25)
    assert load_of([]).padding == 0


@pytest.mark.parametrize("field", ["max_rows", "max_queue", "max_stall_s", "max_padding"])
def test_limits_refuse_what_cannot_hold(field: str) -> None:
    with pytest.raises(ValueError, match=field):
        GenerationLimits(**{field: -1})
