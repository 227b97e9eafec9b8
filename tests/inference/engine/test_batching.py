import math
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from inference.engine.batching import choose_batch, choose_group
from inference.engine.limits import EngineLimits

lengths_lists = st.lists(st.integers(1, 600), min_size=1, max_size=256)
limits_of_all_kinds = st.builds(
    EngineLimits,
    max_batch=st.integers(1, 64),
    max_batch_tokens=st.integers(1, 20_000),
    max_padding=st.floats(0, 0.9),
)


def pick(lengths: list[int], **limits: float) -> list[int]:
    """Chosen lengths, head first."""
    chosen = choose_batch(lengths, EngineLimits(**limits))  # type: ignore[arg-type]
    return [lengths[position] for position in chosen]


fixed_costs = st.one_of(st.just(math.inf), st.floats(0, 1e5))


@given(lengths_lists, limits_of_all_kinds, fixed_costs)
def test_a_batch_keeps_to_every_limit(
    lengths: list[int], limits: EngineLimits, fixed_tokens: float
) -> None:
    chosen = choose_batch(lengths, limits, fixed_tokens=fixed_tokens)
    picked = [lengths[position] for position in chosen]
    padded = max(picked) * len(picked)
    assert chosen[0] == 0
    assert len(set(chosen)) == len(chosen) <= limits.max_batch
    assert padded <= limits.max_batch_tokens or chosen == [0]
    assert padded - sum(picked) <= limits.max_padding * padded + 1e-9


@given(lengths_lists, limits_of_all_kinds)
def test_taking_again_and_again_drains_everything(lengths: list[int], limits: EngineLimits) -> None:
    left = list(range(len(lengths)))
    while left:
        chosen = choose_batch([lengths[each] for each in left], limits)
        left = [each for place, each in enumerate(left) if place not in set(chosen)]


@given(lengths_lists, st.integers(1, 64))
def test_without_other_limits_the_nearest_lengths_join(lengths: list[int], max_batch: int) -> None:
    limits = EngineLimits(max_batch=max_batch, max_batch_tokens=10**9, max_padding=0.999)
    chosen = choose_batch(lengths, limits)
    distances = sorted(abs(length - lengths[0]) for length in lengths)
    assert [abs(lengths[each] - lengths[0]) for each in chosen] == distances[:max_batch]


def test_the_head_brings_its_own_neighbourhood() -> None:
    assert pick([50, 10, 11, 52, 9, 48, 300], max_padding=0.15) == [50, 52, 48]
    assert pick([10, 50, 11, 52, 9, 48, 300], max_padding=0.15) == [10, 11, 9]


def test_among_equal_lengths_the_more_urgent_joins() -> None:
    limits = EngineLimits(max_batch=3)
    assert choose_batch([5, 6, 5, 5, 5], limits) == [0, 2, 3]


def test_a_head_over_the_token_budget_runs_alone() -> None:
    assert pick([500, 500, 3], max_batch_tokens=400) == [500]


def test_the_token_budget_counts_padding() -> None:
    assert pick([10, 8, 8, 8], max_batch_tokens=30, max_padding=0.5) == [10, 8, 8]


def test_a_longer_entry_may_not_spoil_the_batch_for_the_shorter_ones() -> None:
    assert pick([10, 10, 10, 10, 14], max_padding=0.15) == [10, 10, 10, 10]


def test_no_padding_allowed_means_equal_lengths_only() -> None:
    assert pick([7, 8, 7, 6, 7], max_padding=0.0) == [7, 7, 7]


def test_where_tokens_are_dear_only_equals_join() -> None:
    limits = EngineLimits(max_padding=0.5)
    assert choose_batch([10, 11, 10, 9], limits, fixed_tokens=0.0) == [0, 2]


def test_where_starting_is_dear_padding_is_worth_it() -> None:
    limits = EngineLimits(max_padding=0.5)
    assert choose_batch([10, 14, 10, 6], limits, fixed_tokens=1000.0) == [0, 2, 1, 3]


@given(lengths_lists, st.floats(0, 1e4))
def test_no_company_costs_a_token_more_than_solitude(
    lengths: list[int], fixed_tokens: float
) -> None:
    chosen = choose_batch(lengths, EngineLimits(), fixed_tokens=fixed_tokens)
    picked = [lengths[position] for position in chosen]
    together = (fixed_tokens + max(picked) * len(picked)) / sum(picked)
    alone = (fixed_tokens + lengths[0]) / lengths[0]
    assert together <= alone * (1 + 1e-9)


@dataclass
class Waiting:
    priority: int
    deadline: float
    waiting_since: float


def test_priority_goes_before_deadline() -> None:
    person, job = Waiting(0, 99.0, 0.0), Waiting(1, 5.0, 0.0)
    assert choose_group([job, person], now=0.5, max_age_s=1.0) is person


def test_within_a_priority_the_earlier_deadline_goes_first() -> None:
    late, early = Waiting(0, 9.0, 0.0), Waiting(0, 8.0, 0.4)
    assert choose_group([late, early], now=0.5, max_age_s=1.0) is early


def test_whoever_was_passed_over_too_long_comes_first() -> None:
    person, job = Waiting(0, 3.0, 1.5), Waiting(1, 99.0, 1.0)
    assert choose_group([person, job], now=1.9, max_age_s=1.0) is person
    assert choose_group([person, job], now=2.0, max_age_s=1.0) is job


@given(st.integers(1, 5), st.integers(1, 20))
def test_a_flood_of_urgent_work_leaves_the_rest_a_batch_in_every_age(
    max_age: int, n_rounds: int
) -> None:
    person, job = Waiting(0, 1.0, 0.0), Waiting(1, 1e9, 0.0)
    turns = []
    for now in range(1, n_rounds * (max_age + 1) + 1):
        group = choose_group([person, job], now=now, max_age_s=max_age)
        group.waiting_since = now
        turns.append(group)
    assert turns.count(job) >= n_rounds
    assert turns.count(person) >= n_rounds * max_age - n_rounds
