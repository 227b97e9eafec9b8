"""Rollouts over HTTP and by command."""

import io
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from rest_framework.response import Response

from access.scopes import Scope
from registry import services
from registry.routes import live_of
from tests.monitoring.builders import client

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

PATH = "/api/v1/models/team/tiny/rollouts"


def weights(model: str) -> dict[int, int]:
    return {route.version: route.weight for route in live_of(services.load_routes(model))}


def start(**body: object) -> dict:
    answer = client().post(PATH, {"candidate": 2} | body, format="json")
    assert answer.status_code == 201, answer.content
    return answer.json()


def test_starting_one_gives_the_candidate_its_first_share(model):
    made = start(steps=[10, 100])
    assert (made["state"], made["weight"], made["stable"]) == ("running", 10, 1)
    assert weights(model) == {1: 90, 2: 10}
    shown = client().get(f"{PATH}/{made['id']}").json()
    assert [event["decision"] for event in shown["events"]] == ["start"]
    assert client().get(PATH).json()["results"][0]["id"] == made["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"candidate": 2, "steps": [50]}, "steps"),
        ({"candidate": 2, "options": {"alpha": 2}}, "options.alpha"),
        ({"candidate": 2, "options": {"speed": 1}}, "options"),
        ({"candidate": 2, "options": {"metrics": ["errors"]}}, "options.required"),
        ({"candidate": 2, "options": {"margins": {"errors": {"worse": 1, "fine": 0}}}}, "margins"),
        ({"candidate": 1}, "candidate"),
    ],
)
def test_what_makes_no_sense_is_refused_and_the_field_named(model, body, field):
    answer = client().post(PATH, body, format="json")
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert error["code"] == "invalid_rollout"
    assert field in error["details"]["field"]
    assert weights(model) == {1: 100}


def test_steering_goes_by_its_own_paths(model):
    made = start()

    def act(name: str, **body: str) -> Response:
        return client().post(f"{PATH}/{made['id']}/{name}", body, format="json")

    assert act("pause", reason="freeze").json()["state"] == "paused"
    assert act("pause").status_code == 409
    assert act("resume").json()["state"] == "running"
    assert act("explode").status_code == 404
    ended = act("abort", reason="seen enough").json()
    assert (ended["state"], ended["reason"]) == ("aborted", "seen enough")
    assert weights(model) == {1: 100}


def test_another_models_rollout_is_not_found(model):
    answer = client().get(f"{PATH}/{uuid4()}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "rollout_not_found")
    assert client().get("/api/v1/models/no/such/rollouts").status_code == 404


def test_reading_needs_read_and_starting_needs_promote(model):
    assert client(Scope.PREDICT).get(PATH).status_code == 403
    assert client(Scope.READ).post(PATH, {"candidate": 2}, format="json").status_code == 403


def test_the_command_starts_shows_and_aborts(model):
    out = io.StringIO()
    call_command("rollout", model, "2", "--steps", "20,100", "--bake", "60", stdout=out)
    assert "v2 against v1: running, 20 %" in out.getvalue()
    call_command("rollout", model, stdout=out)
    call_command("rollout", model, "--abort", "--reason", "no", stdout=out)
    assert "aborted" in out.getvalue()
    with pytest.raises(CommandError, match="whole percents"):
        call_command("rollout", model, "2", "--steps", "a,b")


def test_the_command_says_when_there_is_none(model):
    with pytest.raises(CommandError, match="has no rollout"):
        call_command("rollout", model)
