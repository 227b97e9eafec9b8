from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.raw import PATIENCE, Shared, in_turn, layouts, on_fresh_thread, sorted_batches


class Clock:
    """Each look takes `step_s`."""

    def __init__(self, step_s: float) -> None:
        self.now, self.step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now += self.step_s
        return self.now


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60), st.integers(1, 16), st.integers())
def test_batches_hold_every_text_once_with_its_like(
    lengths: list[int], size: int, seed: int
) -> None:
    batches = sorted_batches(lengths, size, seed)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    ordered = sorted([lengths[place] for place in batch] for batch in batches)
    assert [length for batch in ordered for length in batch] == sorted(lengths)
    assert max(map(len, batches)) <= size


def test_batches_come_in_the_seeds_order() -> None:
    assert sorted_batches(range(100), 4, 1) == sorted_batches(range(100), 4, 1)
    assert sorted_batches(range(100), 4, 1) != sorted_batches(range(100), 4, 2)


def test_every_item_has_its_share_however_short_the_time() -> None:
    assert list(in_turn("abc", 1.5, Clock(0.5))) == list("abc")
    items = list(in_turn("abc", 10, Clock(1.1)))
    assert len(items) % 3 == 0
    assert len(items) > 3


def test_patience_with_a_pass_ends() -> None:
    assert len(list(in_turn(range(1000), 1, Clock(1)))) == PATIENCE


def test_shared_items_reach_one_taker_each() -> None:
    def source() -> Iterator[int]:
        yield from range(4)

    shared = Shared(source())
    assert [next(shared), *shared] == [0, 1, 2, 3]
    assert list(shared) == []


def test_a_lane_alone_has_all_cores_and_all_lanes_share_them() -> None:
    alone, single, together = layouts(n_lanes=2, n_cores=2)
    assert (alone.n_lanes, alone.n_threads) == (1, 2)
    assert (single.n_lanes, single.n_threads) == (1, 1)
    assert (together.n_lanes, together.n_threads) == (2, 1)


def test_work_on_a_fresh_thread_returns() -> None:
    assert on_fresh_thread(lambda: 3) == 3
