"""One guarded POST: bounded in time, bytes and reach; no redirects. Pure.

The host must be public and asked by https, unless BELLWETHER_WEBHOOK_HOSTS names it.
"""

from collections.abc import Collection, Mapping

from monitoring.errors import DeliveryFailed
from monitoring.notifiers.base import MAX_URL_CHARS, TIMEOUT_S, invalid
from registry.addresses import Origin, origin_of, show_url
from registry.errors import AddressRefused, SourceUnreachable
from registry.netguard import GuardedClient, Resolve, resolve_host
from registry.remote.facts import Target

SETTING = "BELLWETHER_WEBHOOK_HOSTS"
MAX_ANSWER_BYTES = 64 * 1024
# Others of the 400s say that the request itself is wrong: sending it again changes nothing.
PASSING_STATUSES = frozenset({408, 409, 423, 425, 429})


class Poster:
    """POSTs to one URL; `allowed` are hosts (`host`, `host:port`) that may be private."""

    def __init__(
        self, url: str, *, allowed: Collection[str] = (), resolve: Resolve = resolve_host
    ) -> None:
        self._url = url
        trusted = (url,) if _is_allowed(origin_of(url), allowed) else ()
        self._client = GuardedClient(url, trusted=trusted, resolve=resolve, setting=SETTING)

    def post(self, body: bytes, headers: Mapping[str, str]) -> None:
        """Send `body`; anything but a status in the 200s raises DeliveryFailed."""
        try:
            with self._client.post(
                self._url,
                body,
                headers={"Content-Type": "application/json", **headers},
                max_bytes=MAX_ANSWER_BYTES,
                deadline_s=TIMEOUT_S,
            ) as answer:
                status = answer.status
        except AddressRefused as error:
            raise DeliveryFailed(error.message, is_permanent=True) from error
        except SourceUnreachable as error:
            raise DeliveryFailed(error.message) from error
        _check(status, show_url(self._url))


def check_url(value: object, field: str, allowed: Collection[str]) -> str:
    """A URL that may be posted to, as far as can be seen without asking. Raises InvalidChannel."""
    if not isinstance(value, str) or len(value) > MAX_URL_CHARS:
        raise invalid(field, f"must be a URL of at most {MAX_URL_CHARS} characters")
    try:
        origin = origin_of(value)
    except AddressRefused as error:
        raise invalid(field, f"is no URL that can be used: {error.message}") from error
    if origin.scheme != "https" and not _is_allowed(origin, allowed):
        raise invalid(field, f"must begin with https://, or its host be listed in {SETTING}")
    return value


def _is_allowed(origin: Origin, allowed: Collection[str]) -> bool:
    return Target(*origin).is_allowed_by(allowed)


def _check(status: int, shown: str) -> None:
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise DeliveryFailed(
            f"{shown} redirects, which is not followed: give the final address", is_permanent=True
        )
    is_permanent = 400 <= status < 500 and status not in PASSING_STATUSES
    raise DeliveryFailed(f"{shown} answers {status}", is_permanent=is_permanent)
