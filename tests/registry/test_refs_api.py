"""Sealing, refs, aliases and deleting: over HTTP, by command, in the admin."""

import io

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from access.services import create_key
from registry import services
from registry.models import Commit, RegisteredModel, Version
from tests.registry.builders import build_model_dir

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
MODEL = "team/tiny"
TINY = f"/api/v1/models/{MODEL}"


def client(*scopes: str) -> APIClient:
    _, key = create_key("tests", list(scopes))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return api


def run(*args: object) -> str:
    out = io.StringIO()
    call_command(*map(str, args), stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def pushed(register) -> Commit:
    """A commit on main that is no version yet: version 1's files, its version gone."""
    register(1)
    Version.objects.all().delete()
    return Commit.objects.first()


def test_a_pushed_revision_is_sealed_once(pushed):
    pusher = client("push")
    made = pusher.post(f"{TINY}/seal", {"note": "good"}, format="json")
    assert (made.status_code, made.json()["version"], made.json()["note"]) == (201, 1, "good")
    again = pusher.post(f"{TINY}/seal", {"revision": pushed.oid}, format="json")
    assert (again.status_code, again.json()["version"]) == (200, 1)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"revision": "nowhere"}, 404, "revision_not_found"),
        ({"number": 0}, 422, "invalid_request"),
        ({"pooling": "sum"}, 422, "invalid_request"),
        ({"revision": "x" * 300}, 422, "invalid_request"),
    ],
)
def test_what_cannot_be_sealed_says_why(pushed, body, status, code):
    answer = client("push").post(f"{TINY}/seal", body, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_a_model_without_files_cannot_be_sealed(db):
    services.create_model(MODEL, actor="alice")
    answer = client("push").post(f"{TINY}/seal", {}, format="json")
    assert answer.json()["error"]["code"] == "content_refused"


def test_refs_are_listed_and_aliases_moved(register):
    register(1)
    register(2)
    services.promote(MODEL, 1, actor="alice")
    promoter = client("read", "promote")
    put = promoter.put(f"{TINY}/aliases/champion", {"revision": "v2"}, format="json")
    assert put.status_code == 200
    by_name = {ref["name"]: ref for ref in promoter.get(f"{TINY}/refs").json()}
    assert by_name["champion"] == by_name["v2"] | {"name": "champion", "kind": "alias"}
    assert by_name["prod"]["commit"] == by_name["v1"]["commit"]
    assert promoter.delete(f"{TINY}/aliases/champion").status_code == 204
    gone = promoter.delete(f"{TINY}/aliases/champion")
    assert gone.json()["error"]["code"] == "revision_not_found"


@pytest.mark.parametrize("alias", ["prod", "v1", "HEAD", "a..b", "%2e%2e"])
def test_reserved_and_illegal_aliases_are_refused(register, alias):
    register(1)
    answer = client("promote").put(f"{TINY}/aliases/{alias}", {"revision": "v1"}, format="json")
    assert answer.json()["error"]["code"] == "invalid_ref"


def test_keys_without_the_scope_may_not(register):
    register(1)
    reader = client("read")
    for answer in (
        reader.post(f"{TINY}/seal", {}, format="json"),
        reader.put(f"{TINY}/aliases/a", {"revision": "v1"}, format="json"),
        reader.delete(TINY),
    ):
        assert answer.json()["error"]["code"] == "scope_missing"


def test_a_model_is_deleted_only_when_nothing_of_it_is_routed(register):
    register(1)
    services.promote(MODEL, 1, actor="alice")
    admin = client("admin")
    assert admin.delete(TINY).json()["error"]["code"] == "model_is_live"
    RegisteredModel.objects.get().routes.all().delete()
    assert admin.delete(f"{TINY}?reason=tidy").status_code == 204
    assert admin.get(TINY).status_code == 404


def test_commands_seal_name_and_delete(pushed):
    assert "sealed team/tiny version 1" in run("seal", MODEL)
    assert "nothing new" in run("seal", MODEL, "main")
    assert "champion" in run("refs", MODEL, "--set", "champion=1")
    assert "champion" not in run("refs", MODEL, "--forget", "champion")
    with pytest.raises(CommandError, match="--set ALIAS=REVISION"):
        run("refs", MODEL, "--set", "champion")
    with pytest.raises(CommandError, match="--yes"):
        run("delete_model", MODEL)
    assert "deleted" in run("delete_model", MODEL, "--yes")


def test_the_admin_seals_a_commit_and_shows_names(pushed, tmp_path):
    get_user_model().objects.create_superuser("root", password="x")
    browser = Client()
    browser.login(username="root", password="x")
    page = reverse("admin:registry_commit_changelist")
    answer = browser.post(page, {"action": "seal", "_selected_action": [pushed.pk]}, follow=True)
    assert "team/tiny version 1 is sealed" in answer.content.decode()
    assert "v1, main" in browser.get(page).content.decode()
    assert "main" in browser.get(reverse("admin:registry_ref_changelist")).content.decode()
    detail = browser.get(reverse("admin:registry_commit_change", args=[pushed.pk]))
    assert detail.status_code == 200


def test_the_directory_of_another_model_changes_nothing_here(register, tmp_path):
    register(1)
    folder = build_model_dir(tmp_path / "other", seed=9)
    services.register_directory(folder, "other/model", actor="bob")
    assert run("refs", MODEL).count("\n") == 2
