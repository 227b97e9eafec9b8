"""The gate for the inference plane: no wait on the event loop, no thread on the usual path."""

import asyncio
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from access.entrance import get_gate
from access.gate import ANONYMOUS, Gate, take_key
from access.keyring import PATIENCE_S, Due, KeyFacts
from access.scopes import Scope

REDIS_THREADS = 8

Headers = Iterable[tuple[bytes, bytes]]


async def admit(headers: Headers, required: Scope) -> KeyFacts:
    """Return whose request this is, from the lower-cased headers of an ASGI scope.

    Raises what `Gate.admit` raises, and gives the same verdicts. Waits at most PATIENCE_S for each
    of two looks at the database, and only for an unknown key or after a pause in traffic.
    """
    gate = get_gate()
    facts = ANONYMOUS if gate.is_open else await _recognise(gate, take_key(*_credentials(headers)))
    gate.authorize(facts, required)
    if gate.limiter.is_remote:
        await asyncio.get_running_loop().run_in_executor(_redis_threads(), gate.count, facts)
    else:
        gate.count(facts)
    return facts


def _credentials(headers: Headers) -> tuple[str | None, str | None]:
    authorization: str | None = None
    x_api_key: str | None = None
    for name, value in headers:
        # A header sent twice is joined, as WSGI servers do: both planes must see the same.
        if name == b"authorization":
            authorization = _joined(authorization, value)
        elif name == b"x-api-key":
            x_api_key = _joined(x_api_key, value)
    return authorization, x_api_key


def _joined(before: str | None, value: bytes) -> str:
    text = value.decode("latin-1")
    return text if before is None else f"{before},{text}"


async def _recognise(gate: Gate, key: str) -> KeyFacts:
    if (of_ticket := gate.open_ticket(key)) is not None:
        return of_ticket
    ring = gate.ring
    facts = ring.get(key)
    # Twice, because a refresh that was already running may have begun before the key was made.
    for _ in range(2):
        due = ring.due(is_known=facts is not None)
        if due is Due.NO:
            break
        refresh = ring.start_refresh(is_early=facts is None)
        if due is Due.SOON:
            break
        await asyncio.wait([asyncio.wrap_future(refresh)], timeout=PATIENCE_S)
        facts = ring.get(key)
    return gate.confirm(facts)


@lru_cache(maxsize=1)
def _redis_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(REDIS_THREADS, thread_name_prefix="ratelimit")
