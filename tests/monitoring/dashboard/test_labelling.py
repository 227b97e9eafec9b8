"""The labelling pages: what they show, what they cost, and who may do what."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from access.roles import ROLES
from monitoring.labelling.opinions import give_opinion
from monitoring.labelling.plans import forget_plans, load_plan
from monitoring.models import AuditItem, Feedback
from tests.access.people import make_person
from tests.monitoring.builders import MODEL, make_prediction, register

pytestmark = pytest.mark.django_db

NOW = timezone.now()
LIST = "/admin/labelling/"
QUEUE = f"/admin/models/{MODEL}/labelling/"


@pytest.fixture(autouse=True)
def queue(settings: Any) -> None:
    settings.BELLWETHER_AUDIT_PER_HOUR = 0
    settings.BELLWETHER_SECOND_OPINIONS = 100
    forget_plans()
    register()


def signed_in(role: str) -> Client:
    made = Client()
    made.force_login(make_person(role))
    return made


def open_item(model: str = MODEL) -> UUID:
    row = make_prediction(at=NOW - timedelta(minutes=5), model=model, text=f"a text of {model}")
    AuditItem.objects.create(
        prediction=row, model=model, version=1, at=row.at, probability=0.5, uncertainty=0.5
    )
    return row.id


def disagree() -> UUID:
    id = open_item()
    people = [make_person_once(name) for name in ("labeller", "operator")]
    for person, said in zip(people, ("NEGATIVE", "POSITIVE"), strict=True):
        give_opinion(id, said, labeller=f"user:{person.pk}", now=NOW)
    return id


def make_person_once(role: str) -> Any:
    from django.contrib.auth.models import User

    return User.objects.filter(username=role).first() or make_person(role)


def test_every_queue_is_listed_with_those_that_wait_first() -> None:
    register("acme/other")
    open_item("acme/other")
    disagree()
    labeller = Client()
    labeller.force_login(make_person_once("labeller"))
    answer = labeller.get(LIST)
    lines = answer.context["queues"]
    assert [(line.model, line.n_open, line.n_disagreements) for line in lines] == [
        ("acme/other", 1, 0),
        (MODEL, 0, 1),
    ]
    assert (lines[1].agreement.n, lines[1].agreement.n_agreed) == (1, 0)
    assert "You have given 1 label today" in answer.text
    assert reverse("dashboard:labelling-model", args=["acme", "other"]) in answer.text


def test_pages_cost_as_many_queries_for_any_number_of_models_and_labels(
    django_assert_max_num_queries: Any,
) -> None:
    person = make_person_once("operator")
    operator = Client()
    operator.force_login(person)
    operator.get(LIST)
    for number in range(3):
        register(f"acme/m{number}")
        open_item(f"acme/m{number}")
        disagree()
    for address in (LIST, QUEUE):
        with django_assert_max_num_queries(16):
            assert operator.get(address).status_code == 200


@pytest.mark.parametrize("role", ROLES)
def test_only_those_who_give_feedback_see_the_queues(role: str) -> None:
    person = signed_in(role)
    expected = 403 if role == "viewer" else 200
    assert person.get(LIST).status_code == expected
    assert person.get(QUEUE).status_code == expected
    assert person.get("/admin/models/acme/none/labelling/").status_code == (
        403 if role == "viewer" else 404
    )


def test_the_page_shows_nothing_of_what_others_said_to_those_who_label() -> None:
    disagree()
    labeller = Client()
    labeller.force_login(make_person_once("labeller"))
    page = labeller.get(QUEUE).text
    assert "What is true?" not in page
    assert "1 disagreement wait" in page
    assert "Save the plan" not in page


@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_whoever_may_promote_settles_and_plans(role: str) -> None:
    id = disagree()
    person = Client()
    person.force_login(make_person_once(role))
    acts: list[dict[str, Any]] = [
        {"act": "settle", "prediction": str(id), "label": "NEUTRAL"},
        {"act": "plan", "per_hour": "7", "uncertain_percent": "25"},
    ]
    if role != "operator":
        assert [person.post(QUEUE, act).status_code for act in acts] == [403, 403]
        assert Feedback.objects.count() == 1
        return
    assert "What is true?" in person.get(QUEUE).text
    assert "Settled: NEUTRAL" in person.post(QUEUE, acts[0], follow=True).text
    last = Feedback.objects.order_by("revision").last()
    assert last is not None
    assert (last.label, last.source) == ("NEUTRAL", "audit")
    assert "About 7 labels an hour" in person.post(QUEUE, acts[1], follow=True).text
    plan = load_plan(MODEL)
    assert (plan.per_hour, plan.rates.uncertain_share) == (7, 0.25)
    for wrong in (
        acts[0] | {"label": "ANGRY"},
        acts[1] | {"per_hour": "many"},
        acts[1] | {"uncertain_percent": "95"},
    ):
        answer = person.post(QUEUE, wrong, follow=True)
        assert answer.status_code == 200
        assert [message.level_tag for message in answer.context["messages"]] == ["error"]
    emptied = person.post(QUEUE, acts[1] | {"per_hour": ""}, follow=True)
    assert emptied.status_code == 200
    assert load_plan(MODEL).is_default
    nothing = {"act": "settle", "prediction": "x", "label": "NEUTRAL"}
    assert person.post(QUEUE, nothing).status_code == 404


def test_three_people_are_shown_in_pairs() -> None:
    labels = {"labeller": "NEGATIVE", "operator": "NEGATIVE", "admin": "POSITIVE"}
    people = {name: make_person_once(name) for name in labels}
    for pair in (("labeller", "operator"), ("operator", "labeller"), ("admin", "operator")):
        id = open_item()
        for name in pair:
            give_opinion(id, labels[name], labeller=f"user:{people[name].pk}", now=NOW)
    operator = Client()
    operator.force_login(people["operator"])
    couples = operator.get(QUEUE).context["couples"]
    shown = [({each.first, each.second}, each.agreement.n_agreed) for each in couples]
    assert shown == [({"labeller", "operator"}, 2), ({"operator", "admin"}, 0)]
