"""The first administrator and key: made once, private on disk, never a lock-out."""

import json
import stat
import threading
from pathlib import Path

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User
from django.db import connection, transaction

from access.entrance import get_gate
from access.models import ApiKey
from access.scopes import Scope
from access.services import FIRST_RUN_FILE, FirstRun, create_first_run

URL = "http://127.0.0.1:8000"


def opens_everything(first_run: FirstRun) -> bool:
    facts = get_gate().admit(None, first_run.api_key, Scope.ADMIN)
    user = authenticate(username=first_run.admin_user, password=first_run.admin_password)
    return facts.scopes == {Scope.ADMIN} and isinstance(user, User) and user.is_superuser


def written(home: Path) -> dict[str, str]:
    kept: dict[str, str] = json.loads((home / FIRST_RUN_FILE).read_text())
    return kept


@pytest.mark.django_db
def test_the_first_start_makes_an_administrator_and_a_key_that_work(tmp_path: Path) -> None:
    first_run = create_first_run(tmp_path, URL)
    assert first_run is not None
    assert opens_everything(first_run)
    assert first_run.admin_user == "admin"
    assert len(first_run.admin_password) >= 20


@pytest.mark.django_db
def test_the_file_holds_the_four_fields_for_its_owner_only(tmp_path: Path) -> None:
    first_run = create_first_run(tmp_path, URL)
    assert first_run is not None
    assert written(tmp_path) == {
        "url": URL,
        "admin_user": first_run.admin_user,
        "admin_password": first_run.admin_password,
        "api_key": first_run.api_key,
    }
    assert stat.S_IMODE((tmp_path / FIRST_RUN_FILE).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [FIRST_RUN_FILE]


@pytest.mark.django_db
def test_secrets_are_not_in_the_repr(tmp_path: Path) -> None:
    first_run = create_first_run(tmp_path, URL)
    assert first_run is not None
    assert first_run.api_key not in repr(first_run)
    assert first_run.admin_password not in repr(first_run)


@pytest.mark.django_db
def test_the_second_start_makes_nothing(tmp_path: Path) -> None:
    create_first_run(tmp_path, URL)
    before = written(tmp_path)
    assert create_first_run(tmp_path, "http://elsewhere") is None
    assert written(tmp_path) == before
    assert (User.objects.count(), ApiKey.objects.count()) == (1, 1)


@pytest.mark.django_db
def test_a_superuser_that_exists_is_enough(root: User, tmp_path: Path) -> None:
    assert create_first_run(tmp_path, URL) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.django_db
def test_an_administrator_removed_on_purpose_does_not_come_back(tmp_path: Path) -> None:
    create_first_run(tmp_path, URL)
    User.objects.all().delete()
    assert create_first_run(tmp_path, URL) is None


class KilledError(Exception):
    pass


def start_and_die_before_the_commit(home: Path) -> None:
    with transaction.atomic():
        assert create_first_run(home, URL) is not None
        raise KilledError


@pytest.mark.django_db
def test_a_start_killed_between_file_and_commit_is_done_again(tmp_path: Path) -> None:
    with pytest.raises(KilledError):
        start_and_die_before_the_commit(tmp_path)
    lost_key = written(tmp_path)["api_key"]
    assert not User.objects.exists()

    again = create_first_run(tmp_path, URL)
    assert again is not None
    assert written(tmp_path)["api_key"] == again.api_key != lost_key
    assert opens_everything(again)


@pytest.mark.django_db
def test_a_home_that_cannot_be_written_leaves_no_account_behind(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="nowhere"):
        create_first_run(tmp_path / "nowhere", URL)
    assert not User.objects.exists()
    assert not ApiKey.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"api_key": 7}', '{"url": "x"}'])
def test_a_spoilt_file_is_made_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / FIRST_RUN_FILE).write_text(text)
    (tmp_path / FIRST_RUN_FILE).chmod(0o644)
    first_run = create_first_run(tmp_path, URL)
    assert first_run is not None
    assert opens_everything(first_run)
    assert stat.S_IMODE((tmp_path / FIRST_RUN_FILE).stat().st_mode) == 0o600


@pytest.mark.django_db
def test_a_plain_account_called_admin_is_left_alone(tmp_path: Path) -> None:
    User.objects.create_user("admin", password="theirs")
    first_run = create_first_run(tmp_path, URL)
    assert first_run is not None
    assert first_run.admin_user.startswith("admin-")
    assert opens_everything(first_run)
    assert authenticate(username="admin", password="theirs") is not None


@pytest.mark.django_db(transaction=True)
def test_of_processes_that_start_together_one_makes_the_account(tmp_path: Path) -> None:
    start, made = threading.Barrier(4), []

    def run() -> None:
        start.wait()
        try:
            made.append(create_first_run(tmp_path, URL))
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (winner,) = [first_run for first_run in made if first_run is not None]
    assert len(made) == 4
    assert written(tmp_path)["api_key"] == winner.api_key
    assert opens_everything(winner)
    assert User.objects.count() == 1
