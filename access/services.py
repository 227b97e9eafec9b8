"""The only writers of keys, and the first run."""

import json
import os
import secrets
import tempfile
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from access.entrance import get_gate
from access.errors import InvalidKeyFields, KeyNotFound
from access.models import ApiKey
from access.ratelimit import parse_rate
from access.scopes import Scope, parse_scopes

FIRST_RUN_FILE = "first-run.json"
MAX_NAME_CHARS = 50


def create_key(
    name: str,
    scopes: object,
    *,
    owner: User | None = None,
    rate: str = "",
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key and return its row and the key itself, which is never shown again.

    `rate` "" means the default rate; `expires_at` None means never. The key works in this
    process at once and in others at its first use. Raises InvalidKeyFields, whose `details.field`
    names the place.
    """
    key = ApiKey(
        name=_checked_name(name),
        scopes=[str(scope) for scope in parse_scopes(scopes)],
        owner=owner,
        rate=_checked_rate(rate),
        expiry_date=_checked_expiry(expires_at),
    )
    return key, issue(key)


def issue(key: ApiKey) -> str:
    """Save a filled in but unsaved row under a fresh key, and return that key."""
    plaintext: str = ApiKey.objects.assign_key(key)
    save_key(key)
    return plaintext


def save_key(key: ApiKey) -> None:
    """Save a changed row and have this process look again before it trusts its memory."""
    key.save()
    _forget_known_keys()


def revoke_key(prefix: str) -> ApiKey:
    """Revoke for ever; again changes nothing. Other processes refuse the key within 2 s.

    Raises KeyNotFound.
    """
    key: ApiKey | None = ApiKey.objects.filter(prefix=prefix).first()
    if key is None:
        raise KeyNotFound(
            f"no key has the prefix {prefix[:8]!r}; list the keys to see their prefixes"
        )
    if not key.revoked:
        key.revoked = True
        save_key(key)
    return key


def delete_keys(keys: QuerySet[ApiKey]) -> None:
    """Delete rows; the keys stop working as if revoked. Revoking keeps the row for the record."""
    keys.delete()
    _forget_known_keys()


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstRun:
    """What a first start tells its operator, once: also the fields of `first-run.json`."""

    url: str
    admin_user: str
    admin_password: str = field(repr=False)
    api_key: str = field(repr=False)


def create_first_run(home: Path, url: str) -> FirstRun | None:
    """Make the first administrator and an admin key, and keep both in `home/first-run.json` (0600).

    Returns None when a superuser exists, or when the file's key was once made in this database. The
    file is on disk before the rows are committed: a process killed between the two leaves a file
    whose key no row knows, and the next start makes both anew. Of several processes that start at
    once, one gets the FirstRun and the others None.
    """
    try:
        with transaction.atomic():
            if _has_run(home):
                return None
            first_run = _make_first_run(url)
            _write_private(home / FIRST_RUN_FILE, json.dumps(asdict(first_run), indent=2) + "\n")
    except IntegrityError:
        # Another process made the same account while this one waited for it.
        if _has_run(home):
            return None
        raise
    return first_run


def _has_run(home: Path) -> bool:
    if get_user_model()._default_manager.filter(is_superuser=True).exists():
        return True
    try:
        prefix = json.loads((home / FIRST_RUN_FILE).read_text())["api_key"].partition(".")[0]
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
    return ApiKey.objects.filter(prefix=prefix).exists()


def _make_first_run(url: str) -> FirstRun:
    users = get_user_model()._default_manager
    name = "admin"
    # A superuser of this name was made by another process just now: let the insert fail.
    if users.filter(username=name, is_superuser=False).exists():
        name = f"admin-{secrets.token_hex(3)}"
    password = secrets.token_urlsafe(18)
    users.create_superuser(username=name, email="", password=password)
    # Without an owner, so that the key goes on working when the first account is put away.
    _, plaintext = create_key("first run", [Scope.ADMIN])
    return FirstRun(url=url, admin_user=name, admin_password=password, api_key=plaintext)


def _write_private(path: Path, text: str) -> None:
    handle, fresh = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def _forget_known_keys() -> None:
    ring = get_gate().ring
    ring.forget()
    # Another thread may have looked between the write and the commit.
    transaction.on_commit(ring.forget)


def _checked_name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS or not name.isprintable():
        raise _refused("name", f"expected 1 to {MAX_NAME_CHARS} printable characters")
    return name


def _checked_rate(rate: str) -> str:
    if rate:
        parse_rate(rate)
    return rate


def _checked_expiry(expires_at: datetime | None) -> datetime | None:
    if expires_at is None:
        return None
    if timezone.is_naive(expires_at):
        raise _refused("expires_at", "expected a time with its zone, such as 2030-01-31T12:00:00Z")
    if expires_at <= timezone.now():
        raise _refused("expires_at", "expected a time to come")
    return expires_at


def _refused(name: str, why: str) -> InvalidKeyFields:
    return InvalidKeyFields(f"{name}: {why}", details={"field": name})
