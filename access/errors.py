"""What can go wrong at the door, and the base of every error a caller may see.

    BellwetherError              a stable `code`, a sentence for people, details for machines
    ├── AccessError
    │   ├── MissingKey           no key came with the request
    │   ├── InvalidKey           the key is unknown, revoked or expired
    │   ├── KeysUnavailable      keys cannot be checked now; trying again can help
    │   ├── ScopeMissing         the key may not do this
    │   ├── RateLimited          the key did this too often
    │   ├── InvalidKeyFields     a key cannot be made like this; `details.field` names the place
    │   └── KeyNotFound          no key has this prefix
    ├── DatabaseUnavailable      what was asked for lives in the database, which does not answer
    ├── registry.errors.RegistryError
    ├── inference.errors.InferenceError
    └── monitoring.errors.MonitoringError

No class here knows a status code: `inference.http.errors` holds the one table from code to status.
Anything that is not a BellwetherError is a bug: it is logged, and the caller sees a request id.
"""

from collections.abc import Mapping
from typing import ClassVar


class BellwetherError(Exception):
    """An expected failure: the caller can read what happened and what to do.

    `code` is part of the API and never changes meaning; `message` names the field and the remedy;
    `details` holds plain JSON values; `retry_after_s` is set where trying again later can help.
    """

    code: ClassVar[str] = "error"

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.retry_after_s = retry_after_s


class AccessError(BellwetherError):
    """The request was understood, and is not let in."""


class MissingKey(AccessError):
    code = "missing_key"


class InvalidKey(AccessError):
    code = "invalid_key"


class KeysUnavailable(AccessError):
    code = "keys_unavailable"


class ScopeMissing(AccessError):
    code = "scope_missing"


class RateLimited(AccessError):
    code = "rate_limited"


class InvalidKeyFields(AccessError):
    code = "invalid_key_fields"


class KeyNotFound(AccessError):
    code = "key_not_found"


class DatabaseUnavailable(BellwetherError):
    code = "database_unavailable"
