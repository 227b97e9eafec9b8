"""Where a URL points, and which addresses lie on the open internet (pure)."""

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from registry.errors import AddressRefused

MAX_URL_CHARS = 8_192

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Never a model's home, whatever is allowed: cloud metadata lies here.
_NEVER = tuple(
    ipaddress.ip_network(text)
    for text in ("0.0.0.0/8", "169.254.0.0/16", "100.100.100.200/32", "fe80::/10", "fd00:ec2::/32")
)
_HOST = re.compile(r"[a-z0-9._-]{1,253}|[0-9a-f:.]{2,45}")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class Origin(NamedTuple):
    """Scheme, host (lower case) and port: what a browser would call the same site."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """Where a URL points; raises AddressRefused for anything but plain http(s) to a host."""
    problem = _url_problem(url)
    if problem:
        raise AddressRefused(f"{show_url(url)!r} {problem}")
    parts = urlsplit(url)
    assert parts.hostname is not None  # noqa: S101 - _url_problem has just looked
    port = parts.port if parts.port is not None else _DEFAULT_PORTS[parts.scheme]
    return Origin(parts.scheme, parts.hostname, port)


def is_public(text: str) -> bool:
    """Whether an address lies on the open internet, also by what is embedded in it."""
    addresses = _unwrapped(parse_address(text))
    return all(
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not _is_never(address)
        for address in addresses
    )


def is_allowable(text: str) -> bool:
    """Whether an address may be allowed by name: private, loopback, shared; nothing special."""
    return all(
        not address.is_unspecified
        and not address.is_multicast
        and not (address.version == 4 and address.is_reserved)
        and not _is_never(address)
        for address in _unwrapped(parse_address(text))
    )


def parse_address(text: str) -> _Address:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError as error:
        raise AddressRefused("the endpoint's host has an address of an unknown form") from error


def _unwrapped(address: _Address) -> list[_Address]:
    """The address, or the IPv4 addresses that an IPv6 one stands for, with it where both count."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped:
        return [address.ipv4_mapped]
    found: list[_Address] = [address]
    if address.sixtofour:
        found.append(address.sixtofour)
    if address.teredo:
        found += address.teredo
    if address in _NAT64:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return found


def _is_never(address: _Address) -> bool:
    return any(address.version == net.version and address in net for net in _NEVER)


def _url_problem(url: str) -> str:
    if len(url) > MAX_URL_CHARS or not url.isascii() or not url.isprintable() or " " in url:
        return "is not a URL of printable ASCII"
    try:
        parts = urlsplit(url)
        has_userinfo = "@" in parts.netloc
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return "is not a URL"
    if parts.scheme not in _DEFAULT_PORTS:
        return "must begin with https:// (or http://)"
    if has_userinfo:
        return "carries a user name, which is not allowed"
    if "\\" in url:
        return "holds a backslash"
    if not is_whole:
        return "names no host and port"
    return "" if _HOST.fullmatch(parts.hostname or "") else "names a host of a strange form"


def show_url(url: str) -> str:
    """Scheme and host of a URL: paths and queries may carry signatures."""
    clean = url.encode("ascii", "backslashreplace").decode()
    head = "/".join(clean.split("/")[:3]).rpartition("@")
    return (head[2] or clean)[:120]
