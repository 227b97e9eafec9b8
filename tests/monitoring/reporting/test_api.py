"""Details and comparisons over REST and by command."""

import io
import json
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from access.scopes import Scope
from tests.monitoring.builders import MODEL, client, register
from tests.monitoring.reporting.history import Event, remember, spread

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.monitoring.urls")]

QUALITY = f"/api/v1/models/{MODEL}/quality"
COMPARE = f"{QUALITY}/compare"


@pytest.fixture(autouse=True)
def registered() -> None:
    register(number=1)
    register(number=2)


@pytest.fixture
def api() -> APIClient:
    return client()


def two_versions() -> None:
    now = timezone.now()
    at = now - timedelta(hours=2)
    for version, n_right in ((1, 45), (2, 20)):
        right = Event(at=at, version=version, actual="POSITIVE")
        wrong = Event(at=at, version=version, actual="NEGATIVE", source="audit", weight=2000)
        remember([right] * n_right + [wrong] * (50 - n_right), now=now)


def test_sources_are_listed_apart(api: APIClient) -> None:
    two_versions()
    parts = api.get(QUALITY).json()["by_source"]
    assert [(part["label_source"], part["is_trusted"]) for part in parts] == [
        ("audit", True),
        ("delayed", True),
    ]
    assert parts[0]["n_labelled"] == 35
    assert set(parts[0]["macro"]) == {"precision", "recall", "f1"}
    groups = api.get(QUALITY, {"by": "source"}).json()["groups"]
    assert [group["group"] for group in groups] == ["audit", "delayed"]


def test_details_are_null_unless_they_are_asked_for(api: APIClient) -> None:
    now = timezone.now()
    remember(spread(300, days=5, mean_delay_h=3, coverage=0.5, now=now), now=now)
    plain = api.get(QUALITY).json()
    assert plain["maturity"] is plain["calibration"] is plain["estimated"] is None
    since = (now - timedelta(days=6)).isoformat()
    query = {"include": "maturity, calibration,estimated", "from": since}
    answer = api.get(QUALITY, query).json()
    assert answer["maturity"]["p95_s"] > answer["maturity"]["p50_s"] > 0
    assert {"delay_s", "share"} == set(answer["maturity"]["curve"][0])
    assert answer["maturity"]["mature"]["n_predicted"] > 0
    assert answer["calibration"]["n"] == answer["n_labelled"]
    assert answer["calibration"]["error"]["gap"] == pytest.approx(0, abs=0.1)
    assert answer["estimated"] is None
    assert b"NaN" not in api.get(QUALITY, query).content


def test_versions_are_compared(api: APIClient) -> None:
    two_versions()
    answer = api.get(COMPARE, {"version": 2, "with": 1}).json()
    assert (answer["model"], answer["new"]["version"], answer["base"]["version"]) == (MODEL, 2, 1)
    assert answer["accuracy"]["base"] == 0.9
    assert answer["accuracy"]["value"] == pytest.approx(-0.5)
    assert answer["p_value"] < 0.001
    assert {row["label"] for row in answer["classes"]} == {"NEGATIVE", "POSITIVE"}
    assert set(answer["base"]["window"]) == {"from", "to"}


def test_windows_are_compared(api: APIClient) -> None:
    two_versions()
    now = timezone.now()
    query = {
        "base_from": (now - timedelta(days=9)).isoformat(),
        "base_to": (now - timedelta(days=8)).isoformat(),
    }
    answer = api.get(COMPARE, query).json()
    assert (answer["n_new"], answer["n_base"]) == (100, 0)
    assert answer["accuracy"]["value"] is None


@pytest.mark.parametrize(
    ("path", "query", "field"),
    [
        (QUALITY, {"include": "everything"}, "include"),
        (QUALITY, {"with": "1"}, "with"),
        (COMPARE, {}, "with"),
        (COMPARE, {"with": "0"}, "with"),
        (COMPARE, {"version": "1", "with": "1"}, "with"),
        (COMPARE, {"version": "1", "with": "2", "by": "day"}, "by"),
        (COMPARE, {"base_from": "yesterday"}, "base_from"),
        (COMPARE, {"base_from": "2026-11-21", "base_to": "2026-11-20"}, "base_from"),
    ],
)
def test_a_wrong_parameter_is_named(
    api: APIClient, path: str, query: dict[str, str], field: str
) -> None:
    answer = api.get(path, query)
    assert answer.status_code == 422
    assert answer.json()["error"]["details"]["field"] == field


def test_comparing_needs_to_read() -> None:
    assert client(Scope.READ).get(COMPARE, {"version": 1, "with": 2}).status_code == 200
    assert client(Scope.FEEDBACK).get(COMPARE, {"version": 1, "with": 2}).status_code == 403
    answer = client().get(COMPARE, {"version": 9, "with": 1})
    assert answer.json()["error"]["code"] == "version_not_found"


def run(*arguments: str) -> str:
    output = io.StringIO()
    call_command("quality", MODEL, *arguments, stdout=output)
    return output.getvalue()


def test_the_command_shows_sources_details_and_comparisons() -> None:
    two_versions()
    shown = run("--include", "maturity", "calibration")
    assert "by audit: 35 labelled, macro F1" in shown
    assert "labels       half come within 1." in shown
    assert "calibration  100 labelled" in shown
    compared = run("--compare", "2", "1")
    assert "accuracy     0.9000 → 0.4000 (-0.5000" in compared
    assert "base  version 1" in compared
    body = json.loads(run("--compare", "2", "1", "--json"))
    assert body["accuracy"]["value"] == pytest.approx(-0.5)
    assert json.loads(run("--json", "--include", "maturity"))["maturity"]["n"] == 100
    assert "new   version 2" in run("--version-number", "2", "--base-to", "2026-11-01T00:00Z")
    with pytest.raises(CommandError, match="share predictions"):
        run("--compare", "1", "1")
