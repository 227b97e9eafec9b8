"""Which handler a path of the Hub means, decided on the path as it was sent (pure).

A revision may hold a slash, which clients send as `%2F`: a server that decodes the path first
cannot tell it from a separator. So patterns are matched by raw segments, and only then unquoted.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote_to_bytes

from access.scopes import Scope
from registry.hub.errors import MethodRefused, PathNotFound
from registry.names import RESERVED_NAMESPACES

if TYPE_CHECKING:
    from starlette.responses import Response

    from registry.hub.calls import Call

Handler = Callable[["Call"], Awaitable["Response"]]

MAX_PATH_BYTES = 4096
GIT_SUFFIX = ".git"

# First segments that are the Hub's, whatever follows; `/api/v1` is the management API's.
_OURS = frozenset({"_lfs", "_cas", "datasets", "spaces", "kernels"})


@dataclass(frozen=True, slots=True)
class HubRoute:
    """One method and path of the Hub.

    In `pattern`, `{x}` is one segment, `{x*}` all that follow (perhaps none), `{x}.git` a segment
    with that ending. `scope` None: the handler looks for itself whether it lets the caller in.
    """

    method: str
    pattern: str
    handler: Handler
    scope: Scope | None
    segments: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "segments", tuple(self.pattern.strip("/").split("/")))


class Found(NamedTuple):
    """A route, and what its placeholders stand for, unquoted."""

    route: HubRoute
    params: dict[str, str]


class Router:
    """Finds routes by raw path; the first that fits is taken."""

    def __init__(self, routes: Iterable[HubRoute]) -> None:
        self._routes = tuple(routes)

    def is_ours(self, raw_path: bytes) -> bool:
        """Whether this path is the Hub's, be there a route or not."""
        segments = _split(raw_path)
        if segments[0] == "api":
            return len(segments) > 1 and segments[1] != "v1"
        if segments[0] in _OURS:
            return True
        if segments[0].lower() in RESERVED_NAMESPACES or len(segments) < 3:
            return False
        return any(_match(route.segments, segments) is not None for route in self._routes)

    def find(self, method: str, raw_path: bytes) -> Found:
        """The route for a request; raises PathNotFound or MethodRefused."""
        segments = _split(raw_path)
        fitting = [
            (route, raw)
            for route in self._routes
            if (raw := _match(route.segments, segments)) is not None
        ]
        if not fitting or len(raw_path) > MAX_PATH_BYTES:
            raise PathNotFound(
                "this Hub has nothing at that path; docs/reference/hub-api.md lists it all"
            )
        # GET's answer is HEAD's, without its body.
        wanted = {method, "GET"} if method == "HEAD" else {method}
        for route, raw in fitting:
            if route.method in wanted:
                return Found(route, {name: _unquote(text) for name, text in raw.items()})
        allowed = ", ".join(sorted({route.method for route, _ in fitting}))
        raise MethodRefused(
            f"{method:.20} does not work on this path; use {allowed}", details={"allow": allowed}
        )


def _split(raw_path: bytes) -> list[str]:
    return raw_path.decode("latin-1").strip("/").split("/")


def _match(pattern: tuple[str, ...], segments: list[str]) -> Mapping[str, str] | None:
    found: dict[str, str] = {}
    for n, part in enumerate(pattern):
        if part.endswith("*}"):
            found[part[1:-2]] = "/".join(segments[n:])
            return found
        if n >= len(segments) or not _fits(part, segments[n], found):
            return None
    return found if len(segments) == len(pattern) else None


def _fits(part: str, segment: str, found: dict[str, str]) -> bool:
    if not part.startswith("{"):
        return part == segment
    name, _, suffix = part[1:].partition("}")
    if not segment.endswith(suffix) or len(segment) <= len(suffix):
        return False
    found[name] = segment.removesuffix(suffix) if suffix else segment
    return True


def _unquote(raw: str) -> str:
    try:
        text = unquote_to_bytes(raw.encode("latin-1")).decode("utf-8")
    except UnicodeDecodeError as error:
        raise PathNotFound("the path is not UTF-8 once it is unquoted") from error
    if any(char < " " or char == "\x7f" for char in text):
        raise PathNotFound("the path holds a control character")
    return text
