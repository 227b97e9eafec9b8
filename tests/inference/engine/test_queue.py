import asyncio
import gc
import random
import threading
import weakref
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.entries import Batch, Entry
from inference.engine.limits import EngineLimits, Priority
from inference.engine.queue import MIN_RETRY_S, Queue, Taken
from inference.errors import QueueFull, ShuttingDown, TextTooLong, TooManyInputs
from inference.runtimes.fake import FakeRunner
from tests.inference.engine.helpers import PATIENCE_S, FakeClock, encode, make_entries

INTERACTIVE, JOB = Priority.INTERACTIVE, Priority.JOB


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Owns the futures; never runs."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def take(queue: Queue) -> Taken:
    taken = queue.take()
    assert taken is not None
    return taken


def take_batch(queue: Queue) -> Batch:
    batch = take(queue).batch
    assert batch is not None
    return batch


def run_one(queue: Queue, clock: FakeClock, seconds: float) -> Batch:
    """Take a batch and finish it after `seconds`."""
    batch = take_batch(queue)
    clock.now += seconds
    queue.finish(batch, seconds=seconds)
    return batch


def test_entries_over_the_bound_are_refused_all_or_none(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue = Queue(EngineLimits(max_queue=5), clock)
    queue.put(FakeRunner(), INTERACTIVE, make_entries(loop, encode(3, 3, 3)))
    with pytest.raises(QueueFull) as refusal:
        queue.put(FakeRunner(), INTERACTIVE, make_entries(loop, encode(3, 3, 3)))
    assert refusal.value.retry_after_s == MIN_RETRY_S
    assert (queue.n_queued, queue.n_tokens) == (3, 9)


def test_tokens_over_the_bound_are_refused(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue = Queue(EngineLimits(max_queue_tokens=100), clock)
    queue.put(FakeRunner(), INTERACTIVE, make_entries(loop, encode(60)))
    with pytest.raises(QueueFull):
        queue.put(FakeRunner(), INTERACTIVE, make_entries(loop, encode(41)))
    queue.put(FakeRunner(), INTERACTIVE, make_entries(loop, encode(40)))


@pytest.mark.parametrize(
    ("lengths", "error"),
    [((1,) * 6, TooManyInputs), ((60, 60), TooManyInputs), ((101,), TextTooLong)],
)
def test_what_no_waiting_can_make_fit_is_the_callers_error(
    loop: asyncio.AbstractEventLoop,
    clock: FakeClock,
    lengths: tuple[int, ...],
    error: type[Exception],
) -> None:
    queue = Queue(EngineLimits(max_queue=5, max_queue_tokens=100), clock)
    with pytest.raises(error):
        queue.put(FakeRunner(), INTERACTIVE, make_entries(loop, encode(*lengths)))


def test_jobs_leave_room_for_people(loop: asyncio.AbstractEventLoop, clock: FakeClock) -> None:
    queue, runner = Queue(EngineLimits(max_queue=4), clock), FakeRunner()
    queue.put(runner, JOB, make_entries(loop, encode(3, 3)))
    with pytest.raises(QueueFull):
        queue.put(runner, JOB, make_entries(loop, encode(3)))
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(3, 3)))


def test_a_wait_longer_than_the_deadline_is_refused_at_once(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(max_batch=1), clock), FakeRunner()
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(10)))
    run_one(queue, clock, 2.0)
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(10, 10, 10, 10)))
    take_batch(queue)
    clock.now += 0.5
    assert queue.estimate_wait_s(INTERACTIVE) == pytest.approx(1.5 + 3 * 2)
    with pytest.raises(QueueFull) as refusal:
        queue.put(
            runner,
            INTERACTIVE,
            make_entries(loop, encode(10), queued_at=clock.now, deadline=clock.now + 7),
        )
    assert refusal.value.retry_after_s == pytest.approx(7.5)
    queue.put(
        runner,
        INTERACTIVE,
        make_entries(loop, encode(10), queued_at=clock.now, deadline=clock.now + 8),
    )


def test_a_full_queue_says_when_there_will_be_room(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(max_batch=1, max_queue=4), clock), FakeRunner()
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(10)))
    run_one(queue, clock, 2.0)
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(10, 10, 10, 10)))
    with pytest.raises(QueueFull) as refusal:
        queue.put(runner, INTERACTIVE, make_entries(loop, encode(10)))
    assert refusal.value.retry_after_s == pytest.approx(2.0)


def test_a_monstrous_first_batch_does_not_shut_the_door_for_ever(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(), clock), FakeRunner()
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(10)))
    run_one(queue, clock, 1000.0)
    queue.put(
        runner,
        INTERACTIVE,
        make_entries(loop, encode(10), queued_at=clock.now, deadline=clock.now + 1),
    )


