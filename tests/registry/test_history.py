from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.history import Change, choose_rollback, live_stack
from registry.specs import EventKind


def promoted(*numbers):
    return [Change(EventKind.PROMOTED, number) for number in numbers]


def back(number):
    return [Change(EventKind.ROLLED_BACK, number)]


@pytest.mark.parametrize(
    ("changes", "live", "expected"),
    [
        ([], 1, None),
        (promoted(1), 1, None),
        (promoted(1, 2), 2, 1),
        (promoted(1, 2, 3) + back(2), 2, 1),
        (promoted(1, 2, 3) + back(2) + back(1), 1, None),
        (promoted(1, 2) + back(1) + promoted(3), 3, 1),
        (promoted(1, 2, 1), 1, 2),
        (promoted(1, 2, 1) + back(2), 2, 1),
    ],
)
def test_rolling_back_walks_back_like_undo(changes, live, expected):
    assert choose_rollback(changes, live=live, is_routable=lambda n: True) == expected


def test_versions_that_cannot_be_routed_are_passed_over():
    changes = promoted(1, 2, 3)
    assert choose_rollback(changes, live=3, is_routable=lambda n: n != 2) == 1
    assert live_stack(changes + back(1)) == [1]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=12))
def test_rolling_back_until_it_ends_visits_every_promotion_once(numbers):
    changes = promoted(*numbers)
    live, n_steps = numbers[-1], 0
    while (target := choose_rollback(changes, live=live, is_routable=lambda n: True)) is not None:
        changes, live, n_steps = changes + back(target), target, n_steps + 1
    distinct_runs = 1 + sum(a != b for a, b in pairwise(numbers))
    assert n_steps == distinct_runs - 1
