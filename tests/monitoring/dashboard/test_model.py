"""The head of the model page: what it says, whom it lets in, and what it costs."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring.dashboard.model import MOST_ALERTS, load_head
from monitoring.models import Alert, Rollout
from registry.errors import ModelNotFound
from registry.models import RegisteredModel, Route, Version
from tests.access.people import make_person
from tests.monitoring.builders import MODEL, NOW, make_prediction, register

pytestmark = pytest.mark.django_db

PAGE = "/admin/models/acme/mood/"


@pytest.fixture(autouse=True)
def _registered() -> None:
    register(number=1)
    register(number=2)


@pytest.fixture
def viewer(client: Client) -> Client:
    client.force_login(make_person("viewer"))
    return client


def route(number: int, weight: int, position: int, mode: str = "live") -> None:
    model = RegisteredModel.objects.get()
    version = Version.objects.get(model=model, number=number)
    Route.objects.create(model=model, version=version, mode=mode, weight=weight, position=position)


def alert(**changes: Any) -> Alert:
    fields = {
        "model": MODEL,
        "version": 1,
        "kind": "drift",
        "state": "firing",
        "severity": "warning",
        "summary": "The texts differ.",
        "opened_at": NOW - timedelta(hours=2),
        "seen_at": NOW,
        "fired_at": NOW - timedelta(hours=1),
    }
    return Alert.objects.create(**(fields | changes))


def rollout(**changes: Any) -> None:
    fields = {
        "model": MODEL,
        "candidate": 2,
        "stable": 1,
        "state": "running",
        "steps": [5, 25, 100],
        "step": 1,
        "created_by": "eve",
        "created_at": NOW,
        "step_started_at": NOW,
    }
    Rollout.objects.create(**(fields | changes))


def test_routes_are_live_canary_or_shadow() -> None:
    route(1, 80, 0)
    route(2, 20, 1)
    register(number=3)
    route(3, 50, 2, "shadow")
    roles = [(each.version, each.role, each.weight) for each in load_head(MODEL, now=NOW).routes]
    assert roles == [(1, "live", 80), (2, "canary", 20), (3, "shadow", 50)]


def test_alerts_that_are_over_are_left_out_and_firing_ones_come_first() -> None:
    alert(kind="quality", state="pending", fired_at=None)
    alert()
    alert(kind="latency", state="resolved", resolved_at=NOW)
    alert(kind="errors", state="inactive", fired_at=None)
    alert(model="other/model")
    head = load_head(MODEL, now=NOW)
    assert [(each.kind, each.since) for each in head.alerts] == [
        ("drift", NOW - timedelta(hours=1)),
        ("quality", NOW - timedelta(hours=2)),
    ]
    assert head.n_alerts == 2


def test_many_alerts_are_counted_and_not_all_listed() -> None:
    for number in range(MOST_ALERTS + 5):
        alert(version=number)
    head = load_head(MODEL, now=NOW)
    assert (len(head.alerts), head.n_alerts) == (MOST_ALERTS, MOST_ALERTS + 5)


def test_a_rollout_is_shown_while_it_runs() -> None:
    assert load_head(MODEL, now=NOW).rollout is None
    rollout(state="promoted")
    assert load_head(MODEL, now=NOW).rollout is None
    rollout()
    found = load_head(MODEL, now=NOW).rollout
    assert found is not None
    assert (found.step, found.n_steps, found.weight) == (2, 3, 25)


def test_versions_and_segments_are_those_of_recent_traffic_and_of_the_routes() -> None:
    make_prediction(at=NOW, version=1, segment="web")
    make_prediction(at=NOW, version=1)
    make_prediction(at=NOW - timedelta(days=200), version=2, segment="old")
    head = load_head(MODEL, now=NOW)
    assert (head.versions, head.segments) == ((1,), ("", "web"))
    route(2, 100, 0)
    assert load_head(MODEL, now=NOW).versions == (2, 1)


def test_a_model_that_does_not_exist_has_no_head() -> None:
    with pytest.raises(ModelNotFound):
        load_head("no/model", now=NOW)


def test_the_page_says_what_serves_and_what_is_wrong(viewer: Client) -> None:
    route(1, 100, 0)
    found = alert()
    rollout()
    page = viewer.get(PAGE).content.decode()
    assert "Version 1" in page
    assert reverse("dashboard:alert", args=[found.id]) in page
    assert "step 2 of 3, 25 %" in page
    assert "?model=acme%2Fmood" in page


def test_links_to_what_a_viewer_may_not_do_are_left_out(client: Client) -> None:
    rollout()
    for role, tries, steers in (("viewer", False, False), ("operator", True, True)):
        client.force_login(make_person(role))
        page = client.get(PAGE).content.decode()
        assert (f"{reverse('dashboard:playground')}?model=" in page) is tries
        assert ("Steer it" in page) is steers


def test_a_model_without_versions_says_what_to_do(viewer: Client) -> None:
    RegisteredModel.objects.create(namespace="acme", name="empty")
    page = viewer.get("/admin/models/acme/empty/").content.decode()
    assert "No version yet" in page
    assert "model-setup" not in page


def test_a_model_that_does_not_exist_is_a_404(viewer: Client) -> None:
    assert viewer.get("/admin/models/no/model/").status_code == 404


def test_somebody_without_a_role_is_refused(client: Client) -> None:
    person = make_person("viewer")
    person.groups.clear()
    client.force_login(person)
    assert client.get(PAGE).status_code == 403


def test_names_of_segments_are_data_not_markup(viewer: Client) -> None:
    make_prediction(at=timezone.now(), segment="</script><b>x")
    assert b"</script><b>" not in viewer.get(PAGE).content


def test_alerts_and_traffic_do_not_change_the_number_of_queries(
    viewer: Client, django_assert_max_num_queries
) -> None:
    route(1, 70, 0)
    route(2, 30, 1)
    rollout()
    for number in range(MOST_ALERTS + 1):
        alert(version=number)
    for number in range(20):
        make_prediction(at=timezone.now(), version=1, segment=f"s{number}")
    with django_assert_max_num_queries(30):
        viewer.get(PAGE)
