"""Signed tokens: what a URL or a header lets its bearer do, for one purpose and until a time.

A token is `<claims>.<mac>`: base64url of canonical JSON, and an HMAC-SHA256 of it under a key that
Django's SECRET_KEY and the purpose give. A token made for one purpose is worth nothing for another.
"""

import base64
import binascii
import hmac
import json
from collections.abc import Mapping
from typing import Any

from django.utils.crypto import salted_hmac

from registry.errors import UploadRefused

MAX_TOKEN_CHARS = 2_048


def sign(purpose: str, claims: Mapping[str, Any], expires_at: float) -> str:
    """A token that carries `claims` (plain JSON, readable by all) until `expires_at` (epoch s)."""
    body = json.dumps(
        {"claims": dict(claims), "exp": int(expires_at)}, separators=(",", ":"), sort_keys=True
    )
    payload = _encode(body.encode())
    return f"{payload}.{_encode(_mac(purpose, payload))}"


def unsign(purpose: str, token: str, *, now: float) -> dict[str, Any]:
    """The claims of a token for this `purpose`; raises UploadRefused if forged or expired."""
    payload, _, mac = token.partition(".")
    try:
        is_ours = len(token) <= MAX_TOKEN_CHARS and hmac.compare_digest(
            _decode(mac), _mac(purpose, payload)
        )
    except (ValueError, binascii.Error):
        is_ours = False
    if not is_ours:
        raise UploadRefused("the signature of this URL or token is not ours: ask for a new one")
    message = json.loads(_decode(payload))
    if message["exp"] < now:
        raise UploadRefused("this URL or token has expired: ask for a new one")
    claims: dict[str, Any] = message["claims"]
    return claims


def _mac(purpose: str, payload: str) -> bytes:
    return salted_hmac(f"registry.hub.{purpose}", payload, algorithm="sha256").digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    if not text.isascii():
        raise ValueError("not base64")
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if _encode(data) != text:
        # One token has one spelling.
        raise ValueError("not canonical base64")
    return data