def test_waiting_jobs_do_not_count_against_a_person(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(max_batch=1), clock), FakeRunner()
    queue.put(runner, JOB, make_entries(loop, encode(10)))
    run_one(queue, clock, 1.0)
    queue.put(runner, JOB, make_entries(loop, encode(10, 10, 10)))
    assert queue.estimate_wait_s(INTERACTIVE) == 0.0
    assert queue.estimate_wait_s(JOB) == pytest.approx(3.0)


def test_two_lanes_halve_the_wait(loop: asyncio.AbstractEventLoop, clock: FakeClock) -> None:
    queue, runner = Queue(EngineLimits(max_batch=1, n_lanes=2), clock), FakeRunner()
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(10)))
    run_one(queue, clock, 1.0)
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(10, 10)))
    assert queue.estimate_wait_s(INTERACTIVE) == pytest.approx(1.0)


def test_people_go_before_jobs_and_earlier_deadlines_before_later(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(max_batch=1), clock), FakeRunner()
    expected = {}
    for name, priority, deadline in [
        ("third", JOB, 5.0),
        ("second", INTERACTIVE, 9.0),
        ("first", INTERACTIVE, 8.0),
    ]:
        entries = make_entries(loop, encode(4), deadline=deadline)
        queue.put(runner, priority, entries)
        expected[name] = entries
    order = [take_batch(queue).entries for _ in range(3)]
    assert order == [expected["first"], expected["second"], expected["third"]]


def test_a_job_passed_over_for_too_long_gets_its_batch(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(max_batch=1, max_age_s=1.0), clock), FakeRunner()
    job = make_entries(loop, encode(4, 4))
    queue.put(runner, JOB, job)
    taken = []
    for _ in range(10):
        queue.put(runner, INTERACTIVE, make_entries(loop, encode(4)))
        clock.now += 0.25
        taken += take_batch(queue).entries
    assert [place for place, entry in enumerate(taken) if entry in job] == [3, 7]


def test_runners_and_priorities_never_share_a_batch(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, old, new = Queue(EngineLimits(), clock), FakeRunner(), FakeRunner()
    for runner, priority in [(old, INTERACTIVE), (new, INTERACTIVE), (old, JOB)]:
        queue.put(runner, priority, make_entries(loop, encode(4, 4)))
    batches = [take_batch(queue) for _ in range(3)]
    assert [batch.runner for batch in batches] == [old, new, old]
    assert [len(batch.entries) for batch in batches] == [2, 2, 2]


requests = st.tuples(
    st.integers(0, 2),
    st.sampled_from(list(Priority)),
    st.floats(1, 100),
    st.lists(st.integers(1, 50), min_size=1, max_size=12),
)


@given(st.lists(requests, min_size=1, max_size=30), st.integers(1, 16), st.integers(1, 400))
def test_whatever_goes_in_comes_out_once_within_the_limits(
    wanted: list[tuple[int, Priority, float, list[int]]], max_batch: int, max_batch_tokens: int
) -> None:
    loop = asyncio.new_event_loop()
    limits = EngineLimits(max_batch=max_batch, max_batch_tokens=max_batch_tokens)
    queue, runners = Queue(limits, FakeClock()), [FakeRunner() for _ in range(3)]
    owner: dict[Entry, tuple[FakeRunner, Priority]] = {}
    for which, priority, deadline, lengths in wanted:
        entries = make_entries(loop, encode(*lengths), deadline=deadline)
        queue.put(runners[which], priority, entries)
        owner |= dict.fromkeys(entries, (runners[which], priority))
    taken = []
    while queue.n_queued:
        batch = take_batch(queue)
        assert {owner[entry][0] for entry in batch.entries} == {batch.runner}
        assert len({owner[entry] for entry in batch.entries}) == 1
        assert len(batch.entries) <= max_batch
        assert batch.padded_tokens <= max_batch_tokens or len(batch.entries) == 1
        taken += batch.entries
    assert sorted(map(id, taken)) == sorted(map(id, owner))
    assert queue.n_tokens == 0
    loop.close()


def test_a_head_never_has_a_later_deadline_than_what_it_leaves_behind(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(max_batch=4), clock), FakeRunner()
    chance = random.Random(3)
    for _ in range(40):
        entries = make_entries(loop, encode(chance.randint(1, 90)), deadline=chance.uniform(1, 9))
        queue.put(runner, INTERACTIVE, entries)
    heads = []
    while queue.n_queued:
        heads.append(take_batch(queue).entries[0].submission.deadline)
    assert all(earlier <= later for earlier, later in pairwise(heads))


def test_an_expired_entry_is_dropped_not_batched(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(), clock), FakeRunner()
    late = make_entries(loop, encode(4, 4), deadline=1.0)
    good = make_entries(loop, encode(4), deadline=9.0)
    queue.put(runner, INTERACTIVE, late)
    queue.put(runner, INTERACTIVE, good)
    clock.now = 1.0
    taken = take(queue)
    assert taken.dropped == late
    assert taken.batch is not None
    assert taken.batch.entries == good
    assert (queue.n_queued, queue.n_tokens) == (0, 0)


def test_an_entry_whose_caller_has_gone_is_dropped_even_before_it_is_discarded(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(), clock), FakeRunner()
    gone = make_entries(loop, encode(4, 4))
    queue.put(runner, INTERACTIVE, gone)
    gone[0].submission.future.cancel()
    taken = take(queue)
    assert taken == Taken(None, gone)
    assert queue.is_drained()
    assert queue.discard(runner, INTERACTIVE, gone) == 0


def test_more_dead_entries_than_candidates_hide_nobody(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(), clock), FakeRunner()
    gone = make_entries(loop, encode(*[2] * 600), deadline=5.0)
    queue.put(runner, INTERACTIVE, gone)
    last = make_entries(loop, encode(2), deadline=6.0)
    queue.put(runner, INTERACTIVE, last)
    gone[0].submission.future.cancel()
    taken = take(queue)
    assert len(taken.dropped) == 600
    assert taken.batch is not None
    assert taken.batch.entries == last


def test_discarding_removes_one_submission_and_no_other(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(max_batch=2), clock), FakeRunner()
    first, second = make_entries(loop, encode(4, 4, 4)), make_entries(loop, encode(4, 4))
    queue.put(runner, INTERACTIVE, first)
    queue.put(runner, INTERACTIVE, second)
    take_batch(queue)
    assert queue.discard(runner, INTERACTIVE, first) == 1
    assert queue.discard(runner, INTERACTIVE, first) == 0
    assert (queue.n_queued, queue.n_tokens) == (2, 8)
    assert take_batch(queue).entries == second


def test_a_closing_queue_refuses_and_drains(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(), clock), FakeRunner()
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(4)))
    queue.close()
    with pytest.raises(ShuttingDown):
        queue.put(runner, INTERACTIVE, make_entries(loop, encode(4)))
    assert not queue.is_drained()
    queue.finish(take_batch(queue), seconds=None)
    assert queue.take() is None
    assert queue.is_drained()


