"""Every list of the admin says what it is for, and an empty one what to do."""

from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from access.facts import Explained, FactsAdmin
from tests.access.people import make_person

OURS = [
    (model, view)
    for model, view in admin.site._registry.items()
    if not type(view).__module__.startswith("django_tasks")
]
IDS = [model.__name__ for model, _ in OURS]


@pytest.mark.parametrize(("model", "view"), OURS, ids=IDS)
def test_every_list_has_a_purpose_and_words_for_being_empty(model: Any, view: Any) -> None:
    assert isinstance(view, Explained)
    assert view.purpose.endswith(".")
    assert view.empty.endswith(".")
    assert len(view.purpose) < 120


@pytest.mark.parametrize(("model", "view"), OURS, ids=IDS)
def test_the_way_out_leads_somewhere(model: Any, view: Any) -> None:
    if view.way_out is not None:
        assert reverse(view.way_out[0]).startswith("/admin/")


@pytest.mark.django_db
@pytest.mark.parametrize(("model", "view"), OURS, ids=IDS)
def test_an_empty_list_is_shown_with_its_words(client: Client, model: Any, view: Any) -> None:
    client.force_login(make_person("admin"))
    if model is Group:
        Group.objects.exclude(name="admin").delete()
    page = client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist"))
    assert page.status_code == 200
    text = page.content.decode()
    assert view.purpose in text.replace("&#x27;", "'")
    if isinstance(view, FactsAdmin):
        assert view.empty in text.replace("&#x27;", "'")


@pytest.mark.django_db
def test_a_way_out_is_shown_to_whoever_may_take_it(client: Client) -> None:
    path = reverse("admin:monitoring_prediction_changelist")
    client.force_login(make_person("viewer"))
    assert "Try a model" not in client.get(path).content.decode()
    client.force_login(make_person("operator"))
    assert "Try a model" in client.get(path).content.decode()


@pytest.mark.django_db
def test_a_search_that_finds_nothing_does_not_say_that_nothing_is_there(client: Client) -> None:
    client.force_login(make_person("viewer"))
    path = reverse("admin:monitoring_prediction_changelist")
    assert "Nothing was predicted yet" not in client.get(path, {"q": "x"}).content.decode()
