"""One table of cases, put to both planes: the same headers must meet the same verdict."""

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from rest_framework.test import APIClient

from access.asgi import admit
from access.entrance import get_gate, use_gate
from access.errors import BellwetherError, InvalidKey, MissingKey
from access.gate import ANONYMOUS, Gate, take_key
from access.keyring import OUTAGE_S, PATIENCE_S, KeyRing
from access.ratelimit import make_limiter
from access.scopes import Scope
from tests.access.doubles import Clock, Shelf, facts, gate_over

pytestmark = pytest.mark.urls("tests.access.urls")

Header = tuple[str, str]
Adapter = Callable[[list[Header], Scope], str]

BEARER, X_KEY = "authorization", "x-api-key"


def through_asgi(headers: list[Header], scope: Scope) -> str:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    try:
        return asyncio.run(admit(raw, scope)).id
    except BellwetherError as error:
        return error.code


def through_drf(headers: list[Header], scope: Scope) -> str:
    environ: dict[str, str] = {}
    for name, value in headers:
        variable = f"HTTP_{name.upper().replace('-', '_')}"
        before = environ.get(variable)
        environ[variable] = value if before is None else f"{before},{value}"
    response = APIClient().get(f"/needs/{scope}", **environ)
    return str(response.data["code"])


def through_gate(headers: list[Header], scope: Scope) -> str:
    try:
        return get_gate().admit(dict(headers).get(BEARER), dict(headers).get(X_KEY), scope).id
    except BellwetherError as error:
        return error.code


@pytest.fixture(params=[through_asgi, through_drf], ids=["asgi", "drf"])
def verdict(request: pytest.FixtureRequest) -> Adapter:
    adapter: Adapter = request.param
    return adapter


@dataclass(frozen=True)
class Case:
    headers: list[Header]
    scope: Scope
    verdict: str


KEY = "ann.0123456789abcdef"

CASES = {
    "a bearer key": Case([(BEARER, f"Bearer {KEY}")], Scope.PREDICT, "ann"),
    "a bearer key in odd case": Case([(BEARER, f"bEaReR   {KEY} ")], Scope.PREDICT, "ann"),
    "an X-API-Key": Case([(X_KEY, KEY)], Scope.PREDICT, "ann"),
    "both, equal": Case([(BEARER, f"Bearer {KEY}"), (X_KEY, KEY)], Scope.PREDICT, "ann"),
    "bearer goes before X-API-Key": Case(
        [(BEARER, "Bearer wrong"), (X_KEY, KEY)], Scope.PREDICT, "invalid_key"
    ),
    "a proxy's Basic beside an X-API-Key": Case(
        [(BEARER, "Basic dTpw"), (X_KEY, KEY)], Scope.PREDICT, "ann"
    ),
    "an admin key": Case([(BEARER, "Bearer boss")], Scope.PROMOTE, "boss"),
    "no header": Case([], Scope.PREDICT, "missing_key"),
    "empty headers": Case([(BEARER, ""), (X_KEY, "")], Scope.PREDICT, "missing_key"),
    "Bearer without a token": Case([(BEARER, "Bearer")], Scope.PREDICT, "missing_key"),
    "Bearer and a blank": Case([(BEARER, "Bearer  ")], Scope.PREDICT, "missing_key"),
    "another scheme": Case([(BEARER, "Basic dTpw")], Scope.PREDICT, "missing_key"),
    "a key without its scheme": Case([(BEARER, KEY)], Scope.PREDICT, "missing_key"),
    "an unknown key": Case([(BEARER, "Bearer nobody")], Scope.PREDICT, "invalid_key"),
    "an expired key": Case([(BEARER, "Bearer old")], Scope.PREDICT, "invalid_key"),
    "a prefix alone": Case([(BEARER, "Bearer ann")], Scope.PREDICT, "invalid_key"),
    "letters outside ASCII": Case([(BEARER, "Bearer \xe9\xff")], Scope.PREDICT, "invalid_key"),
    "a NUL": Case([(X_KEY, "a\x00b")], Scope.PREDICT, "invalid_key"),
    "a huge header": Case([(BEARER, "Bearer " + "k" * 100_000)], Scope.PREDICT, "invalid_key"),
    "a huge scheme": Case([(BEARER, "k" * 100_000)], Scope.PREDICT, "missing_key"),
    "a huge X-API-Key": Case([(X_KEY, "k" * 100_000)], Scope.PREDICT, "invalid_key"),
    "the header twice": Case(
        [(BEARER, f"Bearer {KEY}"), (BEARER, f"Bearer {KEY}")], Scope.PREDICT, "invalid_key"
    ),
    "another scope": Case([(BEARER, f"Bearer {KEY}")], Scope.READ, "scope_missing"),
    "no admin": Case([(BEARER, f"Bearer {KEY}")], Scope.ADMIN, "scope_missing"),
    "an unknown key and another scope": Case(
        [(BEARER, "Bearer nobody")], Scope.ADMIN, "invalid_key"
    ),
}


