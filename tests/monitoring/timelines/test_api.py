"""Time lines over REST: who may read them, what is refused, and how they are cached."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from access.scopes import Scope
from monitoring.api.serializers.timelines import TimelineSerializer
from tests.monitoring.builders import MODEL, client, make_prediction, register
from tests.monitoring.evaluating.builders import (
    add_monitor,
    go_live,
    keep_reference,
    usual_reference,
)
from tests.monitoring.reporting.history import Event, remember
from tests.monitoring.timelines.test_evaluated import drift, estimate, family, fire

pytestmark = pytest.mark.django_db
URL = f"/api/v1/models/{MODEL}/timeline"
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _registered() -> None:
    register()


@pytest.fixture
def api() -> APIClient:
    return client()


def test_the_default_window_is_the_last_day(api: APIClient) -> None:
    make_prediction(at=timezone.now() - HOUR)
    shown = api.get(URL).json()
    assert (shown["model"], shown["version"], shown["segment"]) == (MODEL, None, None)
    assert shown["step_s"] == 900
    assert len(shown["times"]) in (96, 97)
    assert sum(n or 0 for n in shown["traffic"]["n"]) == 1
    assert shown["from"].endswith("Z")


def test_reading_needs_the_scope() -> None:
    assert client(Scope.PREDICT, Scope.FEEDBACK).get(URL).status_code == 403
    assert client(Scope.READ).get(URL).status_code == 200


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("by=day", "invalid_filter", id="unknown"),
        pytest.param("version=0", "invalid_filter", id="version"),
        pytest.param("from=yesterday", "invalid_window", id="no-time"),
        pytest.param("from=2026-01-02&to=2026-01-01", "invalid_window", id="backwards"),
        pytest.param("from=2015-01-01&to=2026-01-01", "invalid_window", id="too-long"),
    ],
)
def test_what_makes_no_sense_is_refused(api: APIClient, query: str, code: str) -> None:
    answer = api.get(f"{URL}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, code)


def test_what_is_not_there_is_not_found(api: APIClient) -> None:
    assert api.get(URL.replace("mood", "none")).status_code == 404
    assert api.get(f"{URL}?version=9").status_code == 404


def test_an_open_window_is_fresh_for_seconds_and_a_closed_one_for_minutes(api: APIClient) -> None:
    assert api.get(URL)["Cache-Control"] == "private, max-age=5"
    closed = api.get(f"{URL}?from=2026-01-01&to=2026-01-05")
    assert closed["Cache-Control"] == "private, max-age=300"
    assert set(closed["Vary"].split(", ")) >= {"Authorization", "X-API-Key", "Cookie"}


def test_what_has_not_changed_is_not_sent_again(api: APIClient) -> None:
    query = f"{URL}?from=2026-01-01&to=2026-01-05"
    first = api.get(query)
    again = api.get(query, headers={"If-None-Match": f'"another", W/{first["ETag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again["ETag"] == first["ETag"]
    assert again["Cache-Control"] == first["Cache-Control"]
    make_prediction(at=timezone.now().replace(2026, 1, 3))
    changed = api.get(query, headers={"If-None-Match": first["ETag"]})
    assert changed.status_code == 200
    assert changed["ETag"] != first["ETag"]


def test_the_answer_is_as_the_schema_says(api: APIClient) -> None:
    now = timezone.now()
    go_live(at=now - timedelta(days=3))
    keep_reference(usual_reference(), at=now - timedelta(days=2))
    remember([Event(at=now - HOUR, actual="POSITIVE")] * 30, now=now)
    drift(add_monitor("drift", created_at=now), now - HOUR, inputs=family(0.5))
    estimate(add_monitor("estimate", created_at=now), now - HOUR, 0.9)
    fire(now - HOUR)
    shown = api.get(URL).json()
    check(shown, TimelineSerializer().get_fields(), shown)


def check(shown: dict[str, Any], fields: dict[str, Any], whole: dict[str, Any]) -> None:
    """`shown` has exactly `fields`, and lists by step as many entries as there are steps."""
    assert set(shown) == set(fields)
    for name, field in fields.items():
        value = shown[name]
        assert value is not None or field.allow_null, name
        child = getattr(field, "child", None)
        if hasattr(field, "many") or (child is not None and isinstance(value, list)):
            assert isinstance(value, list), name
        if isinstance(value, list) and value and hasattr(child, "get_fields"):
            check(value[0], child.get_fields(), whole)
        elif isinstance(value, dict) and hasattr(child, "get_fields"):
            assert value, name
            for each in value.values():
                check(each, child.get_fields(), whole)
        elif isinstance(value, dict) and hasattr(field, "get_fields"):
            check(value, field.get_fields(), whole)
        elif isinstance(value, list) and "One a step" in (field.help_text or ""):
            assert len(value) == len(whole["times"]), name
