"""Reading from other hosts without being led inside: every hop's address is checked, then used.

A name is resolved here, all its addresses are judged, and the connection goes to one of those very
addresses, so a name that changes its mind in between gains nothing. Redirects are followed by hand,
each hop judged anew. No proxies, no cookies, no decompression; TLS is verified by host name.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore2

from registry.addresses import Origin, is_allowable, is_public, origin_of, parse_address, show_url
from registry.errors import AddressRefused, SourceUnreachable

MAX_REDIRECTS = 5
CONNECT_S, READ_S = 10.0, 30.0
REDIRECTS = frozenset({301, 302, 303, 307, 308})
USER_AGENT = "bellwether"

Resolve = Callable[[str, int], Sequence[str]]
"""Addresses of a host, as text; raises OSError."""


def resolve_host(host: str, port: int) -> Sequence[str]:
    """The system's own answer, in its order, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


@dataclass(frozen=True, slots=True)
class Answer:
    """A response whose body is still to be read, in pieces, within the limits of the request."""

    status: int
    headers: Mapping[str, str]
    chunks: Iterator[bytes]

    def read(self) -> bytes:
        """The whole body."""
        return b"".join(self.chunks)

    def read_json(self) -> Any:
        """The body as JSON; raises SourceUnreachable when it is none."""
        try:
            return json.loads(self.read())
        except (ValueError, RecursionError) as error:
            raise SourceUnreachable("the endpoint's answer is not JSON") from error


