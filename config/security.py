"""What a browser may do with a page of the management plane, as headers on every answer.

Three policies: the admin's, the API documentation's, and one for all else, which allows nothing.
The admin's is as tight as its theme allows: Alpine makes functions of the attributes in the theme's
templates (`unsafe-eval`), and the theme writes its colours into a `<style>` of the page. No policy
lets a page run a script that is written into it, nor reach another host.
"""

from typing import Any

from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from csp.middleware import CSPMiddleware, PolicyParts
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Policy = dict[str, list[str]]

NOTHING: Policy = {
    "default-src": [NONE],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [NONE],
}
_PAGE: Policy = {
    **NOTHING,
    "connect-src": [SELF],
    "font-src": [SELF],
    "form-action": [SELF],
    "img-src": [SELF, "data:"],
    "object-src": [NONE],
    "script-src": [SELF],
    "style-src": [SELF, UNSAFE_INLINE],
}
ADMIN: Policy = {**_PAGE, "script-src": [SELF, UNSAFE_EVAL]}
DOCS: Policy = _PAGE

PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "usb",
    )
)


def policy_for(path: str) -> Policy:
    """What the answer at `path` may do where a browser shows it."""
    if path.startswith("/admin/"):
        return ADMIN
    return DOCS if path == "/docs" else NOTHING


class SecurityHeaders(CSPMiddleware):
    """Sets Content-Security-Policy by path, and switches the devices of the browser off.

    Django's own middleware sets the others: nosniff, Referrer-Policy, the opener policy.
    """

    def get_policy_parts(
        self, request: HttpRequest, response: HttpResponseBase, report_only: bool = False
    ) -> PolicyParts:
        if report_only:
            return PolicyParts()
        config: dict[str, Any] = policy_for(request.path)
        return PolicyParts(config=config)

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        response = super().process_response(request, response)
        response.setdefault("Permissions-Policy", PERMISSIONS)
        return response
