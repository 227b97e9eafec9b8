"""Operations and imports over HTTP and in the admin."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core import signing
from django.urls import reverse
from rest_framework.test import APIClient

from access.services import create_key
from registry import tasks, uploads
from registry.models import Operation, Version
from registry.services import operations
from registry.specs import OperationKind
from tests.registry.builders import build_model_dir
from tests.registry.sources.loopback import Loopback, SmallHub, serve

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
IMPORT = "/api/v1/models/team/tiny/import"
OPERATIONS = "/api/v1/operations"


def api_client(*scopes: str) -> APIClient:
    _, key = create_key("tests", list(scopes))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return api


@pytest.fixture
def server(tmp_path, settings) -> Iterator[Loopback]:
    with serve(SmallHub(build_model_dir(tmp_path / "upstream"))) as server:
        settings.BELLWETHER_IMPORT_ENDPOINTS = [server.url]
        settings.HF_TOKEN = ""
        yield server


def code(response) -> str:
    return response.json()["error"]["code"]


def test_an_import_is_queued_then_worked_then_read(server):
    api = api_client("push", "read")
    answer = api.post(IMPORT, {"source": "org/tiny", "note": "n"}, format="json")
    assert answer.status_code == 202, answer.content
    started = answer.json()
    assert (started["state"], started["kind"]) == ("queued", "import")
    assert answer["Location"] == f"{OPERATIONS}/{started['id']}"
    assert not server.seen
    tasks.work_on.call(started["id"])
    found = api.get(answer["Location"]).json()
    assert (found["state"], found["result"]["version"]) == ("done", 1)
    assert found["done"] == found["total"] > 0
    assert Version.objects.get().created_by.startswith("tests (")
    assert [row["id"] for row in api.get(OPERATIONS).json()["results"]] == [started["id"]]


def test_an_import_that_fails_says_why(server):
    api = api_client("push", "read")
    started = api.post(IMPORT, {"source": "org/none"}, format="json").json()
    tasks.work_on.call(started["id"])
    found = api.get(f"{OPERATIONS}/{started['id']}").json()
    assert (found["state"], found["error_code"]) == ("failed", "source_unreadable")
    assert "org/none" in found["message"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "invalid_request"),
        ({"source": "a b"}, "invalid_field"),
        ({"source": "org/tiny", "pooling": "sum"}, "invalid_request"),
        ({"source": "org/tiny", "endpoint": "https://elsewhere.example"}, "endpoint_not_allowed"),
        ({"source": "org/tiny", "endpoint": "http://169.254.169.254"}, "endpoint_not_allowed"),
        ({"source": "org/tiny", "endpoint": "file:///etc/passwd"}, "address_refused"),
        ({"source": "org/tiny", "promote": "perhaps"}, "invalid_request"),
        ({"source": "org/tiny", "revision": "x" * 300}, "invalid_request"),
    ],
)
def test_wrong_imports_are_refused_at_once(server, body, expected):
    answer = api_client("push").post(IMPORT, body, format="json")
    assert (answer.status_code, code(answer)) == (422, expected)
    assert not Operation.objects.exists()


def test_scopes_are_asked_for(server):
    body = {"source": "org/tiny", "promote": True}
    assert code(api_client("read").post(IMPORT, body, format="json")) == "scope_missing"
    assert code(api_client("push").post(IMPORT, body, format="json")) == "scope_missing"
    both = api_client("push", "promote").post(IMPORT, body, format="json")
    assert both.status_code == 202
    where = f"{OPERATIONS}/{both.json()['id']}"
    assert code(api_client("push").get(where)) == "scope_missing"
    assert code(api_client("push", "read").post(f"{where}/cancel")) == "scope_missing"


def test_an_operation_is_cancelled_and_tried_again(server):
    operation = tasks.enqueue(OperationKind.ARCHIVE, "a drill", actor="alice")
    api, where = api_client("admin"), f"{OPERATIONS}/{operation}"
    assert api.post(f"{where}/cancel").json()["error_code"] == "operation_cancelled"
    assert code(api.post(f"{where}/cancel")) == "operation_taken"
    again = api.post(f"{where}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "queued")


def test_what_is_not_there_is_a_404():
    api = api_client("admin")
    for path in (f"{uuid4()}", f"{uuid4()}/cancel"):
        method = api.post if path.endswith("cancel") else api.get
        assert code(method(f"{OPERATIONS}/{path}")) == "operation_not_found"


LIST = "admin:registry_operation_changelist"


def test_the_admin_says_what_to_do_when_there_is_nothing(admin_client):
    page = admin_client.get(reverse(LIST)).content.decode()
    assert "Nothing has been imported" in page
    assert "operation_refresh.js" not in page


def test_the_admin_shows_progress_and_refreshes_while_there_is_work(admin_client):
    operation = operations.start(OperationKind.DRILL, "a drill", actor="alice")
    with operations.running(operation) as watch:
        watch(4_200_000, 10_000_000)
        for url in (reverse(LIST), reverse("admin:registry_operation_change", args=[operation])):
            page = admin_client.get(url).content.decode()
            assert "42 % of 10.0 MB" in page
            assert "operation_refresh.js" in page
        watch.result = {"version": 7}
    page = admin_client.get(reverse(LIST)).content.decode()
    assert "version 7" in page
    assert "operation_refresh.js" not in page


def test_the_admin_imports_a_model(server, admin_client):
    url = reverse("admin:registry_operation_import_model")
    assert "org/model" in admin_client.get(url).content.decode()
    wanted = {"source": "org/tiny", "name": "team/tiny", "endpoint": server.url}
    answer = admin_client.post(url, wanted)
    operation = Operation.objects.get()
    assert answer["Location"] == reverse("admin:registry_operation_change", args=[operation.pk])
    assert operation.actor == "admin (admin)"
    tasks.work_on.call(str(operation.pk))
    assert Version.objects.get().model.name == "tiny"


def test_the_admin_says_what_is_wrong_with_an_import(server, admin_client):
    url = reverse("admin:registry_operation_import_model")
    wanted = {"source": "org/tiny", "name": "tiny", "endpoint": server.url}
    assert "must be namespace/name" in admin_client.post(url, wanted).content.decode()
    assert not Operation.objects.exists()


def test_the_upload_page_holds_a_ticket_of_its_reader(admin_client, admin_user):
    page = admin_client.get(reverse("admin:registry_operation_upload_archive"))
    ticket = page.context["ticket"]
    assert signing.loads(ticket, salt=uploads.TICKET_SALT) == {"user": admin_user.pk}
    assert ticket in page.content.decode()


def test_the_admin_cancels_and_repeats(admin_client):
    operation = tasks.enqueue(OperationKind.ARCHIVE, "a drill", actor="alice")
    for act, state in (("cancel", "failed"), ("retry", "queued")):
        data = {"action": act, "_selected_action": [str(operation)]}
        assert admin_client.post(reverse(LIST), data, follow=True).status_code == 200
        assert Operation.objects.get().state == state


def test_who_may_only_look_can_start_nothing(client):
    User.objects.create_user("viewer", password="x", is_staff=True)
    client.login(username="viewer", password="x")
    for name in ("import_model", "upload_archive"):
        assert client.get(reverse(f"admin:registry_operation_{name}")).status_code == 403
