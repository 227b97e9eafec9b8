"""One request to the Hub: who asks, for what, under which address."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http.request import split_domain_port, validate_host
from starlette.datastructures import Headers, QueryParams

from access.keyring import KeyFacts
from registry.errors import InvalidField
from registry.hub import bodies
from registry.hub.errors import BodyNotJson, BodyRefused, HostRefused

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

NOBODY = KeyFacts(id="", name="", scopes=frozenset())
MAX_JSON_BYTES = 1024**2
# What is larger is parsed in a thread: predictions share the event loop.
SMALL_BYTES = 64 * 1024
MAX_PARAMETER_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was let in. `base_url` is where the caller sees this server, without a `/`."""

    method: str
    params: dict[str, str]
    query: QueryParams
    headers: Headers
    key: KeyFacts
    base_url: str
    receive: Receive

    @property
    def model(self) -> str:
        """`namespace/name` of the model in the path."""
        return f"{self.params['namespace']}/{self.params['name']}"

    @property
    def actor(self) -> str:
        """Who asks, as events keep it."""
        return f"{self.key.name} ({self.key.id})"

    def flag(self, name: str) -> bool:
        """A query parameter that old clients send as `True`, new ones as `true` or `1`."""
        return self.query.get(name, "").lower() in {"1", "true"}

    def text(self, name: str) -> str:
        """A query parameter, empty when it is not there; raises InvalidField."""
        text = self.query.get(name, "")
        if len(text) > MAX_PARAMETER_CHARS or "\0" in text:
            raise InvalidField(f"{name} is too long or holds NUL", details={"field": name})
        return text

    async def body(self, *, limit: int = MAX_JSON_BYTES) -> dict[str, Any]:
        """The body, a JSON object of at most `limit` bytes; an empty body is an empty object.

        Raises BodyTooLarge, BodyTooSlow, BodyNotJson or BodyRefused.
        """
        raw = await bodies.read_whole(self.receive, self.headers, limit)
        if len(raw) <= SMALL_BYTES:
            return _parse(raw)
        return await bodies.on_disk(lambda: _parse(raw))


def _parse(raw: bytes) -> dict[str, Any]:
    try:
        value = json.loads(raw) if raw.strip() else {}
        # Lone surrogates are JSON, and no database takes them.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BodyNotJson("the body is not JSON") from error
    if not isinstance(value, dict):
        raise BodyRefused("the body must be a JSON object")
    return value


def take_text(body: dict[str, Any], field: str, *, default: str | None = None) -> str:
    """A text in a body; raises BodyRefused naming the field."""
    value = body.get(field)
    if value is None:
        value = default
    if not isinstance(value, str) or "\0" in value:
        raise BodyRefused(f"{field} must be text", details={"field": field})
    return value


def find_base_url(scope: Scope, headers: Headers) -> str:
    """Scheme and host that the caller used, if this server answers to it; raises HostRefused.

    Clients refuse URLs on another host than the one they called, so every URL in an answer begins
    with this. Forwarded headers count only where a trusted proxy is set up.
    """
    scheme, host = scope.get("scheme", "http"), headers.get("host", "")
    if settings.SECURE_PROXY_SSL_HEADER:
        host = headers.get("x-forwarded-host") or host
        forwarded = headers.get("x-forwarded-proto", "")
        scheme = forwarded if forwarded in ("http", "https") else scheme
    domain, _ = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        raise HostRefused(
            "this server does not answer to that host name: add it to BELLWETHER_ALLOWED_HOSTS"
        )
    return f"{scheme}://{host}"