@pytest.fixture
def shelf(clock: Clock) -> Shelf:
    return Shelf(
        **{
            KEY: facts("ann", Scope.PREDICT),
            "boss": facts("boss", Scope.ADMIN),
            "old": facts("old", Scope.PREDICT, expires_at=clock.now - 1),
            "slow": facts("slow", Scope.PREDICT, rate="2/hour"),
        }
    )


@pytest.mark.parametrize("case", list(CASES.values()), ids=list(CASES))
def test_both_planes_give_the_same_verdict(
    verdict: Adapter, case: Case, shelf: Shelf, clock: Clock
) -> None:
    with use_gate(gate_over(shelf, clock)):
        assert verdict(case.headers, case.scope) == case.verdict


def test_both_planes_count_together(shelf: Shelf, clock: Clock, limits_time: Clock) -> None:
    slow = [(BEARER, "Bearer slow")]
    with use_gate(gate_over(shelf, clock)):
        assert through_asgi(slow, Scope.PREDICT) == "slow"
        assert through_drf(slow, Scope.PREDICT) == "slow"
        assert through_asgi(slow, Scope.PREDICT) == "rate_limited"
        assert through_drf(slow, Scope.PREDICT) == "rate_limited"
        assert through_gate(slow, Scope.PREDICT) == "rate_limited"


def test_a_refused_scope_is_not_counted(
    verdict: Adapter, shelf: Shelf, clock: Clock, limits_time: Clock
) -> None:
    slow = [(BEARER, "Bearer slow")]
    with use_gate(gate_over(shelf, clock)):
        for _ in range(5):
            assert verdict(slow, Scope.READ) == "scope_missing"
        assert verdict(slow, Scope.PREDICT) == "slow"


def test_with_keys_off_everybody_may_do_all_under_one_shared_rate(
    verdict: Adapter, shelf: Shelf, clock: Clock, limits_time: Clock
) -> None:
    limiter = make_limiter("3/hour")
    with use_gate(gate_over(shelf, clock, limiter=limiter, is_open=True)):
        assert verdict([], Scope.ADMIN) == ANONYMOUS.id
        assert verdict([(BEARER, "Bearer \xff")], Scope.PUSH) == ANONYMOUS.id
        assert verdict([(X_KEY, "nobody")], Scope.READ) == ANONYMOUS.id
        assert verdict([], Scope.READ) == "rate_limited"
    assert shelf.n_loads == 0


def test_keys_made_and_revoked_elsewhere_reach_both_planes(
    verdict: Adapter, shelf: Shelf, clock: Clock
) -> None:
    new = [(BEARER, "Bearer new")]
    with use_gate(gate_over(shelf, clock)):
        assert verdict(new, Scope.PREDICT) == "invalid_key"
        shelf.put("new", facts("new", Scope.PREDICT))
        clock.advance(0.25)
        assert verdict(new, Scope.PREDICT) == "new"
        shelf.remove("new")
        clock.advance(2)
        assert verdict(new, Scope.PREDICT) == "invalid_key"


def test_a_dead_database_stops_no_known_key_and_calls_no_key_bad(
    verdict: Adapter, shelf: Shelf, clock: Clock
) -> None:
    known, unknown = [(X_KEY, KEY)], [(X_KEY, "nobody")]
    with use_gate(gate_over(shelf, clock)):
        assert verdict(known, Scope.PREDICT) == "ann"
        shelf.is_down = True
        for _ in range(20):
            clock.advance(3)
            assert verdict(known, Scope.PREDICT) == "ann"
            assert verdict(unknown, Scope.PREDICT) == "keys_unavailable"
        clock.advance(OUTAGE_S)
        assert verdict(known, Scope.PREDICT) == "keys_unavailable"
        shelf.is_down = False
        clock.advance(1)
        # The outage may end in the background of the first request.
        verdict(known, Scope.PREDICT)
        clock.advance(0.1)
        assert eventually(lambda: verdict(known, Scope.PREDICT)) == "ann"
        assert verdict(unknown, Scope.PREDICT) == "invalid_key"


