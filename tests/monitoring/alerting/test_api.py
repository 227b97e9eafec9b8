import io
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from access.scopes import Scope
from monitoring.alerting.outbox import deliver_due
from monitoring.errors import DeliveryFailed
from monitoring.models import Alert, Channel, Notification, Silence
from monitoring.notifiers import memory
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from tests.monitoring.alerting.builders import MODEL, Clock, events, memory_channel
from tests.monitoring.builders import client

pytestmark = pytest.mark.django_db
ALERTS, SILENCES, CHANNELS = "/api/v1/alerts", "/api/v1/silences", "/api/v1/channels"
NOBODY = "00000000-0000-4000-8000-000000000000"


def get(path: str, **params: object) -> Any:
    return client(Scope.READ).get(path, params)


def send(method: str, path: str, body: object = None, *scopes: Scope) -> Any:
    return getattr(client(*(scopes or (Scope.ADMIN,))), method)(path, body, format="json")


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def some_alerts() -> Clock:
    clock = Clock()
    clock.fire(version=1)
    clock.resolve(version=1)
    clock.fire(version=2, severity=Severity.CRITICAL)
    clock.tell(Verdict.DRIFT, version=3)
    clock.fire(model="acme/other")
    return clock


def test_what_fires_is_listed_first() -> None:
    some_alerts()
    rows = get(ALERTS).json()["results"]
    assert [row["state"] for row in rows] == ["firing", "firing", "pending", "resolved"]
    assert rows[0]["model"] == "acme/other", "newest first"


def test_lists_are_paged_and_filtered() -> None:
    some_alerts()
    first = get(ALERTS, limit=3).json()
    assert len(first["results"]) == 3
    rest = client(Scope.READ).get(first["next"]).json()
    assert [row["state"] for row in rest["results"]] == ["resolved"]
    assert len(get(ALERTS, state="firing", model=MODEL).json()["results"]) == 1
    assert len(get(ALERTS, severity="critical").json()["results"]) == 1


@pytest.mark.parametrize("query", [{"state": "red"}, {"severity": "7"}, {"colour": "red"}])
def test_a_filter_that_makes_no_sense_is_refused(query: dict[str, str]) -> None:
    answer = get(ALERTS, **query)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_filter"


def test_a_list_costs_one_query(django_assert_num_queries: Any) -> None:
    some_alerts()
    with django_assert_num_queries(1):
        get(ALERTS)


def test_an_alert_shows_how_it_came_about_and_who_was_told() -> None:
    memory_channel()
    clock = Clock()
    alert = clock.fire()
    deliver_due(clock.at)
    shown = get(f"{ALERTS}/{alert.pk}").json()
    assert [each["to_state"] for each in shown["transitions"]] == ["pending", "firing"]
    [told] = shown["transitions"][1]["notifications"]
    assert (told["channel"], told["state"]) == ("ops", "sent")
    assert shown["details"]["n_window"] == 1000


def test_an_alert_that_is_not_there_is_not_found() -> None:
    answer = get(f"{ALERTS}/{uuid4()}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "alert_not_found")


def test_an_alert_is_acknowledged_once() -> None:
    clock = Clock()
    alert = clock.fire()
    answer = send("post", f"{ALERTS}/{alert.pk}/acknowledge", {"note": "looking"})
    assert answer.status_code == 200
    assert answer.json()["acknowledged_by"] == "tests (k-test)"
    clock.resolve()
    late = send("post", f"{ALERTS}/{alert.pk}/acknowledge", {})
    assert (late.status_code, late.json()["error"]["code"]) == (409, "alert_is_over")


def test_silences_are_made_listed_and_ended() -> None:
    until = (timezone.now() + timedelta(hours=1)).isoformat()
    made = send("post", SILENCES, {"model": MODEL, "until_at": until, "note": "moving"})
    assert made.status_code == 201
    [row] = get(SILENCES).json()["results"]
    assert (row["model"], row["version"], row["created_by"]) == (MODEL, None, "tests (k-test)")
    path = f"{SILENCES}/{row['id']}"
    assert send("delete", path).status_code == 204
    assert get(SILENCES).json()["results"] == []
    again = send("delete", path)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "silence_not_found")


