"""The one ASGI route that runs all of the Hub's.

host → route → key → handler → answer; whatever is refused on the way becomes an error answer
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response
from starlette.routing import BaseRoute, Match

from access.errors import BellwetherError
from access.keyring import KeyFacts
from access.scopes import Scope
from registry.hub import committing, lfs, preupload, reading, repos, resolving
from registry.hub.bodies import announced_length
from registry.hub.calls import NOBODY, Call, find_base_url
from registry.hub.errors import ClientGone, ErrorTable, bug_answer
from registry.hub.routing import HubRoute, Router
from registry.hub.xet import routes as xet

log = logging.getLogger(__name__)

Admit = Callable[[list[tuple[bytes, bytes]], Scope], Awaitable[KeyFacts]]
LABEL = "hub"
# A refused body up to this size is read to its end, so that the connection can be used again.
MAX_DRAINED_BYTES = 8 * 1024**2


def routes() -> list[HubRoute]:
    """Everything that the Hub answers."""
    parts = (reading, resolving, repos, preupload, committing, lfs, xet)
    return [route for part in parts for route in part.routes()]


class Hub(BaseRoute):
    """Takes the paths that are the Hub's and answers them; other paths go on to other routes."""

    def __init__(self, routes: Iterable[HubRoute], admit: Admit, errors: ErrorTable) -> None:
        self._router = Router(routes)
        self._admit, self._errors = admit, errors

    def matches(self, scope: Any) -> tuple[Match, Any]:
        is_ours = scope["type"] == "http" and self._router.is_ours(_raw_path(scope))
        return (Match.FULL if is_ours else Match.NONE), {}

    async def handle(self, scope: Any, receive: Any, send: Any) -> None:
        scope["state"]["route"] = LABEL
        response = await self._respond(scope, receive)
        await response(scope, receive, send)

    async def _respond(self, scope: Any, receive: Any) -> Response:
        headers = Headers(scope=scope)
        try:
            return await self._answer(scope, receive, headers)
        except BellwetherError as error:
            extra = _extra(error)
            if (announced_length(headers) or 0) > MAX_DRAINED_BYTES:
                extra["Connection"] = "close"
            return self._errors.answer(error, extra)
        except Exception:
            log.exception("bug in the Hub at %s", scope["path"])
            return bug_answer(scope["state"]["request_id"])

    async def _answer(self, scope: Any, receive: Any, headers: Headers) -> Response:
        base_url = find_base_url(scope, headers)
        route, params = self._router.find(scope["method"], _raw_path(scope))
        key = NOBODY if route.scope is None else await self._admit(scope["headers"], route.scope)
        call = Call(
            method=scope["method"],
            params=params,
            query=QueryParams(scope.get("query_string", b"")),
            headers=headers,
            key=key,
            base_url=base_url,
            receive=receive,
        )
        return await route.handler(call)


def _raw_path(scope: Any) -> bytes:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0]


def _extra(error: BellwetherError) -> dict[str, str]:
    """Headers that belong to one kind of refusal."""
    if error.code == "entry_not_found" and "commit" in error.details:
        # Clients remember that a file is missing at a commit, so they must learn at which.
        return {"X-Repo-Commit": str(error.details["commit"])}
    if error.code == "range_not_satisfiable":
        return {"Content-Range": f"bytes */{error.details['size']}"}
    return {"Connection": "close"} if isinstance(error, ClientGone) else {}
