import logging
import math
import os
import threading
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.storage import MemoryStorage

from access.errors import InvalidKeyFields, RateLimited
from access.keyring import KeyFacts
from access.ratelimit import (
    MARGIN_S,
    RETRY_EVERY_S,
    FallbackLimiter,
    Limiter,
    WindowLimiter,
    make_limiter,
    parse_rate,
    wait_s,
)
from tests.access.doubles import Clock, facts


@pytest.mark.parametrize(
    ("text", "amount", "window_s"),
    [("1/second", 1, 1), ("60000/minute", 60_000, 60), ("10 per 2 hours", 10, 7_200)],
)
def test_a_rate_is_a_count_and_a_time(text: str, amount: int, window_s: int) -> None:
    item = parse_rate(text)
    assert (item.amount, item.get_expiry()) == (amount, window_s)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "0/minute",
        "-1/minute",
        "1/fortnight",
        "1/second;2/minute",
        "9999999999999/second",
        "1/second" + " " * 100,
        "٣/minute",
    ],
)
def test_a_bad_rate_is_refused_with_the_field_and_an_example(text: str) -> None:
    with pytest.raises(InvalidKeyFields, match="600/minute") as caught:
        parse_rate(text)
    assert caught.value.details == {"field": "rate"}


@given(
    limit=st.integers(1, 50),
    previous=st.integers(0, 50),
    current=st.integers(0, 50),
    window_s=st.sampled_from([1.0, 60.0]),
    left=st.floats(0.001, 1),
)
def test_the_stated_wait_is_enough_and_not_too_long(
    limit: int, previous: int, current: int, window_s: float, left: float
) -> None:
    previous, current, left_s = min(previous, limit), min(current, limit), left * window_s

    def fits_after(seconds: float) -> bool:
        if seconds < left_s:
            fading, counted, remaining_s = previous, current, left_s - seconds
        else:
            fading, counted, remaining_s = current, 0, window_s - (seconds - left_s)
        return math.floor(fading * remaining_s / window_s) + counted + 1 <= limit

    wait = wait_s(limit, window_s, previous, current, left_s)
    assert 0 <= wait <= 2 * window_s
    assert fits_after(wait + 1e-6 * window_s)
    assert wait < 1e-6 or not fits_after(wait - 1e-6 * window_s)


def spend(limiter: Limiter, key: KeyFacts, n_most: int = 1_000) -> tuple[int, RateLimited]:
    for n_done in range(n_most):
        try:
            limiter.hit(key)
        except RateLimited as error:
            return n_done, error
    raise AssertionError(f"{n_most} requests in a row were let in")


def test_the_rate_is_the_number_of_requests_in_a_window(limits_time: Clock) -> None:
    limiter = make_limiter("5/minute")
    n_done, refusal = spend(limiter, facts("ann"))
    assert n_done == 5
    assert refusal.retry_after_s is not None
    assert 0 < refusal.retry_after_s <= 120
    assert refusal.details == {"rate": "5 per 1 minute"}
    assert "5 per 1 minute" in refusal.message


@pytest.mark.parametrize("rate", ["1/second", "2/second", "7/second", "3/minute", "1/hour"])
def test_the_wait_that_is_told_is_truthful(limits_time: Clock, rate: str) -> None:
    limiter, ann = make_limiter(rate), facts("ann")
    limits_time.advance(0.337)
    for _ in range(20):
        _, refusal = spend(limiter, ann)
        assert refusal.retry_after_s is not None
        limits_time.advance(refusal.retry_after_s - 2 * MARGIN_S)
        with pytest.raises(RateLimited):
            limiter.hit(ann)
        limits_time.advance(2 * MARGIN_S)
        limiter.hit(ann)


def test_keys_are_counted_apart(limits_time: Clock) -> None:
    limiter = make_limiter("2/minute")
    spend(limiter, facts("ann"))
    limiter.hit(facts("bob"))


def test_a_key_may_have_a_rate_of_its_own(limits_time: Clock) -> None:
    limiter = make_limiter("2/minute")
    assert spend(limiter, facts("slow", rate="1/minute"))[0] == 1
    assert spend(limiter, facts("fast", rate="9/minute"))[0] == 9