def test_a_database_dead_from_the_start_is_said_to_be_so(
    verdict: Adapter, shelf: Shelf, clock: Clock
) -> None:
    shelf.is_down = True
    with use_gate(gate_over(shelf, clock)):
        assert verdict([(X_KEY, KEY)], Scope.PREDICT) == "keys_unavailable"


def eventually(ask: Callable[[], str]) -> str:
    for _ in range(100):
        answer = ask()
        if answer != "keys_unavailable":
            break
        asyncio.run(asyncio.sleep(0.01))
    return answer


def test_the_two_messages_tell_how_to_send_a_key() -> None:
    for header, said in ((None, "no key came"), ("Token abc", "not of the form 'Bearer <key>'")):
        with pytest.raises(MissingKey, match=said) as caught:
            take_key(header, None)
        assert "X-API-Key: <key>" in caught.value.message


def test_one_sentence_covers_every_bad_key(shelf: Shelf, clock: Clock) -> None:
    gate, messages = gate_over(shelf, clock), set()
    for key in ("nobody", "old", "ann", "\xe9", "k" * 10_000, "\ud800"):
        with pytest.raises(InvalidKey) as caught:
            gate.admit(f"Bearer {key}", None, Scope.PREDICT)
        messages.add(caught.value.message)
    assert len(messages) == 1


def test_a_refused_scope_tells_what_is_needed_and_held(shelf: Shelf, clock: Clock) -> None:
    gate = gate_over(shelf, clock)
    with pytest.raises(
        BellwetherError, match="needs the scope read; the key has predict"
    ) as caught:
        gate.admit(None, KEY, Scope.READ)
    assert caught.value.details == {"needed": "read", "held": ["predict"]}


def test_a_slow_database_delays_an_event_loop_by_its_patience_only(shelf: Shelf) -> None:
    leave = threading.Event()
    ring = KeyRing(lambda: (leave.wait(10), shelf())[1])

    async def scene() -> tuple[float, int]:
        loop, n_ticks = asyncio.get_running_loop(), 0

        async def tick() -> None:
            nonlocal n_ticks
            while True:
                await asyncio.sleep(0.01)
                n_ticks += 1

        ticking = asyncio.create_task(tick())
        began = loop.time()
        asked = [admit([(b"x-api-key", KEY.encode())], Scope.PREDICT) for _ in range(20)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        ticking.cancel()
        assert {getattr(answer, "code", None) for answer in answers} == {"keys_unavailable"}
        return loop.time() - began, n_ticks

    with use_gate(Gate(ring, make_limiter("100/second"))):
        waited_s, n_ticks = asyncio.run(scene())
    leave.set()
    assert waited_s < 2 * PATIENCE_S + 0.5
    assert n_ticks > 10


def test_known_keys_start_no_thread_on_the_asgi_plane(shelf: Shelf, clock: Clock) -> None:
    gate = gate_over(shelf, clock)
    gate.ring.refresh()

    async def scene() -> None:
        for _ in range(50):
            # Driven by hand: a coroutine that waits for anything does not end at its first step.
            with pytest.raises(StopIteration):
                admit([(b"x-api-key", KEY.encode())], Scope.PREDICT).send(None)

    with use_gate(gate):
        asyncio.run(scene())
    assert shelf.n_loads == 1


def test_a_shared_limiter_is_asked_off_the_event_loop(shelf: Shelf, clock: Clock) -> None:
    class Remote:
        is_remote = True
        thread = ""

        def hit(self, facts: object) -> None:
            self.thread = threading.current_thread().name

    limiter = Remote()
    with use_gate(gate_over(shelf, clock, limiter=limiter)):
        assert through_asgi([(X_KEY, KEY)], Scope.PREDICT) == "ann"
    assert limiter.thread.startswith("ratelimit")
