"""Asking for labels over REST and by command."""

import io
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from access.scopes import Scope
from monitoring.models import AuditItem, AuditState
from tests.monitoring.builders import MODEL, client, make_prediction, register

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

QUEUE = "/api/v1/audit"
PLAN = f"/api/v1/models/{MODEL}/audit-plan"


@pytest.fixture(autouse=True)
def registered() -> None:
    register()


@pytest.fixture
def api() -> APIClient:
    return client()


def open_item() -> AuditItem:
    row = make_prediction(at=timezone.now() - timedelta(minutes=5))
    AuditItem.objects.filter(pk=row.pk).delete()
    return AuditItem.objects.create(
        prediction=row, model=MODEL, version=1, at=row.at, probability=0.25, uncertainty=0.5
    )


def code_of(answer) -> tuple[int, str]:  # type: ignore[no-untyped-def]
    return answer.status_code, answer.json()["error"]["code"]


def test_a_question_is_listed_labelled_and_gone(api: APIClient) -> None:
    item = open_item()
    answer = api.get(QUEUE, {"model": MODEL}).json()
    assert (answer["model"], answer["n_open"]) == (MODEL, 1)
    [row] = answer["results"]
    assert row["prediction_id"] == str(item.pk)
    assert (row["text"], row["label"], row["probability"]) == ("a fine day", "POSITIVE", 0.25)
    body = {"prediction_id": row["prediction_id"], "correct_label": "NEUTRAL", "source": "audit"}
    assert api.post("/api/v1/feedback", body, format="json").status_code == 200
    assert api.get(QUEUE, {"model": MODEL}).json()["results"] == []


def test_skipping_is_answered_again_and_refused_where_nothing_is_open(api: APIClient) -> None:
    item = open_item()
    for _ in range(2):
        answer = api.post(f"{QUEUE}/{item.pk}/skip")
        assert answer.json() == {"prediction_id": str(item.pk), "state": "skipped"}
    assert code_of(api.post(f"{QUEUE}/{uuid4()}/skip")) == (404, "audit_item_not_found")
    AuditItem.objects.update(state=AuditState.LABELLED)
    assert code_of(api.post(f"{QUEUE}/{item.pk}/skip")) == (404, "audit_item_not_found")


def test_the_plan_is_shown_and_changed(api: APIClient) -> None:
    before = api.get(PLAN).json()
    assert (before["per_hour"], before["is_default"], before["uncertain_share"]) == (20, True, 0.5)
    changed = api.put(PLAN, {"per_hour": 60, "uncertain_share": 0.25}, format="json")
    assert changed.status_code == 200
    assert changed.json() == api.get(PLAN).json()
    assert (changed.json()["per_hour"], changed.json()["is_default"]) == (60, False)
    assert api.put(PLAN, {"per_hour": None}, format="json").json()["is_default"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "per_hour"),
        ({"per_hour": -1}, "per_hour"),
        ({"per_hour": 1001}, "per_hour"),
        ({"per_hour": True}, "per_hour"),
        ({"per_hour": "20"}, "per_hour"),
        ({"uncertain_share": 1}, "uncertain_share"),
        ({"uncertain_share": None}, "uncertain_share"),
        ({"rate": 1}, "rate"),
        ([1], ""),
    ],
)
def test_a_wrong_plan_names_its_field(api: APIClient, body: object, field: str) -> None:
    answer = api.put(PLAN, body, format="json")
    assert code_of(answer) == (422, "invalid_audit_plan")
    assert answer.json()["error"]["details"]["field"] == field


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({}, (422, "invalid_filter")),
        ({"model": MODEL, "limit": "101"}, (422, "invalid_filter")),
        ({"model": MODEL, "offset": "-1"}, (422, "invalid_filter")),
        ({"model": MODEL, "page": "1"}, (422, "invalid_filter")),
        ({"model": "acme/none"}, (404, "model_not_found")),
    ],
)
def test_a_wrong_queue_request_is_named(
    api: APIClient, query: dict[str, str], code: tuple[int, str]
) -> None:
    assert code_of(api.get(QUEUE, query)) == code


def test_each_path_asks_for_its_scope() -> None:
    item = open_item()
    reader, labeller = client(Scope.READ), client(Scope.FEEDBACK)
    assert reader.get(QUEUE, {"model": MODEL}).status_code == 200
    assert labeller.get(QUEUE, {"model": MODEL}).status_code == 403
    assert reader.post(f"{QUEUE}/{item.pk}/skip").status_code == 403
    assert labeller.post(f"{QUEUE}/{item.pk}/skip").status_code == 200
    assert reader.get(PLAN).status_code == 200
    assert reader.put(PLAN, {"per_hour": 1}, format="json").status_code == 403
    promoter = client(Scope.PROMOTE)
    assert promoter.put(PLAN, {"per_hour": 1}, format="json").status_code == 200
    assert code_of(client().get("/api/v1/models/acme/none/audit-plan")) == (404, "model_not_found")


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("ask", *arguments, stdout=output)
    return output.getvalue()


def test_the_command_lists_and_plans() -> None:
    item = open_item()
    shown = run(MODEL)
    assert "20 an hour (the default), 1 open" in shown
    assert f"{item.pk}  POSITIVE 0.90  a fine day" in shown
    assert "5 an hour, 1 open" in run(MODEL, "--per-hour", "5")
    with pytest.raises(CommandError, match="per_hour"):
        run(MODEL, "--per-hour", "-5")
    with pytest.raises(CommandError, match="acme/none"):
        run("acme/none")