def test_refused_requests_do_not_lengthen_the_wait(limits_time: Clock) -> None:
    limiter, ann = make_limiter("2/minute"), facts("ann")
    first = spend(limiter, ann)[1].retry_after_s
    for _ in range(50):
        last = spend(limiter, ann)[1].retry_after_s
    assert first == last


def test_threads_together_get_no_more_than_the_rate() -> None:
    limiter, ann, n_done = make_limiter("50/hour"), facts("ann"), []

    def hit() -> None:
        for _ in range(20):
            try:
                limiter.hit(ann)
            except RateLimited:
                continue
            n_done.append(1)

    threads = [threading.Thread(target=hit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A request that meets another at the very edge may be refused; none is let in too many.
    assert 45 <= len(n_done) <= 50


def test_memory_holds_two_counters_a_key_at_most(limits_time: Clock) -> None:
    storage = MemoryStorage()
    limiter = WindowLimiter("1000/second", storage)
    for _ in range(50):
        for name in "abcdefgh":
            limiter.hit(facts(name))
        limits_time.advance(0.7)
    storage.timer.join()
    limiter.hit(facts("a"))
    storage.timer.join()
    assert len(storage.storage) <= 2 * 8 + 1


def test_a_bad_default_rate_stops_the_start() -> None:
    with pytest.raises(InvalidKeyFields):
        make_limiter("often")


class FlakyLimiter:
    is_remote = True

    def __init__(self) -> None:
        self.is_down = False
        self.n_asked = 0

    def hit(self, facts: KeyFacts) -> None:
        self.n_asked += 1
        if self.is_down:
            raise ConnectionError("no Redis there")


def test_without_its_redis_the_process_counts_alone_and_says_so_once(
    clock: Clock, limits_time: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "access.ratelimit")
    shared, ann = FlakyLimiter(), facts("ann")
    limiter = FallbackLimiter(shared, make_limiter("2/minute"), clock=clock)
    for _ in range(10):
        limiter.hit(ann)
    shared.is_down = True
    assert spend(limiter, ann)[0] == 2
    assert not limiter.is_remote
    assert shared.n_asked == 11

    clock.advance(RETRY_EVERY_S)
    assert limiter.is_remote
    with pytest.raises(RateLimited):
        limiter.hit(ann)
    assert shared.n_asked == 12

    shared.is_down = False
    clock.advance(RETRY_EVERY_S)
    for _ in range(10):
        limiter.hit(ann)
    assert [record.message.split(",")[0] for record in caplog.records] == [
        "Redis is out of reach",
        "Redis is back",
    ]


def test_one_request_at_a_time_tries_a_lost_redis_again(clock: Clock) -> None:
    ann, asked = facts("ann"), []

    class Hanging:
        is_remote = True

        def hit(self, facts: KeyFacts) -> None:
            asked.append(facts)
            if len(asked) == 2:
                # While this one waits, another comes.
                limiter.hit(ann)
            raise TimeoutError

    limiter = FallbackLimiter(Hanging(), make_limiter("100/minute"), clock=clock)
    limiter.hit(ann)
    clock.advance(RETRY_EVERY_S)
    limiter.hit(ann)
    assert len(asked) == 2


def test_a_redis_that_refuses_connections_stops_nobody() -> None:
    pytest.importorskip("redis", reason="the redis extra is not installed")
    limiter = make_limiter("2/hour", "redis://127.0.0.1:1/0")
    assert spend(limiter, facts("ann"))[0] == 2


@pytest.fixture
def redis_url() -> str:
    url = os.environ.get("REDIS_URL")
    if not url:
        pytest.skip("needs a Redis: set REDIS_URL")
    return url


def test_replicas_count_together_in_redis(redis_url: str) -> None:
    ann = facts(f"ann-{uuid.uuid4()}")
    first, second = make_limiter("6/minute", redis_url), make_limiter("6/minute", redis_url)
    for limiter in (first, second, first, second, first, second):
        limiter.hit(ann)
    for limiter in (first, second):
        with pytest.raises(RateLimited) as caught:
            limiter.hit(ann)
        assert caught.value.retry_after_s is not None
        assert 59 < caught.value.retry_after_s <= 60 + MARGIN_S
        assert limiter.is_remote
