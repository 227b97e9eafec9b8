"""This process's one gate, put together from the settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.signals import setting_changed

from access.gate import Gate
from access.keyring import KeyRing
from access.queries import load_usable_keys
from access.ratelimit import make_limiter
from access.tickets import read_ticket

_SETTINGS = frozenset({"BELLWETHER_AUTH", "BELLWETHER_RATE_LIMIT", "REDIS_URL", "DATABASES"})
_gate: Gate | None = None


def get_gate() -> Gate:
    """Return the gate that both planes share here; made at the first call, without I/O."""
    global _gate
    if _gate is None:
        _gate = Gate(
            KeyRing(load_usable_keys),
            make_limiter(settings.BELLWETHER_RATE_LIMIT, settings.REDIS_URL),
            is_open=not settings.BELLWETHER_AUTH,
            read_ticket=read_ticket,
        )
    return _gate


@contextmanager
def use_gate(gate: Gate | None) -> Iterator[None]:
    """Put another gate in place, or a fresh one for None: for tests and benchmarks."""
    global _gate
    before, _gate = _gate, gate
    try:
        yield
    finally:
        _gate = before


def _start_again(*, setting: str, **_: Any) -> None:
    global _gate
    if setting in _SETTINGS:
        _gate = None


setting_changed.connect(_start_again, dispatch_uid="access.entrance")
