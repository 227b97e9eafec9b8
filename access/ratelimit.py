"""How often a key may ask: a sliding window per key, from the `limits` library.

Counts live in this process, or in a Redis that all replicas share. When Redis is out of reach the
process counts alone, so that limits hold per replica and no request waits; Redis is tried again
each RETRY_EVERY_S. Each key costs two counters a window, and only keys that exist are counted, so
memory is bounded by the number of keys.
"""

import logging
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol, cast

import limits
from limits.storage import MemoryStorage, SlidingWindowCounterSupport, Storage, storage_from_string
from limits.strategies import SlidingWindowCounterRateLimiter

from access.errors import InvalidKeyFields, RateLimited
from access.keyring import KeyFacts

logger = logging.getLogger(__name__)

MAX_RATE_CHARS = 32
MAX_AMOUNT = 1_000_000_000
RETRY_EVERY_S = 5.0
REDIS_TIMEOUT_S = 0.25
# Waiting exactly until the window opens would meet it still closed, by rounding.
MARGIN_S = 0.005


@lru_cache(maxsize=1024)
def parse_rate(text: str) -> limits.RateLimitItem:
    """Read a rate such as `600/minute` or `10 per 2 seconds`.

    Raises InvalidKeyFields (field `rate`) when it is not one rate with a count of at least 1.
    """
    try:
        if len(text) > MAX_RATE_CHARS:
            raise ValueError
        (item,) = limits.parse_many(text)
        if not 1 <= item.amount <= MAX_AMOUNT:
            raise ValueError
    except ValueError:
        raise InvalidKeyFields(
            f"rate: {text[:MAX_RATE_CHARS]!r} is not a rate; write a count and a time, such as "
            "600/minute, with second, minute, hour or day",
            details={"field": "rate"},
        ) from None
    return item


def wait_s(limit: int, window_s: float, previous: int, current: int, window_left_s: float) -> float:
    """Return how long until one more request fits, if none comes meanwhile; 0 when it fits now.

    The previous window's count fades linearly over the present one:
    ⌊previous · window_left_s / window_s⌋ + current + 1 ≤ limit.
    """
    if current < limit:
        room_at_s = (limit - current) * window_s / previous if previous else window_s
        return max(0.0, window_left_s - room_at_s)
    # The present window is full: it must end, and its own count must fade below the limit.
    return window_left_s + max(0.0, window_s * (1 - limit / current))


class Limiter(Protocol):
    """Counts requests. `is_remote` says that `hit` may wait on the network now."""

    @property
    def is_remote(self) -> bool: ...

    def hit(self, facts: KeyFacts) -> None:
        """Count one request of this key; raises RateLimited with `retry_after_s`."""


class WindowLimiter:
    """A storage of the `limits` library behind the Limiter port; raises the storage's errors."""

    def __init__(self, default_rate: str, storage: Storage, *, is_remote: bool = False) -> None:
        parse_rate(default_rate)
        self.is_remote = is_remote
        self._default_rate = default_rate
        self._strategy = SlidingWindowCounterRateLimiter(storage)
        self._windows = cast(SlidingWindowCounterSupport, storage)

    def hit(self, facts: KeyFacts) -> None:
        item = parse_rate(facts.rate or self._default_rate)
        if not self._strategy.hit(item, facts.id):
            raise _limited(item, self._retry_after_s(item, facts))

    def _retry_after_s(self, item: limits.RateLimitItem, facts: KeyFacts) -> float:
        window_s = item.get_expiry()
        previous, _, current, current_left_s = self._windows.get_sliding_window(
            item.key_for(facts.id), window_s
        )
        # A counter lives for its own window and the one after it.
        window_left_s = max(0.0, current_left_s - window_s)
        return MARGIN_S + wait_s(item.amount, window_s, previous, current, window_left_s)


class FallbackLimiter:
    """Asks `shared` first and counts in the process while `shared` does not answer."""

    def __init__(
        self,
        shared: Limiter,
        local: Limiter,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._shared = shared
        self._local = local
        self._clock = clock
        self._retry_at = float("-inf")
        self._has_failed = False

    @property
    def is_remote(self) -> bool:
        return self._clock() >= self._retry_at

    def hit(self, facts: KeyFacts) -> None:
        if not self.is_remote:
            return self._local.hit(facts)
        if self._has_failed:
            # One request tries Redis again; the others go on without it meanwhile.
            self._retry_at = self._clock() + RETRY_EVERY_S
        try:
            self._shared.hit(facts)
        except RateLimited:
            self._recovered()
            raise
        except Exception as error:
            self._failed(error)
            return self._local.hit(facts)
        return self._recovered()

    def _failed(self, error: Exception) -> None:
        self._retry_at = self._clock() + RETRY_EVERY_S
        if not self._has_failed:
            logger.warning("Redis is out of reach, rates are counted per process: %s", error)
        self._has_failed = True

    def _recovered(self) -> None:
        if self._has_failed:
            self._has_failed = False
            self._retry_at = float("-inf")
            logger.info("Redis is back, rates are counted together again")


def make_limiter(default_rate: str, redis_url: str = "") -> Limiter:
    """Return the limiter a deployment asks for; raises InvalidKeyFields for a bad rate."""
    local = WindowLimiter(default_rate, MemoryStorage())
    if not redis_url:
        return local
    shared = WindowLimiter(default_rate, _redis_storage(redis_url), is_remote=True)
    return FallbackLimiter(shared, local)


def _redis_storage(url: str) -> Storage:
    # An extra: a deployment without Redis need not have its client.
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = {
        "key_prefix": "bellwether:rate",
        "socket_timeout": REDIS_TIMEOUT_S,
        "socket_connect_timeout": REDIS_TIMEOUT_S,
        # Once, for a connection that has gone stale; the client's own default waits for seconds.
        "retry": Retry(NoBackoff(), 1),
    }
    return cast(Storage, storage_from_string(url, **options))


def _limited(item: limits.RateLimitItem, retry_after_s: float) -> RateLimited:
    return RateLimited(
        f"this key may make {item}; try again in {retry_after_s:.2f} s",
        details={"rate": str(item)},
        retry_after_s=retry_after_s,
    )
