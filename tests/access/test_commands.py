import re
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.utils import timezone

from access.entrance import get_gate
from access.models import ApiKey
from access.scopes import Scope
from access.services import create_key, revoke_key

pytestmark = pytest.mark.django_db


def run(*args: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_create_key_prints_only_the_key_to_standard_output() -> None:
    out, err = run("create_key", "ci", "--scope", "predict", "--scope", "read")
    assert re.fullmatch(r"\w{8}\.\w{32}\n", out)
    assert "ci" in err
    assert out.strip() not in err
    assert get_gate().admit(None, out.strip(), Scope.READ).name == "ci"


def test_create_key_takes_a_rate_and_days() -> None:
    run("create_key", "ci", "--scope", "predict", "--rate", "5/minute", "--expires-days", "7")
    key = ApiKey.objects.get()
    assert key.rate == "5/minute"
    assert key.expiry_date is not None
    left = key.expiry_date - timezone.now()
    assert timedelta(days=6, hours=23) < left <= timedelta(days=7)


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["ci", "--scope", "fly"], "invalid choice: 'fly'"),
        (["ci"], "required: --scope"),
        (["ci", "--scope", "predict", "--rate", "often"], "rate: 'often'"),
        (["ci", "--scope", "predict", "--expires-days", "0"], "expected 1 to"),
        (["ci", "--scope", "predict", "--expires-days", "99999999999"], "expected 1 to"),
        (["x" * 51, "--scope", "predict"], "name: "),
    ],
)
def test_create_key_refuses_with_a_sentence(args: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        run("create_key", *args)
    assert not ApiKey.objects.exists()


def test_revoke_key_takes_a_prefix_or_a_whole_key() -> None:
    for whole in (False, True):
        key, plaintext = create_key("ci", ["predict"])
        out, _ = run("revoke_key", plaintext if whole else key.prefix)
        assert key.prefix in out
        assert plaintext not in out
        assert ApiKey.objects.get(pk=key.pk).revoked


def test_revoke_key_refuses_an_unknown_prefix() -> None:
    with pytest.raises(CommandError, match="no key has the prefix"):
        run("revoke_key", "nosuchke")


def test_keys_lists_every_key_with_its_state(root: User) -> None:
    revoked, _ = create_key("revoked one", ["predict"])
    revoke_key(revoked.prefix)
    expired, _ = create_key("expired one", ["read"])
    ApiKey.objects.filter(pk=expired.pk).update(expiry_date=timezone.now() - timedelta(days=1))
    create_key("of somebody gone", ["read"], owner=root)
    User.objects.filter(pk=root.pk).update(is_active=False)
    _, plaintext = create_key("good one", ["predict", "read"], rate="5/minute")

    out, _ = run("keys")
    lines = out.splitlines()
    assert lines[0].startswith("PREFIX")
    assert {line.split()[0]: line for line in lines}.keys() >= {revoked.prefix, expired.prefix}
    states = {"revoked one": "revoked", "expired one": "expired", "of somebody": "owner inactive"}
    for name, state in {**states, "good one": "usable"}.items():
        (line,) = [line for line in lines if name in line]
        assert line.endswith(state)
    assert "predict,read" in lines[1]
    assert "5/minute" in lines[1]
    assert plaintext not in out


def test_keys_of_an_empty_house_is_a_heading() -> None:
    assert len(run("keys")[0].splitlines()) == 1