@pytest.mark.parametrize(
    "fields",
    [
        {"until_at": "2020-01-01T00:00:00Z"},
        {"until_at": "2100-01-01T00:00:00Z"},
        {"version": 2, "until_at": (timezone.now() + timedelta(hours=1)).isoformat()},
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(fields: dict[str, object]) -> None:
    answer = send("post", SILENCES, fields)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_silence"


CHANNEL = {"name": "on call", "kind": "memory", "config": {"box": "call"}}


def test_a_channel_is_made_and_its_config_never_shown() -> None:
    made = send("post", CHANNELS, {**CHANNEL, "config": {"box": "very-secret"}})
    assert made.status_code == 201
    path = f"{CHANNELS}/{made.json()['id']}"
    changed = send("patch", path, {"min_severity": "critical", "config": {"box": "very-secret-2"}})
    assert changed.json()["min_severity"] == "critical"
    for answer in (made, changed, get(CHANNELS), get(path)):
        assert "very-secret" not in answer.content.decode()
    assert Channel.objects.get().config == {"box": "very-secret-2"}
    assert send("delete", path).status_code == 204
    assert get(path).json()["error"]["code"] == "channel_not_found"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "a\nb"}, "name"),
        ({"models_matching": "a b"}, "models_matching"),
        ({"config": {}}, "config.box"),
        ({"kind": "webhook", "config": {"url": "http://10.0.0.8/"}}, "config.secret"),
        ({"kind": "email", "config": {"to": ["a@b.c"]}}, "kind"),
    ],
)
def test_a_channel_that_cannot_be_is_refused_with_its_field(
    changes: dict[str, object], field: str
) -> None:
    answer = send("post", CHANNELS, {**CHANNEL, **changes})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["details"]["field"]) == ("invalid_channel", field)


def test_a_name_is_taken_once() -> None:
    send("post", CHANNELS, CHANNEL)
    answer = send("post", CHANNELS, CHANNEL)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "channel_exists")


def test_mail_can_be_set_up_where_there_is_a_server(settings: Any, mailoutbox: list[Any]) -> None:
    settings.BELLWETHER_EMAIL_URL = "smtp://mail.example:25"
    made = send("post", CHANNELS, {**CHANNEL, "kind": "email", "config": {"to": ["a@b.example"]}})
    assert made.status_code == 201
    tried = send("post", f"{CHANNELS}/{made.json()['id']}/test")
    assert tried.json()["state"] == "sent"
    assert "[test]" in mailoutbox[0].subject


def test_a_channel_is_tried_and_says_why_it_does_not_work() -> None:
    channel = memory_channel()
    path = f"{CHANNELS}/{channel.pk}/test"
    assert send("post", path).json()["state"] == "sent"
    assert events() == ["test"]
    memory.FAILURES["ops"].append(DeliveryFailed("no room at the inn"))
    answer = send("post", path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (502, "delivery_failed")
    assert Notification.objects.get(state="dead").error == "no room at the inn"
    assert deliver_due(timezone.now()) == 0, "a test is tried once"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", f"{ALERTS}/{NOBODY}/acknowledge"),
        ("post", SILENCES),
        ("delete", f"{SILENCES}/1"),
        ("post", CHANNELS),
        ("patch", f"{CHANNELS}/1"),
        ("delete", f"{CHANNELS}/1"),
        ("post", f"{CHANNELS}/1/test"),
    ],
)
def test_whoever_may_only_read_changes_nothing(method: str, path: str) -> None:
    answer = send(method, path, {}, Scope.READ, Scope.PROMOTE)
    assert answer.json()["error"]["code"] == "scope_missing"


def test_the_command_lists_acknowledges_and_silences() -> None:
    assert "no alerts" in run("alerts")
    some_alerts()
    alert = Alert.objects.get(model="acme/other")
    out = run("alerts", "--firing", "--model", "acme/other")
    assert "firing" in out
    assert str(alert.pk) in out
    assert "resolved" in run("alerts")
    run("alerts", "--acknowledge", str(alert.pk), "--note", "mine")
    alert.refresh_from_db()
    assert alert.note == "mine"
    assert "acknowledged by" in run("alerts", "--firing")
    run("alerts", "--silence", "8h", "--model", MODEL, "--kind", "drift")
    [held] = Silence.objects.all()
    assert held.until_at - held.created_at == timedelta(hours=8)
    assert f"silence {held.pk}" in run("alerts")
    run("alerts", "--unsilence", str(held.pk))
    assert f"silence {held.pk}" not in run("alerts")


@pytest.mark.parametrize(
    "arguments",
    [
        ("alerts", "--acknowledge", "seven"),
        ("alerts", "--acknowledge", NOBODY),
        ("alerts", "--silence", "soon"),
        ("alerts", "--unsilence", "7"),
        ("channel", "add"),
        ("channel", "add", "ops"),
        ("channel", "add", "ops", "--kind", "webhook", "--config", "{"),
        ("channel", "add", "ops", "--kind", "webhook", "--config", "{}"),
        ("channel", "test", "nobody"),
        ("channel", "remove", "nobody"),
    ],
)
def test_a_command_that_cannot_be_done_says_why(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*arguments)


def test_the_command_makes_tries_and_removes_channels(settings: Any, mailoutbox: list[Any]) -> None:
    settings.BELLWETHER_EMAIL_URL = "smtp://mail.example:25"
    config = ("--kind", "email", "--config", '{"to": ["a@b.example"]}')
    assert "made ops" in run("channel", "add", "ops", *config, "--min-severity", "info")
    assert "ops  email  *  from info  on" in run("channel", "list")
    assert "delivered" in run("channel", "test", "ops")
    assert len(mailoutbox) == 1
    run("channel", "remove", "ops")
    assert run("channel", "list") == ""
