"""The keys that may be used now, in memory: a request costs one hash and one dictionary look-up.

Pure but for the `load` it is given. A snapshot answers while it is young. When it ages, traffic
refreshes it: early and in the background while requests keep coming, before the next answer when
there was a pause. So what is made or revoked elsewhere counts within MAX_AGE_S. An unknown key has
the database looked at before it is refused, but not more often than once each EARLY_EVERY_S,
however many unknown keys come.

While `load` fails, the last snapshot goes on answering for OUTAGE_S: predictions must not stop with
the database. The price is that a key revoked during an outage works until the outage ends.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum

from access.scopes import Scope

logger = logging.getLogger(__name__)

MAX_AGE_S = 2.0
"""No answer comes from an older snapshot, unless the database is out of reach."""
REFRESH_AGE_S = 1.0
"""From this age on, the next request starts a refresh that nobody waits for."""
EARLY_EVERY_S = 0.25
"""Shortest time between two refreshes that unknown keys ask for."""
RETRY_EVERY_S = 1.0
"""Shortest time between two attempts while the database is out of reach."""
PATIENCE_S = 0.5
"""Longest time that a request waits for a refresh."""
OUTAGE_S = 900.0
"""Longest time that a snapshot answers without the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFacts:
    """One usable key, as every other app sees it.

    `id` is the key's public prefix; `rate` None means the default rate; `expires_at` is in seconds
    since the epoch, None for never; `owner_id` is the account the key acts for, if any. `may_pin`
    lets it name the version that answers, which otherwise takes the scope `promote`.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    rate: str | None = None
    expires_at: float | None = None
    owner_id: int | None = None
    may_pin: bool = False

    @property
    def actor(self) -> str:
        """Who acts by it, as events keep it: the id too, since names repeat."""
        return f"{self.name} ({self.id})"


Keys = Mapping[bytes, KeyFacts]
"""SHA-512 digest of a whole key → its facts."""


def digest_of(plaintext: str) -> bytes:
    """Hash a key as `rest_framework_api_key.crypto.Sha512ApiKeyHasher` does, but to bytes."""
    return hashlib.sha512(plaintext.encode()).digest()


class Due(Enum):
    """Whether the snapshot should be refreshed, and whether the asker should wait for it."""

    NO = "no"
    SOON = "soon"
    NOW = "now"


@dataclass(frozen=True, slots=True)
class _Snapshot:
    keys: Keys
    as_of: float


class KeyRing:
    """An in-memory copy of all usable keys, safe to share between threads and event loops.

    `load` returns them and may take its time or raise; `clock` is monotonic seconds, `now` seconds
    since the epoch. Callers ask `get`, then `due`; when something is due they call `refresh` (on a
    thread that may wait) or `start_refresh` (on one that may not) and ask again.
    """

    def __init__(
        self,
        load: Callable[[], Keys],
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._load = load
        self._clock = clock
        self._now = now
        self._snapshot: _Snapshot | None = None
        self._forgotten_at = float("-inf")
        self._early_at = float("-inf")
        self._attempt_at = float("-inf")
        self._is_attempting = False
        self._has_failed = False
        self._attempting = threading.Lock()
        self._starting = threading.Lock()
        self._background: Future[None] | None = None

    def get(self, plaintext: str) -> KeyFacts | None:
        """Return the facts of a key that is known, unexpired and vouched for; never waits."""
        snapshot = self._snapshot
        # Looking up by digest leaks no timing: who can steer a SHA-512 digest already has the key.
        facts = snapshot.keys.get(digest_of(plaintext)) if snapshot else None
        if facts is None or snapshot is None or self._clock() - snapshot.as_of > OUTAGE_S:
            return None
        if facts.expires_at is not None and facts.expires_at <= self._now():
            return None
        return facts

    def due(self, *, is_known: bool) -> Due:
        """Say whether a refresh is due, for an asker whose key `get` knew or did not."""
        now = self._clock()
        if self.is_failing:
            if self._is_attempting:
                return Due.NO
            return Due.SOON if now - self._attempt_at >= RETRY_EVERY_S else Due.NO
        snapshot = self._snapshot
        if snapshot is None or snapshot.as_of <= self._forgotten_at:
            return Due.NOW
        age = now - snapshot.as_of
        if age >= MAX_AGE_S or (not is_known and now - self._early_at >= EARLY_EVERY_S):
            return Due.NOW
        return Due.SOON if age >= REFRESH_AGE_S else Due.NO

    @property
    def is_failing(self) -> bool:
        """Whether the last attempt failed, or one has been running for longer than anyone waits."""
        if self._is_attempting:
            return self._has_failed or self._clock() - self._attempt_at > PATIENCE_S
        return self._has_failed

    def forget(self) -> None:
        """Have the next request refresh first: called in the process where a key changed."""
        self._forgotten_at = self._clock()

    def refresh(self, *, is_early: bool = False) -> None:
        """Load now, on this thread; never raises. Returns at once when another thread just did.

        `is_early` says that an unknown key asks, which is granted once each EARLY_EVERY_S.
        """
        asked_at = self._clock()
        if not self._attempting.acquire(timeout=PATIENCE_S):
            return
        try:
            if self._attempt_at > asked_at:
                return
            if is_early:
                self._early_at = self._clock()
            self._attempt()
        finally:
            self._attempting.release()

    def start_refresh(self, *, is_early: bool = False) -> "Future[None]":
        """Load on a thread of its own; the future is done when that is over, well or not.

        At most one such thread runs: whoever asks meanwhile gets the same future.
        """
        with self._starting:
            if self._background is None or self._background.done():
                self._background = Future()
                self._background.set_running_or_notify_cancel()
                threading.Thread(
                    target=self._refresh_then_tell,
                    args=(self._background, is_early),
                    name="keyring",
                    daemon=True,
                ).start()
            return self._background

    def _refresh_then_tell(self, done: "Future[None]", is_early: bool) -> None:
        try:
            self.refresh(is_early=is_early)
        finally:
            done.set_result(None)

    def _attempt(self) -> None:
        self._attempt_at = began_at = self._clock()
        self._is_attempting = True
        try:
            keys = self._load()
        except Exception as error:
            # Whatever went wrong there must not stop predictions here.
            if not self._has_failed:
                logger.warning("keys cannot be loaded, the last ones known stay in use: %s", error)
            self._has_failed = True
        else:
            if self._has_failed:
                logger.info("keys can be loaded again")
            # In this order: who sees the new snapshot must not take it for one of an outage.
            self._has_failed = False
            self._snapshot = _Snapshot(keys, began_at)
        finally:
            self._is_attempting = False
