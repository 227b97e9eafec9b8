import logging
import threading
import time

import pytest
from rest_framework_api_key.crypto import KeyGenerator

from access.keyring import (
    EARLY_EVERY_S,
    MAX_AGE_S,
    OUTAGE_S,
    PATIENCE_S,
    REFRESH_AGE_S,
    RETRY_EVERY_S,
    Due,
    KeyRing,
    Keys,
    digest_of,
)
from access.scopes import Scope
from tests.access.doubles import Clock, Shelf, facts

ANN = facts("ann", Scope.PREDICT)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(ann=ANN)


@pytest.fixture
def ring(shelf: Shelf, clock: Clock) -> KeyRing:
    return KeyRing(shelf, clock=clock, now=clock)


@pytest.fixture
def warm(ring: KeyRing) -> KeyRing:
    ring.refresh()
    return ring


def ask(ring: KeyRing, key: str) -> bool:
    """What a caller on a thread that may wait does."""
    found = ring.get(key)
    if ring.due(is_known=found is not None) is not Due.NO:
        ring.refresh(is_early=found is None)
        found = ring.get(key)
    return found is not None


def test_digests_are_those_of_the_key_library() -> None:
    plaintext, _, hashed = KeyGenerator().generate()
    assert hashed == f"sha512$${digest_of(plaintext).hex()}"


def test_an_unread_ring_knows_nobody_and_asks_for_a_refresh(ring: KeyRing) -> None:
    assert ring.get("ann") is None
    assert ring.due(is_known=False) is Due.NOW


def test_a_known_key_is_answered_from_memory(warm: KeyRing, shelf: Shelf) -> None:
    for _ in range(100):
        assert warm.get("ann") == ANN
        assert warm.due(is_known=True) is Due.NO
    assert shelf.n_loads == 1


@pytest.mark.parametrize(
    ("age_s", "due"),
    [
        (REFRESH_AGE_S - 0.01, Due.NO),
        (REFRESH_AGE_S, Due.SOON),
        (MAX_AGE_S - 0.01, Due.SOON),
        (MAX_AGE_S, Due.NOW),
        (10 * OUTAGE_S, Due.NOW),
    ],
)
def test_a_snapshot_is_refreshed_by_age(
    warm: KeyRing, clock: Clock, age_s: float, due: Due
) -> None:
    clock.advance(age_s)
    assert warm.due(is_known=True) is due


def test_a_key_revoked_elsewhere_is_refused_after_two_seconds_at_most(
    warm: KeyRing, shelf: Shelf, clock: Clock
) -> None:
    shelf.remove("ann")
    clock.advance(MAX_AGE_S)
    assert not ask(warm, "ann")


def test_a_key_made_elsewhere_works_at_its_first_use(warm: KeyRing, shelf: Shelf) -> None:
    shelf.put("bob", facts("bob", Scope.READ))
    assert ask(warm, "bob")


def test_a_refresh_by_age_leaves_unknown_keys_their_own_look(
    warm: KeyRing, shelf: Shelf, clock: Clock
) -> None:
    clock.advance(MAX_AGE_S)
    assert ask(warm, "ann")
    shelf.put("bob", facts("bob", Scope.READ))
    clock.advance(EARLY_EVERY_S / 10)
    assert ask(warm, "bob")


def test_unknown_keys_cannot_hammer_the_database(warm: KeyRing, shelf: Shelf, clock: Clock) -> None:
    before = shelf.n_loads
    for number in range(1_000):
        assert not ask(warm, f"guess-{number}")
        clock.advance(0.001)
    assert shelf.n_loads - before <= 1 / EARLY_EVERY_S + 1


def test_a_key_stops_at_its_expiry_without_a_refresh(
    ring: KeyRing, shelf: Shelf, clock: Clock
) -> None:
    shelf.put("eve", facts("eve", Scope.READ, expires_at=clock.now + 0.5))
    ring.refresh()
    assert ring.get("eve") is not None
    clock.advance(0.5)
    assert ring.get("eve") is None


def test_a_ring_told_to_forget_looks_before_the_next_answer(
    warm: KeyRing, shelf: Shelf, clock: Clock
) -> None:
    shelf.remove("ann")
    warm.forget()
    assert warm.due(is_known=True) is Due.NOW
    clock.advance(0.001)
    assert not ask(warm, "ann")
    assert warm.due(is_known=True) is Due.NO


def test_a_dead_database_leaves_known_keys_working(
    warm: KeyRing, shelf: Shelf, clock: Clock
) -> None:
    shelf.is_down = True
    for _ in range(int(OUTAGE_S / 5) - 1):
        clock.advance(5)
        assert ask(warm, "ann")
    assert warm.is_failing


def test_nobody_waits_for_a_dead_database_twice(warm: KeyRing, shelf: Shelf, clock: Clock) -> None:
    shelf.is_down = True
    clock.advance(MAX_AGE_S)
    assert warm.due(is_known=True) is Due.NOW
    warm.refresh()
    assert warm.due(is_known=True) is Due.NO
    assert warm.due(is_known=False) is Due.NO
    clock.advance(RETRY_EVERY_S)
    assert warm.due(is_known=True) is Due.SOON
    assert warm.due(is_known=False) is Due.SOON


def test_a_snapshot_without_its_database_ends_after_the_stated_limit(
    warm: KeyRing, shelf: Shelf, clock: Clock
) -> None:
    shelf.is_down = True
    clock.advance(OUTAGE_S)
    assert ask(warm, "ann")
    clock.advance(0.01)
    assert not ask(warm, "ann")
    assert warm.is_failing


def test_an_outage_is_logged_once_and_its_end_once(
    warm: KeyRing, shelf: Shelf, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "access.keyring")
    shelf.is_down = True
    for _ in range(5):
        clock.advance(MAX_AGE_S)
        ask(warm, "ann")
    shelf.is_down = False
    for _ in range(2):
        clock.advance(MAX_AGE_S)
        ask(warm, "ann")
    assert [record.message[:21] for record in caplog.records] == [
        "keys cannot be loaded",
        "keys can be loaded ag",
    ]
    assert not warm.is_failing


def test_a_load_that_hangs_counts_as_a_dead_database(clock: Clock) -> None:
    entered, leave = threading.Event(), threading.Event()

    def load() -> Keys:
        entered.set()
        leave.wait(10)
        return {}

    ring = KeyRing(load, clock=clock, now=clock)
    refresh = ring.start_refresh()
    assert entered.wait(5)
    assert not ring.is_failing
    clock.advance(PATIENCE_S + 0.01)
    assert ring.is_failing
    assert ring.due(is_known=True) is Due.NO
    leave.set()
    refresh.result(5)
    assert not ring.is_failing


def test_a_background_refresh_is_shared_by_all_who_ask(clock: Clock) -> None:
    leave = threading.Event()
    shelf = Shelf(ann=ANN)

    def load() -> Keys:
        leave.wait(10)
        return shelf()

    ring = KeyRing(load, clock=clock, now=clock)
    asked = [ring.start_refresh() for _ in range(50)]
    assert len({id(future) for future in asked}) == 1
    leave.set()
    asked[0].result(5)
    assert shelf.n_loads == 1
    assert ring.get("ann") == ANN


def test_threads_that_ask_together_share_the_loads() -> None:
    shelf = Shelf(ann=ANN)

    def load() -> Keys:
        time.sleep(0.02)
        return shelf()

    ring = KeyRing(load)
    start = threading.Barrier(16)

    def refresh() -> None:
        start.wait()
        ring.refresh()

    threads = [threading.Thread(target=refresh) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= shelf.n_loads <= 3
