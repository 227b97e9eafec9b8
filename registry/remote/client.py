"""Asking an endpoint over HTTP: bounded in time, bytes and reach, whatever it answers.

`huggingface_hub.InferenceClient` speaks the same wire, but sends one text at a time, drops
`top_k: null` (so that not every label comes back), follows redirects with no bound on time or
bytes, and raises for an endpoint that is still loading. So batches go through this client.

All calls of a process share one event loop in one thread: there a deadline ends a call wherever it
stands, also one whose answer comes byte by byte.
"""

import asyncio
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any

import httpx2

from registry.errors import AddressRefused
from registry.remote.address import Reach
from registry.remote.facts import check_url
from registry.remote.wire import parse_wait_s

MAX_CONNECTIONS = 16
MAX_WAITING = 4
"""Calls that may wait for one endpoint that loads; more are told at once to come back."""
MAX_FAILURES = 3
"""Tries of one call that may end without an answer (no connection, a gateway's error)."""
MAX_PAUSE_S = 5.0
FIRST_PAUSE_S = 0.2
KEEP_ALIVE_S = 60.0
GRACE_S = 5.0
ERROR_BYTES = 64 * 1024
HUB_DOMAIN = ".endpoints.huggingface.cloud"


class Failure(StrEnum):
    """What a caller can do about it."""

    UNAVAILABLE = "unavailable"  # come back later
    TIMEOUT = "timeout"  # allow more time, or come back later
    REFUSED = "refused"  # the endpoint, its address or the token is wrong
    INVALID = "invalid"  # it does not speak this wire
    INPUT = "input"  # it may be one text's fault


