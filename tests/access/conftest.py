from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User

from access.entrance import use_gate
from tests.access.doubles import Clock


@pytest.fixture(autouse=True)
def _fresh_gate() -> Iterator[None]:
    with use_gate(None):
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits_time(monkeypatch: pytest.MonkeyPatch, settings) -> Clock:
    """A clock that the limits library's memory storage reads instead of the real one.

    Requests are counted in memory then: a Redis has a clock of its own.
    """
    settings.REDIS_URL = ""
    clock = Clock(now=1_700_000_000.0)
    monkeypatch.setattr("limits.storage.memory.time", clock)
    return clock


@pytest.fixture
def root(db: None) -> User:
    return User.objects.create_superuser("root", password="not used")
