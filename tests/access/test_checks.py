import pytest
from django.core.checks import run_checks
from django.test import override_settings

from access import checks


def found(**settings: str) -> set[str]:
    with override_settings(**settings):
        ids = {message.id or "" for message in run_checks()}
    return {name for name in ids if name.startswith("access.")}


def test_the_defaults_pass() -> None:
    assert found() == set()
    assert found(REDIS_URL="") == set()


def test_a_bad_default_rate_is_found_before_the_first_request() -> None:
    assert found(BELLWETHER_RATE_LIMIT="often") == {"access.E001"}


def test_another_kind_of_address_is_not_taken_for_redis() -> None:
    with override_settings(REDIS_URL="http://:secret@host"):
        (message,) = checks.check_redis()
    assert message.id == "access.E002"
    assert "secret" not in f"{message.msg} {message.hint}"


def test_a_redis_without_its_client_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "find_spec", lambda name: None)
    assert found(REDIS_URL="redis://localhost") == {"access.E003"}
