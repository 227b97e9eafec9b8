"""The pages of channels: made, changed, switched, tested and deleted by those who may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from monitoring.dashboard.channel_forms import FORMS
from monitoring.dashboard.channels import KINDS, PAGE_SIZE, LogFilters, load_log
from monitoring.errors import DeliveryFailed
from monitoring.models import Channel, ChannelKind, Notification
from monitoring.notifiers import memory
from tests.access.people import make_person
from tests.monitoring.alerting.builders import START, Clock, memory_channel
from tests.monitoring.alerting.receivers import receiving

pytestmark = pytest.mark.django_db
LIST = reverse("dashboard:channels")
NEW = reverse("dashboard:channel-make")
COMMON = {"name": "on call", "models_matching": "*", "min_severity": "warning"}
SECRET = "a secret of sixteen"
SignIn = Callable[[str], Client]


@pytest.fixture(autouse=True)
def _boxes() -> None:
    memory.clear()


@pytest.fixture
def sign_in() -> SignIn:
    def as_role(role: str) -> Client:
        client = Client()
        client.force_login(make_person(role))
        return client

    return as_role


def at(name: str, channel: Channel) -> str:
    return reverse(f"dashboard:{name}", args=[channel.pk])


ACTS = ("channel", "channel-switch", "channel-delete", "channel-test")


def test_every_kind_is_explained_and_has_a_form() -> None:
    assert set(KINDS) == set(FORMS) == set(ChannelKind.values)


def test_the_first_visit_explains_channels(sign_in: SignIn) -> None:
    text = sign_in("viewer").get(LIST).text
    assert "Nobody is told of alerts" in text
    assert "Ask an administrator" in text
    assert NEW in sign_in("admin").get(LIST).text


@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_only_administrators_act_on_channels(role: str, sign_in: SignIn) -> None:
    client, row = sign_in(role), memory_channel()
    assert client.get(LIST).status_code == 200
    assert client.get(NEW).status_code == 403
    assert client.post(f"{NEW}?kind=memory", COMMON | {"box": "b"}).status_code == 403
    for name in ACTS:
        assert client.post(at(name, row), {"enable": "no"}).status_code == 403
    row.refresh_from_db()
    assert (row.is_enabled, Channel.objects.count()) == (True, 1)
    assert not Notification.objects.exists()


def test_looking_changes_nothing(sign_in: SignIn) -> None:
    client, row = sign_in("admin"), memory_channel()
    for path in (LIST, NEW, *(at(name, row) for name in ACTS[:3])):
        assert client.get(path).status_code == 200
    assert client.get(at("channel-test", row)).status_code == 405
    assert Channel.objects.values().get()["is_enabled"] is True
    assert not Notification.objects.exists()


def test_what_does_not_exist_is_not_found(sign_in: SignIn) -> None:
    client = sign_in("admin")
    for name in ACTS:
        assert client.post(reverse(f"dashboard:{name}", args=[77])).status_code == 404


def test_a_webhook_is_made_and_its_secret_never_shown(sign_in: SignIn) -> None:
    client = sign_in("admin")
    given = COMMON | {"url": "https://ops.example.org/hook/tok3n", "secret": SECRET}
    answer = client.post(f"{NEW}?kind=webhook", given, follow=True)
    assert "Made the channel on call" in answer.text
    row = Channel.objects.get()
    assert row.config == {"url": given["url"], "secret": SECRET}
    assert (row.created_by, row.min_severity) == ("admin (admin)", "warning")
    for text in (answer.text, client.get(at("channel", row)).text):
        assert "ops.example.org" in text
        assert SECRET not in text
        assert "tok3n" not in text


def test_what_is_left_empty_stays_as_it_is(sign_in: SignIn) -> None:
    client = sign_in("admin")
    given = COMMON | {"url": "https://ops.example.org/hook", "secret": SECRET}
    client.post(f"{NEW}?kind=webhook", given)
    row = Channel.objects.get()
    client.post(at("channel", row), COMMON | {"name": "new name", "url": "", "secret": ""})
    row.refresh_from_db()
    assert (row.name, row.config["secret"]) == ("new name", SECRET)
    client.post(at("channel", row), COMMON | {"url": "https://b.example.org/", "secret": ""})
    row.refresh_from_db()
    assert row.config == {"url": "https://b.example.org/", "secret": SECRET}


@pytest.mark.parametrize(
    ("kind", "given", "told"),
    [
        ("webhook", {"url": "https://a.example.org", "secret": "short"}, "at least 16"),
        ("webhook", {"url": "http://10.0.0.1/", "secret": SECRET}, "BELLWETHER_WEBHOOK_HOSTS"),
        ("webhook", {"secret": SECRET}, "This field is required"),
        ("alertmanager", {"url": "gopher://x"}, "no URL that can be used"),
        ("memory", {"box": "b", "name": "!"}, "letters, digits"),
        ("memory", {"box": "b", "models_matching": "a b"}, "must be a pattern"),
        ("memory", {"box": "b", "min_severity": "huge"}, "Select a valid choice"),
        ("email", {"to": "a@b.example"}, "BELLWETHER_EMAIL_URL"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_what_cannot_be_a_channel_says_why(
    kind: str, given: dict[str, str], told: str, sign_in: SignIn
) -> None:
    answer = sign_in("admin").post(f"{NEW}?kind={kind}", COMMON | given)
    assert told in answer.text
    assert not Channel.objects.exists()


def test_addresses_are_one_a_line(sign_in: SignIn, settings: Any) -> None:
    settings.BELLWETHER_EMAIL_URL = "smtp://localhost:25"
    client = sign_in("admin")
    client.post(f"{NEW}?kind=email", COMMON | {"to": "a@b.example\n\n c@d.example \n"})
    assert Channel.objects.get().config == {"to": ["a@b.example", "c@d.example"]}
    bad = client.post(f"{NEW}?kind=email", COMMON | {"name": "two", "to": "nobody"})
    assert "no address" in bad.text
    assert "2 addresses" in client.get(LIST).text


def test_a_name_is_taken_once(sign_in: SignIn) -> None:
    memory_channel("ops")
    answer = sign_in("admin").post(f"{NEW}?kind=memory", COMMON | {"name": "ops", "box": "b"})
    assert "There is a channel" in answer.text


def test_a_test_reaches_a_real_receiver(sign_in: SignIn, settings: Any) -> None:
    client = sign_in("admin")
    with receiving() as receiver:
        settings.BELLWETHER_WEBHOOK_HOSTS = [receiver.host]
        client.post(f"{NEW}?kind=webhook", COMMON | {"url": receiver.url, "secret": SECRET})
        row = Channel.objects.get()
        assert "The test reached on call" in client.post(at("channel-test", row), follow=True).text
        assert b'"event":"test"' in receiver.received[0][2]
        receiver.answers = [500]
        assert "answers 500" in client.post(at("channel-test", row), follow=True).text
    states = list(Notification.objects.order_by("pk").values_list("state", flat=True))
    assert states == ["sent", "dead"]


def test_a_test_that_fails_tells_its_reason_in_the_log(sign_in: SignIn) -> None:
    row = memory_channel("ops")
    memory.FAILURES["ops"].append(DeliveryFailed("the box is full"))
    text = sign_in("admin").post(at("channel-test", row), follow=True).text
    assert text.count("the box is full") >= 2


def test_a_channel_is_disabled_and_enabled(sign_in: SignIn) -> None:
    client, row = sign_in("admin"), memory_channel()
    assert "Disable" in client.get(at("channel-switch", row)).text
    assert (
        "is disabled" in client.post(at("channel-switch", row), {"enable": "no"}, follow=True).text
    )
    row.refresh_from_db()
    assert row.is_enabled is False
    Channel.objects.update(disabled_reason="it answers 404")
    assert "it answers 404" in client.get(LIST).text
    client.post(at("channel-switch", row), {"enable": "yes"})
    row.refresh_from_db()
    assert (row.is_enabled, row.disabled_reason) == (True, "")


def test_a_channel_is_deleted_with_its_log(sign_in: SignIn) -> None:
    client, row = sign_in("admin"), memory_channel()
    client.post(at("channel-test", row))
    assert "Deleted the channel ops" in client.post(at("channel-delete", row), follow=True).text
    assert not Channel.objects.exists()
    assert not Notification.objects.exists()


def fill_log(channel: Channel, n: int) -> None:
    Notification.objects.bulk_create(
        Notification(channel=channel, state="sent", is_test=True, due_at=START, created_at=START)
        for _ in range(n)
    )


def test_the_log_goes_on_page_by_page() -> None:
    fill_log(memory_channel("a"), PAGE_SIZE + 5)
    first = load_log(LogFilters())
    rest = load_log(LogFilters(before=first.before))
    assert (len(first.rows), len(rest.rows), rest.before) == (PAGE_SIZE, 5, None)
    assert first.rows[-1].pk > rest.rows[0].pk


def test_the_log_is_narrowed_and_links_to_alerts(
    sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    one, _ = memory_channel("a"), memory_channel("b")
    alert = Clock().fire()
    fill_log(one, PAGE_SIZE)
    client = sign_in("viewer")
    with django_assert_max_num_queries(8):
        text = client.get(LIST).text
    assert "Older messages" in text
    queued = client.get(LIST, {"state": "queued", "channel": one.pk}).text
    assert reverse("dashboard:alert", args=[alert.pk]) in queued
    assert "Older messages" not in queued
    assert "No message is like this" in client.get(LIST, {"state": "dead"}).text


@pytest.mark.parametrize("params", [{"state": "lost"}, {"channel": "x"}, {"before": "-1"}])
def test_a_filter_of_the_log_that_does_not_exist_is_refused(
    params: dict[str, str], sign_in: SignIn
) -> None:
    answer = sign_in("viewer").get(LIST, params)
    assert (answer.status_code, "must be" in answer.text) == (422, True)
