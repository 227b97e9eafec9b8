"""Monitors, evaluations and drift over REST, and the commands."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from access.scopes import Scope
from monitoring.evaluating.evaluator import evaluate
from monitoring.evaluating.services import MOST_MONITORS
from monitoring.models import Evaluation, Exemplar, Monitor
from tests.monitoring.builders import MODEL, client, register, uuid7
from tests.monitoring.evaluating.builders import (
    LABELS,
    add_monitor,
    add_traffic,
    draw,
    go_live,
    keep_reference,
    usual_reference,
)
from tests.monitoring.evaluating.test_evaluator import BY_COUNT, rng

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]
NEW = {"model": MODEL, "name": "mine", "kind": "drift", "window_by": "count", "window": 1000}


@pytest.fixture
def api() -> APIClient:
    go_live()
    return client()


def drifting(*, shift: float = 0.4, minutes: int = 0) -> None:
    end = timezone.now() - timedelta(minutes=minutes)
    add_traffic(draw(rng(1), 1000, shift=shift), usual_reference().basis, end=end)


def test_a_monitor_is_made_shown_changed_and_deleted(api: APIClient) -> None:
    made = api.post("/api/v1/monitors", NEW, format="json")
    assert made.status_code == 201, made.json()
    assert made.json()["options"]["min_items"] == 500
    assert made.json()["created_by"] == "tests (k-test)"
    path = f"/api/v1/monitors/{made.json()['id']}"
    changed = api.patch(path, {"window": 500, "options": {"floor": 0.6}}, format="json")
    assert (changed.json()["window"], changed.json()["options"]["floor"]) == (500, 0.6)
    assert api.get(path).json() == changed.json()
    assert api.get(f"/api/v1/monitors?model={MODEL}&kind=drift").json()["results"] == [
        changed.json()
    ]
    assert api.delete(path).status_code == 204
    assert api.get(path).status_code == 404
    assert api.get("/api/v1/monitors").json()["results"] == []


@pytest.mark.parametrize(
    ("given", "status", "code", "field"),
    [
        ({"window": 3}, 422, "invalid_monitor", "window"),
        ({"kind": "mood"}, 422, "invalid_monitor", "kind"),
        ({"detectors": ["guess"]}, 422, "invalid_monitor", "detectors"),
        ({"model": 3}, 422, "invalid_monitor", "model"),
        ({"model": "acme/none"}, 404, "model_not_found", None),
        ({"version": 9}, 404, "version_not_found", None),
    ],
)
def test_what_cannot_be_is_refused(
    api: APIClient, given: dict[str, Any], status: int, code: str, field: str | None
) -> None:
    answer = api.post("/api/v1/monitors", NEW | given, format="json")
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    if field:
        assert answer.json()["error"]["details"]["field"] == field
    assert not Monitor.objects.exists()


def test_a_name_is_taken_once(api: APIClient) -> None:
    assert api.post("/api/v1/monitors", NEW, format="json").status_code == 201
    again = api.post("/api/v1/monitors", NEW, format="json")
    assert (again.status_code, again.json()["error"]["code"]) == (409, "monitor_exists")
    other = api.post("/api/v1/monitors", NEW | {"name": "other"}, format="json").json()["id"]
    renamed = api.patch(f"/api/v1/monitors/{other}", {"name": "mine"}, format="json")
    assert renamed.status_code == 409


def test_a_deleted_default_makes_room_for_its_name(api: APIClient) -> None:
    api.post("/api/v1/monitors", NEW, format="json")
    Monitor.objects.update(is_default=True)
    assert api.delete(f"/api/v1/monitors/{Monitor.objects.get().pk}").status_code == 204
    assert Monitor.objects.get().deleted_at is not None
    assert api.post("/api/v1/monitors", NEW, format="json").status_code == 201


def test_a_model_has_a_bounded_number_of_monitors(api: APIClient) -> None:
    for i in range(MOST_MONITORS):
        add_monitor("drift", name=f"m{i}")
    answer = api.post("/api/v1/monitors", NEW, format="json")
    assert answer.json()["error"]["details"]["field"] == "model"


@pytest.mark.parametrize("id", [0, 77, 2**63, 10**30])
def test_a_monitor_that_is_not_there_is_404(api: APIClient, id: int) -> None:
    assert api.get(f"/api/v1/monitors/{id}").status_code == 404
    assert api.patch(f"/api/v1/monitors/{id}", {}, format="json").status_code == 404
    assert api.delete(f"/api/v1/monitors/{id}").status_code == 404
    assert api.post(f"/api/v1/monitors/{id}/evaluate").status_code == 404


def test_reading_and_changing_need_their_scopes() -> None:
    reader = client(Scope.READ)
    assert reader.get("/api/v1/monitors").status_code == 200
    assert reader.get("/api/v1/evaluations").status_code == 200
    assert reader.post("/api/v1/monitors", NEW, format="json").status_code == 403
    assert client(Scope.PREDICT).get("/api/v1/evaluations").status_code == 403


def test_a_monitor_is_evaluated_on_request_and_listed(api: APIClient) -> None:
    keep_reference(usual_reference())
    drifting()
    monitor = add_monitor("drift", **BY_COUNT)
    made = api.post(f"/api/v1/monitors/{monitor.pk}/evaluate")
    assert made.status_code == 201, made.json()
    assert made.json()["verdict"] == "DRIFT"
    assert made.json()["monitor_name"] == "drift"
    listed = api.get(
        f"/api/v1/evaluations?model={MODEL}&kind=drift&monitor={monitor.pk}&verdict=DRIFT"
    )
    assert listed.json()["results"] == [made.json()]
    assert api.get("/api/v1/evaluations?verdict=OK").json()["results"] == []
    future = (timezone.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
    assert api.get(f"/api/v1/evaluations?from={future}").json()["results"] == []
    shown = api.get(f"/api/v1/monitors/{monitor.pk}").json()
    assert shown["last_verdict"] == "DRIFT"
    assert shown["last_evaluation"] == made.json()["id"]


def test_evaluations_outlive_their_monitor(api: APIClient) -> None:
    monitor = add_monitor("drift", **BY_COUNT)
    evaluate(monitor.pk, timezone.now())
    api.delete(f"/api/v1/monitors/{monitor.pk}")
    [row] = api.get("/api/v1/evaluations").json()["results"]
    assert (row["monitor"], row["monitor_name"]) == (None, None)


@pytest.mark.parametrize(
    "query", ["kind=mood", "verdict=bad", "version=x", "monitor=x", "from=soon", "colour=red"]
)
def test_filters_are_read_strictly(api: APIClient, query: str) -> None:
    assert api.get(f"/api/v1/evaluations?{query}").status_code == 422


def drift(api: APIClient, query: str = "") -> Any:
    return api.get(f"/api/v1/models/{MODEL}/drift?{query}")


def test_drift_against_the_reference_is_answered_at_once(api: APIClient) -> None:
    keep_reference(usual_reference())
    drifting()
    answer = drift(api).json()
    assert (answer["verdict"], answer["version"], answer["n_window"]) == ("DRIFT", 1, 1000)
    assert answer["reference"] is not None
    assert {row["family"] for row in answer["families"]} >= {"inputs", "outputs"}
    assert any(row["detector"] == "mean_embedding" for row in answer["findings"])
    assert drift(api, "last=500").json()["n_window"] == 500
    assert not Evaluation.objects.exists()


def test_named_detectors_alone_are_asked(api: APIClient) -> None:
    keep_reference(usual_reference())
    drifting()
    answer = drift(api, "detectors=class_counts,shape&alpha=0.05").json()
    assert [row["detector"] for row in answer["findings"]] == ["class_counts", "shape"]
    assert answer["alpha"] == 0.05


def keep_exemplars(sample: Any, *, minutes: int) -> None:
    at = timezone.now() - timedelta(minutes=minutes + 1)
    Exemplar.objects.bulk_create(
        Exemplar(
            prediction=uuid7(at.timestamp()),
            model=MODEL,
            version=1,
            at=at,
            slot_at=at,
            rank=i,
            text=f"text {i}",
            label=LABELS[sample.predicted[i]],
            scores=dict(zip(LABELS, map(float, sample.probabilities[i]), strict=True)),
            n_tokens=5,
            n_unknown=0,
            total_s=0.01,
            embedding=sample.embeddings[i].astype("<f2").tobytes(),
        )
        for i in range(len(sample))
    )


def test_any_window_is_compared_with_any_other(api: APIClient) -> None:
    hour = 60
    for minutes, shift in ((5, 0.4), (3 * hour, 0.0), (5 * hour, 0.0)):
        drifting(shift=shift, minutes=minutes)
        keep_exemplars(draw(rng(minutes), 190, shift=shift), minutes=minutes)
    now = timezone.now().replace(tzinfo=None)

    def span(prefix: str, hours: int) -> str:
        start, end = now - timedelta(hours=hours + 1), now - timedelta(hours=hours - 1)
        return f"{prefix}from={start.isoformat()}&{prefix}to={end.isoformat()}"

    quiet = drift(api, f"{span('', 3)}&{span('against_', 5)}").json()
    assert (quiet["verdict"], quiet["n_window"], quiet["n_reference"]) == ("OK", 1000, 1000)
    assert quiet["reference"] is None
    loud = drift(api, f"last=1000&{span('against_', 5)}&detectors=mean_embedding,energy").json()
    assert loud["verdict"] == "DRIFT"
    explained = drift(api, f"last=1000&{span('against_', 5)}&explain=yes").json()
    assert explained["findings"][-1]["detector"] == "classifier"


def test_without_a_reference_or_traffic_there_is_no_verdict(api: APIClient) -> None:
    answer = drift(api).json()
    assert (answer["verdict"], answer["n_reference"]) == ("INSUFFICIENT_DATA", 0)
    keep_reference(usual_reference())
    assert drift(api).json()["verdict"] == "INSUFFICIENT_DATA"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("last=1000&from=2026-01-01", 422),
        ("last=99999999", 422),
        ("from=2025-01-01&to=2025-12-31", 422),
        ("detectors=guess", 422),
        ("alpha=2", 422),
        ("alpha=nan", 422),
        ("explain=maybe", 422),
        ("version=7", 404),
        ("against_from=now", 422),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(api: APIClient, query: str, status: int) -> None:
    assert drift(api, query).status_code == status


def test_a_model_without_a_live_version_needs_one_named() -> None:
    register()
    assert drift(client()).status_code == 422
    assert drift(client(), "version=1").status_code == 200
    assert client().get("/api/v1/models/acme/none/drift").status_code == 404


def run(*args: str) -> str:
    out = StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


def test_the_command_evaluates_and_shows_verdicts() -> None:
    go_live()
    keep_reference(usual_reference())
    drifting()
    shown = run("evaluate", MODEL, "--monitor", "drift by count")
    assert "drift by count  DRIFT" in shown
    rows = json.loads(run("evaluate", "--all", "--json"))
    assert {row["kind"] for row in rows} >= {"quality", "traffic", "stuck"}
    assert "classic" not in {row["kind"] for row in rows}


def test_the_command_says_what_is_missing() -> None:
    go_live()
    with pytest.raises(CommandError, match="Name a model"):
        run("evaluate")
    with pytest.raises(CommandError, match="no model acme/none"):
        run("evaluate", "acme/none")
    with pytest.raises(CommandError, match="there are: calibration"):
        run("evaluate", MODEL, "--monitor", "mood")


def test_the_drift_command_shows_every_finding() -> None:
    go_live()
    keep_reference(usual_reference())
    drifting()
    shown = run("drift", MODEL, "--last", "1000", "--explain")
    assert "DRIFT at alpha 0.01" in shown
    assert "mean_embedding" in shown
    answer = json.loads(run("drift", MODEL, "--detector", "shape", "--json"))
    assert [row["detector"] for row in answer["findings"]] == ["shape"]
    with pytest.raises(CommandError, match="'from' is no ISO 8601 time"):
        run("drift", MODEL, "--from", "soon")
