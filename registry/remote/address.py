"""Which addresses an endpoint may have: public ones by https, and hosts that the settings name.

A name is resolved here, every address it has is judged, and the connection goes to the very address
that was judged: a name that changes its mind in between leads nowhere else. Names that the settings
allow may lie inside the network, but never where clouds keep their machines' secrets.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Collection, Iterable
from typing import Any

import httpx2

from registry.addresses import is_allowable, is_public
from registry.errors import AddressRefused
from registry.remote.facts import Target

KEPT_S = 30.0

Resolve = Callable[[str, int], list[str]]
"""Addresses of a host, as text; raises OSError. Blocks."""


def resolve_host(host: str, port: int) -> list[str]:
    """The system's own answer, in its order, each address once."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class Reach:
    """Which hosts may be asked: `allowed` are those (`host`, `host:port`) that may be private."""

    def __init__(self, allowed: Collection[str] = (), *, resolve: Resolve = resolve_host) -> None:
        self._allowed, self._resolve = frozenset(allowed), resolve
        self._known: dict[Target, tuple[float, list[str]]] = {}

    def allows(self, target: Target) -> bool:
        """Whether the settings name this host."""
        return target.is_allowed_by(self._allowed)

    def check(self, target: Target) -> list[str]:
        """The addresses that `target` may be asked at; blocks while its name is looked up.

        Raises AddressRefused, or OSError when the name cannot be looked up.
        """
        is_named = self.allows(target)
        if target.scheme != "https" and not is_named:
            raise _refused(target, "must be asked by https")
        try:
            addresses = self._resolve(target.host, target.port)
        except UnicodeError as error:
            raise OSError(f"{target.host} is not a host name") from error
        if not addresses or not all(map(is_allowable if is_named else is_public, addresses)):
            raise _refused(target, "has an address inside the network")
        return addresses

    async def resolve(
        self, target: Target, url: httpx2.URL
    ) -> tuple[httpx2.URL, dict[str, str], dict[str, Any]]:
        """The URL by a judged address, with the headers and extensions that keep its name.

        Raises what `check` raises.
        """
        now, found = time.monotonic(), self._known.get(target)
        if found is None or now - found[0] > KEPT_S:
            addresses = await asyncio.to_thread(self.check, target)
            found = self._known[target] = (now, addresses)
        if self.allows(target):
            return url, {}, {}
        name = url.netloc.decode("ascii")
        return url.copy_with(host=found[1][0]), {"Host": name}, {"sni_hostname": target.host}

    def turn(self, target: Target) -> None:
        """Let the next call try the next address: this one did not answer."""
        if found := self._known.get(target):
            self._known[target] = (found[0], _rotated(found[1]))


def _rotated(addresses: Iterable[str]) -> list[str]:
    first, *others = addresses
    return [*others, first]


def _refused(target: Target, problem: str) -> AddressRefused:
    return AddressRefused(
        f"the endpoint's host {target.host} {problem}: an administrator can list it in "
        "BELLWETHER_REMOTE_HOSTS",
        details={"host": target.host},
    )