class GuardedClient:
    """Requests that begin at one endpoint.

    `trusted` are origins that may lie on private addresses: an administrator named them. They help
    only where the endpoint itself is one of them, so a stranger's redirect cannot use them.
    The `token` goes to the endpoint alone, and only over https or where the endpoint is trusted.
    `setting` is where an administrator can name the endpoint: refusals say so.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        trusted: Collection[str] = (),
        token: str | None = None,
        resolve: Resolve = resolve_host,
        setting: str = "BELLWETHER_IMPORT_ENDPOINTS",
    ) -> None:
        self.origin = origin_of(endpoint)
        named = frozenset(map(origin_of, trusted))
        self.is_trusted = self.origin in named
        self._trusted = named if self.is_trusted else frozenset[Origin]()
        self._token = token if token and self._may_send_token() else None
        self._resolve, self._setting = resolve, setting

    @contextmanager
    def post(
        self,
        url: str,
        content: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int,
        deadline_s: float,
    ) -> Iterator[Answer]:
        """Send `content` to the endpoint; a redirect is an answer like any other, never followed.

        Limits and errors are those of `get`.
        """
        deadline = time.monotonic() + deadline_s
        origin = self._check_hop(url)
        if origin != self.origin:
            raise AddressRefused(f"{show_url(url)!r} is not the endpoint of this client")
        sent = _headers(headers, self._token)
        with self._request("POST", url, origin, sent, deadline, content) as response:
            found = _fields(response.headers)
            _refuse_encoding(found)
            yield Answer(
                response.status, found, _bounded(response.iter_stream(), max_bytes, deadline)
            )

    @contextmanager
    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        max_bytes: int,
        deadline_s: float,
    ) -> Iterator[Answer]:
        """Follow redirects to an answer, whatever its status.

        Its body may have `max_bytes`, and all must be over `deadline_s` from now. Raises
        AddressRefused for a hop that may not be, SourceUnreachable for one that does not work.
        """
        deadline = time.monotonic() + deadline_s
        token = self._token
        for _ in range(MAX_REDIRECTS + 1):
            origin = self._check_hop(url)
            token = token if origin == self.origin else None
            sent = _headers(headers, token)
            with self._request("GET", url, origin, sent, deadline) as response:
                found = _fields(response.headers)
                if response.status not in REDIRECTS or "location" not in found:
                    _refuse_encoding(found)
                    chunks = _bounded(response.iter_stream(), max_bytes, deadline)
                    yield Answer(response.status, found, chunks)
                    return
            url = urljoin(url, found["location"])
        raise SourceUnreachable(f"the endpoint redirects more than {MAX_REDIRECTS} times")

    def _may_send_token(self) -> bool:
        return self.is_trusted or self.origin.scheme == "https"

    def _check_hop(self, url: str) -> Origin:
        origin = origin_of(url)
        is_known = origin == self.origin or origin in self._trusted
        if not is_known and (origin.scheme, origin.port) != ("https", 443):
            raise AddressRefused(
                f"the endpoint redirects to {show_url(url)!r}; another host must be https, port 443"
            )
        return origin

    @contextmanager
    def _request(
        self,
        method: str,
        url: str,
        origin: Origin,
        headers: list[tuple[bytes, bytes]],
        deadline: float,
        content: bytes | None = None,
    ) -> Iterator[httpcore2.Response]:
        backend = _GuardedBackend(partial(self._addresses, origin), deadline)
        timeouts = {"connect": CONNECT_S, "read": READ_S, "write": READ_S, "pool": CONNECT_S}
        try:
            with (
                httpcore2.ConnectionPool(
                    ssl_context=_tls(), max_connections=1, network_backend=backend
                ) as pool,
                pool.stream(
                    method,
                    _target(url),
                    headers=headers,
                    content=content,
                    extensions={"timeout": timeouts},
                ) as response,
            ):
                yield response
        except (httpcore2.TimeoutException, TimeoutError) as error:
            raise SourceUnreachable(f"{origin.host} is too slow: try again") from error
        except (httpcore2.NetworkError, httpcore2.ProtocolError, OSError) as error:
            raise SourceUnreachable(
                f"{origin.host} does not answer as it should ({_reason(error)}): try again"
            ) from error

    def _addresses(self, origin: Origin) -> list[str]:
        try:
            found = [parse_address(text).compressed for text in self._resolve(*origin[1:])]
        except (OSError, UnicodeError) as error:
            raise SourceUnreachable(f"the host {origin.host} has no address") from error
        judge = is_allowable if origin in self._trusted else is_public
        if not found or not all(map(judge, found)):
            raise AddressRefused(
                f"{origin.host} has an address inside the network, which may not be reached: an "
                f"administrator can list the endpoint in {self._setting}",
                details={"host": origin.host},
            )
        return found


class _GuardedBackend(httpcore2.NetworkBackend):
    """Connects to addresses that were judged, never to a name; every wait ends by the deadline."""

    def __init__(self, addresses: Callable[[], list[str]], deadline: float) -> None:
        self._addresses, self._deadline = addresses, deadline
        self._inner = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.NetworkStream:
        failure: Exception = httpcore2.ConnectError("no address")
        for address in self._addresses():
            try:
                left = _left(self._deadline, timeout)
                return _TimedStream(self._inner.connect_tcp(address, port, left), self._deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure


class _TimedStream(httpcore2.NetworkStream):
    """A connection on which a drip of bytes cannot outlast the deadline."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, _left(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, _left(self._deadline, timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = _left(self._deadline, timeout)
        return _TimedStream(
            self._inner.start_tls(ssl_context, server_hostname, left), self._deadline
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _left(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("deadline")
    return left if timeout is None else min(left, timeout)


def _bounded(chunks: Iterable[bytes], max_bytes: int, deadline: float) -> Iterator[bytes]:
    n_bytes = 0
    for chunk in chunks:
        n_bytes += len(chunk)
        if n_bytes > max_bytes:
            raise SourceUnreachable(f"the endpoint's answer is over {max_bytes} bytes")
        _left(deadline, None)
        yield chunk


def _headers(more: Mapping[str, str] | None, token: str | None) -> list[tuple[bytes, bytes]]:
    fields = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity", **(more or {})}
    if token:
        fields["Authorization"] = f"Bearer {token}"
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in fields.items()]


def _fields(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in pairs}


def _refuse_encoding(headers: Mapping[str, str]) -> None:
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise SourceUnreachable("the endpoint compresses its answer although it was asked not to")


def _target(url: str) -> str:
    parts = urlsplit(url)
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{path}{query}"


def _tls() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _reason(error: BaseException) -> str:
    return type(error).__name__ if not isinstance(error, ssl.SSLError) else "its certificate"
