"""A pinned model stays in memory: said by service, command, API and admin, and kept as an event."""

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from registry import queries, services
from registry.errors import ModelNotFound
from registry.models import Event, RegisteredModel
from registry.specs import EventKind
from tests.registry.test_api import client

NAME = "team/tiny"
PATH = f"/api/v1/models/{NAME}"

pytestmark = pytest.mark.django_db


@pytest.fixture
def one(register):
    register(1)
    services.promote(NAME, 1, actor="alice")


def test_every_process_hears_of_it_and_prepares_nothing_anew(one):
    before = queries.load_desired_state()
    assert services.set_pinned(NAME, is_pinned=True, actor="alice", reason="the shop")
    after = queries.load_desired_state()
    assert after.generation > before.generation
    routes = after.models[NAME]
    assert (routes.is_pinned, before.models[NAME].is_pinned) == (True, False)
    assert routes.generation == before.models[NAME].generation


def test_the_event_is_kept_once(one):
    assert services.set_pinned(NAME, is_pinned=True, actor="alice", reason="the shop")
    assert not services.set_pinned(NAME, is_pinned=True, actor="bob")
    [event] = Event.objects.filter(kind=EventKind.PINNED)
    assert (event.actor, event.reason, event.details) == ("alice", "the shop", {"is_pinned": True})


def test_a_model_that_is_not_there_is_not_pinned(db):
    with pytest.raises(ModelNotFound):
        services.set_pinned("team/none", is_pinned=True, actor="alice")
    with pytest.raises(CommandError, match="there is no model"):
        call_command("pin", "team/none")


def test_the_command_pins_and_lets_go(one, capsys):
    call_command("pin", NAME)
    assert queries.load_model(NAME).is_pinned
    call_command("pin", NAME, "--off", "--reason", "no longer needed")
    assert not queries.load_model(NAME).is_pinned
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME} stays in memory",
        f"{NAME} may make room for others",
    ]


def test_the_api_pins_for_those_who_may_promote(one):
    assert client("read").post(f"{PATH}/pin").json()["error"]["code"] == "scope_missing"
    pinned = client("promote").post(f"{PATH}/pin", {"reason": "the shop"}, format="json")
    assert (pinned.status_code, pinned.json()["pinned"]) == (200, True)
    assert client("read").get(PATH).json()["pinned"]
    assert client("promote").post(f"{PATH}/unpin").json()["pinned"] is False


def test_the_admin_pins_and_lets_go(one, admin_client):
    page = reverse("admin:registry_registeredmodel_changelist")
    for act, is_pinned in (("pin", True), ("unpin", False)):
        chosen = {"action": act, "_selected_action": [RegisteredModel.objects.get().pk]}
        assert admin_client.post(page, chosen, follow=True).status_code == 200
        assert queries.load_model(NAME).is_pinned is is_pinned
