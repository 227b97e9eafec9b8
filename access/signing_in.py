"""Signing in to the admin, not too often: who guesses passwords has to wait.

Attempts count by name and address together, so that a stranger elsewhere cannot lock somebody out,
and by address alone, so that one address cannot try many names.
"""

import hashlib
import math
from typing import Any

from django import forms
from unfold.forms import AuthenticationForm

from access.entrance import get_gate
from access.errors import RateLimited
from access.keyring import KeyFacts

OF_ADDRESS = "60 per 5 minute"
OF_NAME = "10 per 5 minute"


class SignInForm(AuthenticationForm):  # type: ignore[misc]
    """Name and password; the admin's own form but for the limit."""

    def clean(self) -> dict[str, Any]:
        name = str(self.cleaned_data.get("username") or "")
        try:
            count_attempt(str(self.request.META.get("REMOTE_ADDR", "")), name)
        except RateLimited as error:
            raise forms.ValidationError(_too_often(error), code="too_often") from error
        cleaned: dict[str, Any] = super().clean()
        return cleaned


def count_attempt(address: str, name: str) -> None:
    """Count one attempt to sign in; raises RateLimited with `retry_after_s`."""
    limiter = get_gate().limiter
    limiter.hit(_counted(f"sign-in:{address}", OF_ADDRESS))
    # A name may be long, and is nobody's business in a counter.
    digest = hashlib.sha256(name.casefold().encode(errors="replace")).hexdigest()[:24]
    limiter.hit(_counted(f"sign-in:{address}:{digest}", OF_NAME))


def _counted(id: str, rate: str) -> KeyFacts:
    return KeyFacts(id=id, name=id, scopes=frozenset(), rate=rate)


def _too_often(error: RateLimited) -> str:
    wait_s = math.ceil(error.retry_after_s or 0)
    wait = f"{wait_s} seconds" if wait_s < 120 else f"{math.ceil(wait_s / 60)} minutes"
    return f"Too many attempts to sign in from this address. Try again in {wait}."
