"""How far replicas are, over HTTP and in the admin."""

import pytest
from django.urls import reverse
from rest_framework.test import APIClient

from registry import services
from registry.golden import GoldenCase, GoldenSpec
from registry.models import Event, RegisteredModel
from registry.services.golden import store_golden
from registry.services.swaps import commit_if_prepared, report_replica
from tests.registry.test_api import client, code

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
MODEL = "team/tiny"
PATH = f"/api/v1/models/{MODEL}/deployment"


@pytest.fixture
def reader() -> APIClient:
    return client("read")


@pytest.fixture
def served(register) -> int:
    """Version 1 is committed and answers in one replica; returns its generation."""
    for seed in (1, 2):
        register(seed)
    services.promote(MODEL, 1, actor="alice")
    return report_and_commit()


def report_and_commit() -> int:
    generation = RegisteredModel.objects.get().routes_generation
    facts = {
        "version": 1,
        "digest": "d" * 64,
        "state": "active",
        "reason": None,
        "evidence": {"load_s": 1.5, "golden_worst": 0.0},
        "times": {"active": 1.0},
    }
    states = {MODEL: {"prepared": generation, "applied": generation, "versions": [facts]}}
    report_replica("host-1-abc", is_ready=True, rss_bytes=5_000_000, states=states)
    commit_if_prepared(MODEL)
    return generation


def test_a_deployment_shows_replicas_and_their_versions(reader, served):
    body = reader.get(PATH).json()
    (replica,) = body.pop("replicas")
    assert body == {
        "model": MODEL,
        "generation": served,
        "committed_generation": served,
        "state": "committed",
        "reason": "",
        "converged": True,
        "laggards": [],
    }
    assert replica.pop("heartbeat_at").endswith("Z")
    (version,) = replica.pop("versions")
    assert replica == {
        "id": "host-1-abc",
        "ready": True,
        "alive": True,
        "rss_bytes": 5_000_000,
        "prepared": served,
        "applied": served,
        "asleep": False,
    }
    assert version["state"] == "active"
    assert version["evidence"] == {"load_s": 1.5, "golden_worst": 0.0}


def test_a_promotion_shows_as_being_prepared(reader, served):
    services.promote(MODEL, 2, actor="alice")
    body = reader.get(PATH).json()
    assert (body["state"], body["converged"]) == ("preparing", False)
    assert body["generation"] > body["committed_generation"] == served


def test_a_retry_needs_the_right_to_promote_and_is_an_event(reader, served):
    services.promote(MODEL, 2, actor="alice")
    assert code(reader.post(f"{PATH}/retry", {}, format="json")) == "scope_missing"
    answer = client("promote").post(f"{PATH}/retry", {"reason": "disk mended"}, format="json")
    assert answer.status_code == 202
    assert answer.json()["state"] == "preparing"
    event = Event.objects.latest("id")
    assert (event.kind, event.reason, event.details["retry"]) == ("routed", "disk mended", True)


def test_an_unknown_model_has_no_deployment(reader):
    assert code(reader.get("/api/v1/models/team/nobody/deployment")) == "model_not_found"
    answer = client("promote").post("/api/v1/models/team/nobody/deployment/retry", format="json")
    assert code(answer) == "model_not_found"


def test_a_rollback_after_a_retry_goes_where_it_went_before(served):
    services.promote(MODEL, 2, actor="alice")
    client("promote").post(f"{PATH}/retry", {}, format="json")
    assert services.rollback(MODEL, actor="alice").number == 1


def test_the_admin_shows_replicas_and_golden_inputs_and_changes_nothing(served, admin_client):
    case = GoldenCase("good <b>", "POSITIVE", {"POSITIVE": 0.9})
    store_golden(MODEL, 1, GoldenSpec(cases=(case,)), actor="worker")
    listing = admin_client.get(reverse("admin:registry_replica_changelist"))
    assert "team/tiny v1" in listing.content.decode()
    page = admin_client.get(reverse("admin:registry_replica_change", args=["host-1-abc"]))
    assert "load_s 1.5" in page.content.decode()
    golden = admin_client.get(reverse("admin:registry_golden_changelist"))
    assert "team/tiny version 1" in golden.content.decode()
    for table in ("replica", "golden"):
        assert admin_client.get(reverse(f"admin:registry_{table}_add")).status_code == 403
    answer = admin_client.post(
        reverse("admin:registry_replica_change", args=["host-1-abc"]), {"is_ready": "off"}
    )
    assert answer.status_code == 403