class CallFailed(Exception):
    """A call without an answer; the message holds none of the endpoint's own words."""

    def __init__(self, kind: Failure, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.kind, self.message, self.retry_after_s = kind, message, retry_after_s


@dataclass(frozen=True, slots=True)
class Reply:
    """A good answer's bytes and headers (lower-case names)."""

    data: bytes
    headers: Mapping[str, str]


class _Later(Exception):
    """Not now: `wait_s` is what the endpoint asks for, None where it says nothing."""

    def __init__(self, message: str, wait_s: float | None = None) -> None:
        super().__init__(message)
        self.message, self.wait_s = message, wait_s


class RemoteClient:
    """Calls to one URL, over connections that are kept. Thread safe.

    `reach` says which hosts may be asked. `token` is asked for at every call and goes only to
    Hugging Face's endpoints, to hosts that the settings allow and, with `is_managed`, to this URL.
    """

    def __init__(
        self, url: str, *, reach: Reach, token: Callable[[], str], is_managed: bool = False
    ) -> None:
        self._url, self._reach, self._token = httpx2.URL(url), reach, token
        self._target = check_url(url)
        self._sends_token = (
            is_managed or self._target.host.endswith(HUB_DOMAIN) or reach.allows(self._target)
        )
        self._n_waiting = 0
        self._http = httpx2.AsyncClient(
            follow_redirects=False,
            trust_env=False,
            timeout=httpx2.Timeout(None),
            limits=httpx2.Limits(max_connections=MAX_CONNECTIONS, keepalive_expiry=KEEP_ALIVE_S),
        )
        self._finalizer = weakref.finalize(self, _close, self._http)
        self._finalizer.atexit = False

    def post(self, body: bytes, *, deadline: float, max_bytes: int) -> Reply:
        """Send `body` and return the answer; blocks until `deadline` (`time.monotonic`) at most.

        While the endpoint says that it is loading, it is asked again; it is given up at once when
        it wants more time than there is. Raises CallFailed.
        """
        asking = asyncio.run_coroutine_threadsafe(
            self._post(body, deadline, max_bytes), _event_loop()
        )
        try:
            return asking.result(max(0.0, deadline - time.monotonic()) + GRACE_S)
        except FutureTimeoutError:
            asking.cancel()
            raise _too_slow() from None

    def close(self) -> None:
        """Close the connections; calls that still run may fail."""
        self._finalizer()

    async def _post(self, body: bytes, deadline: float, max_bytes: int) -> Reply:
        n_failures = 0
        while True:
            try:
                async with asyncio.timeout(max(0.0, deadline - time.monotonic())):
                    return await self._try(body, max_bytes)
            except TimeoutError:
                raise _too_slow() from None
            except _Later as later:
                n_failures += later.wait_s is None
                await self._pause(later, n_failures, deadline)

    async def _pause(self, later: _Later, n_failures: int, deadline: float) -> None:
        asked_s = later.wait_s
        wait_s = FIRST_PAUSE_S * 3 ** (n_failures - 1) if asked_s is None else asked_s
        is_hopeless = time.monotonic() + wait_s >= deadline or n_failures >= MAX_FAILURES
        if is_hopeless or self._n_waiting >= MAX_WAITING:
            raise CallFailed(Failure.UNAVAILABLE, later.message, retry_after_s=max(wait_s, 1.0))
        self._n_waiting += 1
        try:
            await asyncio.sleep(min(max(wait_s, 0.1), MAX_PAUSE_S))
        finally:
            self._n_waiting -= 1

    async def _try(self, body: bytes, max_bytes: int) -> Reply:
        url, headers, extensions = await self._address()
        headers |= {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._sends_token and (token := self._token()):
            headers["Authorization"] = f"Bearer {token}"
        try:
            async with self._http.stream(
                "POST", url, content=body, headers=headers, extensions=extensions
            ) as response:
                return await _read(response, max_bytes)
        except httpx2.TransportError as error:
            self._reach.turn(self._target)
            raise _Later(f"it cannot be reached ({type(error).__name__})") from error
        except httpx2.HTTPError as error:
            raise CallFailed(Failure.INVALID, "its answer is not HTTP as we know it") from error

    async def _address(self) -> tuple[httpx2.URL, dict[str, str], dict[str, Any]]:
        try:
            return await self._reach.resolve(self._target, self._url)
        except AddressRefused as error:
            raise CallFailed(Failure.REFUSED, error.message) from error
        except OSError as error:
            raise _Later("its host has no address") from error


async def _read(response: httpx2.Response, max_bytes: int) -> Reply:
    status = response.status_code
    if status == 200:
        return await _read_good(response, max_bytes)
    if status in (429, 503):
        data = await _read_some(response, ERROR_BYTES)
        wait_s = parse_wait_s(data or b"", response.headers.get("retry-after"))
        raise _Later("it is busy" if status == 429 else "it is loading, or stopping", wait_s)
    if status in (408, 502, 504):
        raise _Later(f"it answered {status}")
    if status in (400, 413, 422, 500):
        raise CallFailed(Failure.INPUT, f"it answered {status}")
    if 300 <= status < 400:
        raise CallFailed(Failure.REFUSED, "it redirects elsewhere, which is not followed")
    remedy = "check HF_TOKEN" if status in (401, 403) else "check its address and that it runs"
    raise CallFailed(Failure.REFUSED, f"it answered {status}: {remedy}")


async def _read_good(response: httpx2.Response, max_bytes: int) -> Reply:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise CallFailed(Failure.INVALID, "it compressed its answer, unasked")
    data = await _read_some(response, max_bytes)
    if data is None:
        raise CallFailed(Failure.INVALID, f"its answer is over {max_bytes} bytes")
    return Reply(data, dict(response.headers))


async def _read_some(response: httpx2.Response, max_bytes: int) -> bytes | None:
    """The body, or None as soon as it is known to be longer than `max_bytes`."""
    announced = response.headers.get("content-length", "0")
    if announced.isdigit() and int(announced[:19]) > max_bytes:
        return None
    data = bytearray()
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > max_bytes:
            return None
    return bytes(data)


def _too_slow() -> CallFailed:
    return CallFailed(Failure.TIMEOUT, "it did not answer in time")


@lru_cache(maxsize=1)
def _event_loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="remote-calls", daemon=True).start()
    return loop


def _close(http: httpx2.AsyncClient) -> None:
    loop = _event_loop()
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(http.aclose(), loop)
