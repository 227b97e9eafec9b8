"""The management plane's errors in the shape that every plane uses."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from access.database import unavailable
from access.errors import BellwetherError, MissingKey, ScopeMissing
from inference.errors import (
    InvalidJson,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    UnsupportedMediaType,
)
from inference.http.errors import Dialect, body_of, headers_of, status_of


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's EXCEPTION_HANDLER: None (a bug, logged by Django and answered with 500) for anything
    unexpected.
    """
    ours = translate(error)
    if ours is None:
        return None
    set_rollback()
    dialect: Dialect = getattr(context.get("view"), "dialect", "native")
    return Response(body_of(ours, dialect), status=status_of(ours), headers=headers_of(ours))


def translate(error: Exception) -> BellwetherError | None:
    """Return the error of ours that says what `error` (DRF's, Django's or ours) says; None for a
    bug.
    """
    match error:
        case BellwetherError():
            return error
        case OperationalError() | InterfaceError():
            return unavailable(error)
        case exceptions.ValidationError():
            return InvalidRequest(_sentence(error.detail), details={"fields": error.detail})
        case exceptions.ParseError():
            return InvalidJson(f"The body is not JSON: {error.detail}")
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed(str(error.detail))
        case exceptions.UnsupportedMediaType():
            return UnsupportedMediaType(f"{error.detail} Send application/json.")
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return MissingKey(str(error.detail))
        case exceptions.PermissionDenied() | PermissionDenied():
            return ScopeMissing(str(error))
        case Http404() | exceptions.NotFound():
            return NotFound("There is nothing at this path. GET /docs lists what there is.")
    return None


def _sentence(detail: Any, field: str = "") -> str:
    """Return the first complaint with the field it is about."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        return _sentence(inner, f"{field}.{name}" if field else str(name))
    if isinstance(detail, list):
        return _sentence(detail[0], field) if detail else f"{field}: not valid"
    return f"{field}: {detail}" if field and field != "non_field_errors" else str(detail)
