"""Inference endpoints over HTTP and in the admin: by name only, in the background, by who may."""

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from access.services import create_key
from registry import services
from registry.models import Operation, Version
from registry.services import operations
from registry.services.remote import register_url
from registry.specs import OperationState
from tests.registry.fake_endpoint import FakeEndpoint
from tests.registry.fake_service import FakeService
from tests.registry.test_endpoints import create, far, service

__all__ = ["far", "service"]

pytestmark = pytest.mark.urls("tests.registry.urls")
ENDPOINTS = "/api/v1/endpoints"


def api(*scopes: str) -> APIClient:
    _, key = create_key("tests", list(scopes))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


def test_the_api_makes_an_endpoint_in_the_background(service: FakeService) -> None:
    service.n_pending = 0
    body = {"namespace": "team", "name": "far-1", "repository": "team/tiny", "limit_s": 30}
    answer = api("admin").post(ENDPOINTS, body, format="json")
    assert answer.status_code == 202, answer.content
    assert service.endpoints == {}
    row = Operation.objects.get(pk=answer.json()["id"])
    assert answer.headers["Location"].endswith(f"/operations/{row.pk}")
    operations.work(row.pk)
    row.refresh_from_db()
    assert (row.state, row.result["state"]) == (OperationState.DONE, "running")


def test_the_api_reads_pauses_resumes_and_deletes(service: FakeService) -> None:
    create(service)
    client, one = api("admin"), f"{ENDPOINTS}/team/far-1"
    assert client.get(one).json()["state"] == "initializing"
    for path, method, state in (
        (f"{one}/pause", client.post, "paused"),
        (f"{one}/resume", client.post, "pending"),
        (one, client.delete, None),
    ):
        answer = method(path, {}, format="json")
        assert answer.status_code == 202, answer.content
        assert operations.work(answer.json()["id"]).get("state") == state
    answer = client.get(one)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "endpoint_not_found")


def test_the_api_registers_by_name_and_never_by_address(
    service: FakeService, far: FakeEndpoint
) -> None:
    service.n_pending = 0
    create(service)
    pusher, path = api("push"), "/api/v1/models/team/far/remote"
    answer = pusher.post(path, {"namespace": "team", "endpoint": "far-1"}, format="json")
    assert answer.status_code == 201, answer.content
    assert answer.json()["labels"] == ["BAD", "GOOD"]
    again = pusher.post(path, {"namespace": "team", "endpoint": "far-1"}, format="json")
    assert (again.status_code, again.json()["version"]) == (200, 1)
    refused = pusher.post(path, {"url": far.url}, format="json")
    assert refused.status_code == 422


@pytest.mark.parametrize("scope", ["read", "push", "promote", "predict"])
def test_endpoints_cost_money_so_only_an_admin_may_act(service: FakeService, scope: str) -> None:
    client = api(scope)
    for answer in (
        client.post(ENDPOINTS, {}, format="json"),
        client.get(f"{ENDPOINTS}/team/far-1"),
        client.delete(f"{ENDPOINTS}/team/far-1"),
        client.post(f"{ENDPOINTS}/team/far-1/pause"),
    ):
        assert answer.status_code == 403
    assert service.asked == []


def act(client: Client, table: str, action: str, pk: object, **fields: str) -> str:
    data = {"action": action, "_selected_action": [pk], **fields}
    answer = client.post(reverse(f"admin:registry_{table}_changelist"), data, follow=True)
    assert answer.status_code == 200
    said = " ".join(str(message) for message in answer.context["messages"])
    return said or answer.content.decode()


def test_the_admin_registers_by_a_form_and_pauses_what_is_behind_a_version(
    service: FakeService, admin_client: Client
) -> None:
    service.n_pending = 0
    create(service)
    model = services.create_model("team/far", actor="alice")
    form = act(admin_client, "registeredmodel", "register_endpoint", model.pk)
    assert "answers nothing until it is promoted" in form
    given = {"confirmed": "yes", "namespace": "team", "endpoint": "far-1", "labels": ""}
    said = act(admin_client, "registeredmodel", "register_endpoint", model.pk, **given)
    assert said == "team/far version 1 stands for far-1."
    version = Version.objects.get()
    assert "started" in act(admin_client, "version", "pause_endpoint", version.pk)
    row = Operation.objects.get()
    assert operations.work(row.pk)["state"] == "paused"
    assert row.actor == "admin (admin)"


def test_the_admin_says_why_it_cannot(service: FakeService, admin_client: Client) -> None:
    model = services.create_model("team/far", actor="alice")
    given = {"confirmed": "yes", "namespace": "team", "endpoint": "nowhere"}
    said = act(admin_client, "registeredmodel", "register_endpoint", model.pk, **given)
    assert "there is no endpoint nowhere" in said
    form = act(admin_client, "registeredmodel", "register_endpoint", model.pk, confirmed="yes")
    assert "This field is required" in form


def test_the_admin_has_nothing_to_pause_behind_a_bare_address(
    service: FakeService, far: FakeEndpoint, admin_client: Client
) -> None:
    register_url("team/far", far.url, actor="alice")
    said = act(admin_client, "version", "pause_endpoint", Version.objects.get().pk)
    assert "not managed from here" in said
    assert not Operation.objects.exists()