def test_drained_is_told_apart_by_runner(loop: asyncio.AbstractEventLoop, clock: FakeClock) -> None:
    queue, old, new = Queue(EngineLimits(), clock), FakeRunner(), FakeRunner()
    queue.put(old, INTERACTIVE, make_entries(loop, encode(4)))
    assert not queue.is_drained(old)
    assert queue.is_drained(new)
    batch = take_batch(queue)
    assert not queue.wait_drained(old, 0.001)
    queue.finish(batch, seconds=None)
    assert queue.wait_drained(old, 0.0)


def test_no_runner_is_kept_in_memory_by_what_it_cost(
    loop: asyncio.AbstractEventLoop, clock: FakeClock
) -> None:
    queue, runner = Queue(EngineLimits(), clock), FakeRunner()
    queue.put(runner, INTERACTIVE, make_entries(loop, encode(4)))
    run_one(queue, clock, 1.0)
    ghost = weakref.ref(runner)
    del runner
    gc.collect()
    assert ghost() is None


def test_the_bounds_hold_while_many_threads_push_and_pull(
    loop: asyncio.AbstractEventLoop,
) -> None:
    limits = EngineLimits(max_queue=20, max_queue_tokens=150, max_batch=4)
    queue, runner = Queue(limits, FakeClock()), FakeRunner()
    n_accepted, n_taken, peaks, lock = 0, 0, [], threading.Lock()

    def push(seed: int) -> None:
        nonlocal n_accepted
        chance = random.Random(seed)
        for _ in range(150):
            entries = make_entries(loop, encode(*[chance.randint(1, 20)] * chance.randint(1, 5)))
            try:
                queue.put(runner, INTERACTIVE, entries)
            except QueueFull:
                continue
            with lock:
                n_accepted += len(entries)
                peaks.append((queue.n_queued, queue.n_tokens))

    def pull() -> None:
        nonlocal n_taken
        while (taken := queue.take()) is not None:
            assert taken.batch is not None
            queue.finish(taken.batch, seconds=None)
            with lock:
                n_taken += len(taken.batch.entries)

    lanes = [threading.Thread(target=pull) for _ in range(3)]
    callers = [threading.Thread(target=push, args=(seed,)) for seed in range(4)]
    for thread in (*lanes, *callers):
        thread.start()
    for thread in callers:
        thread.join(PATIENCE_S)
    queue.close()
    for thread in lanes:
        thread.join(PATIENCE_S)
    assert max(n for n, _ in peaks) <= 20
    assert max(n_tokens for _, n_tokens in peaks) <= 150
    assert n_taken == n_accepted > 0
    assert (queue.n_queued, queue.n_tokens) == (0, 0)
