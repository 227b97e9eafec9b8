"""What Hub clients see when something is refused.

They read the body's `error`, the header `X-Error-Message`, and choose the exception to raise by
`X-Error-Code`. Names of requests that go wrong at the door are those of the other planes.

RegistryError
├── RequestRefused           the request itself cannot be taken
│   ├── PathNotFound         nothing answers at this path
│   ├── MethodRefused        the path is right, the method is not
│   ├── HostRefused          a Host header that this server does not answer to
│   ├── BodyRefused          JSON of the wrong shape; `details.field` names the place
│   ├── BodyNotJson          bytes that are not JSON or not UTF-8
│   ├── BodyTooLarge         more bytes than may come at once, or than were announced
│   ├── BodyTooSlow          a body that came too slowly, or stopped
│   └── ClientGone           the client hung up
├── LengthRequired           (registry.errors) a body without Content-Length
├── UploadRefused            (registry.errors) an upload URL that is forged, expired or used
├── UploadMismatch           (registry.errors) bytes that are not what was announced
├── RangeNotSatisfiable      (registry.errors) a range of bytes that the file does not have
└── NotSupported             (registry.errors) a part of the Hub that is not here
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.responses import JSONResponse, Response

from access.errors import BellwetherError
from registry.errors import RegistryError

MAX_HEADER_CHARS = 500

# The exceptions of the client library, by name; any other code stands for itself.
CLIENT_CODES = {
    "model_not_found": "RepoNotFound",
    "revision_not_found": "RevisionNotFound",
    "entry_not_found": "EntryNotFound",
    # Over plain HTTP a client takes a bare 401 for anything but "not found or not yours".
    "missing_key": "RepoNotFound",
}
# The client library tells a bad token from a hidden model by these words alone.
BAD_TOKEN = "Invalid credentials in Authorization header"  # noqa: S105 - a sentence, not a secret

_UNSAFE = re.compile(r"[^\x20-\x7e]+")


class RequestRefused(RegistryError):
    """The request itself cannot be taken."""


class PathNotFound(RequestRefused):
    code = "not_found"


class MethodRefused(RequestRefused):
    code = "method_not_allowed"


class HostRefused(RequestRefused):
    code = "host_not_allowed"


class BodyRefused(RequestRefused):
    code = "invalid_request"


class BodyNotJson(RequestRefused):
    code = "invalid_json"


class BodyTooLarge(RequestRefused):
    code = "body_too_large"


class BodyTooSlow(RequestRefused):
    code = "body_too_slow"


class ClientGone(RequestRefused):
    code = "request_cancelled"


@dataclass(frozen=True, slots=True)
class ErrorTable:
    """The one table from error code to status and headers, which lies above this room."""

    status_of: Callable[[BellwetherError], int]
    headers_of: Callable[[BellwetherError], dict[str, str]]

    def answer(self, error: BellwetherError, extra: Mapping[str, str] | None = None) -> Response:
        """What a client sees of `error`."""
        headers = {
            **self.headers_of(error),
            "X-Error-Code": CLIENT_CODES.get(error.code, error.code),
            "X-Error-Message": header_text(
                BAD_TOKEN if error.code == "invalid_key" else error.message
            ),
            **(extra or {}),
        }
        return JSONResponse({"error": error.message}, self.status_of(error), headers)


def bug_answer(request_id: str) -> Response:
    """What a client sees of a bug."""
    text = f"Something went wrong on our side. Quote the request id {request_id} when you report it"
    headers = {"X-Error-Code": "internal_error", "X-Error-Message": header_text(text)}
    return JSONResponse({"error": text}, 500, headers)


def header_text(text: str) -> str:
    """`text` as one line of printable ASCII that fits a header."""
    return _UNSAFE.sub("?", " ".join(text.split()))[:MAX_HEADER_CHARS]
