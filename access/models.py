"""API keys as rows. The key is never stored: only its SHA-512 digest and its public prefix."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from rest_framework_api_key.models import AbstractAPIKey

from access.errors import InvalidKeyFields
from access.ratelimit import MAX_RATE_CHARS, parse_rate
from access.roles import permission_of
from access.scopes import Scope, parse_scopes


def validate_scopes(value: object) -> None:
    """Model validator for `parse_scopes`."""
    _validate(parse_scopes, value)


def validate_rate(value: str) -> None:
    """Model validator for `parse_rate`."""
    _validate(parse_rate, value)


class ApiKey(AbstractAPIKey):
    """A key: who may do what, how often, until when. Made and revoked by `access.services` only."""

    scopes = models.JSONField(
        default=list,
        validators=[validate_scopes],
        help_text="What the key may do; admin implies everything else.",
    )
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        # A key must not outlive the account that it acts for.
        on_delete=models.CASCADE,
        related_name="api_keys",
        help_text="The account that the key acts for; empty for a service.",
    )
    rate = models.CharField(
        max_length=MAX_RATE_CHARS,
        blank=True,
        default="",
        validators=[validate_rate],
        help_text="Most requests, such as 600/minute; empty means the server's default.",
    )

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        verbose_name_plural = "API keys"
        # Given to people by their groups: see `access.persons`.
        permissions = [(permission_of(scope), f"Has the scope {scope}") for scope in Scope]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix})"

    def state(self, now: datetime) -> str:
        """Whether the key opens anything, or why not."""
        if self.revoked:
            return "revoked"
        if self.expiry_date and self.expiry_date <= now:
            return "expired"
        if self.owner and not self.owner.is_active:
            return "owner inactive"
        return "usable"


def _validate(parse: Callable[[Any], object], value: object) -> None:
    try:
        parse(value)
    except InvalidKeyFields as error:
        raise ValidationError(error.message, code=error.code) from error
