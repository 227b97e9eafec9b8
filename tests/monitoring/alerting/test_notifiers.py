import dataclasses
import doctest
import json
import smtplib
import socket
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from monitoring.errors import DeliveryFailed, InvalidChannel, NotifyUnavailable
from monitoring.notifiers import alertmanager, apprise, base, email, memory, webhook
from monitoring.notifiers.base import Event, Message
from monitoring.severity import Severity
from registry.errors import AddressRefused, SourceUnreachable
from registry.netguard import GuardedClient
from tests.monitoring.alerting.receivers import Receiver, receiving

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
MESSAGE = Message(
    id="41",
    event=Event.FIRING,
    alert="0b9f0cfe-0000-4000-8000-000000000000",
    model="acme/mood",
    version=3,
    kind="drift",
    severity=Severity.WARNING,
    summary="the texts have changed",
    details={"p_value": 1e-7, "n_window": 1000, "by_segment": {"web": 0.1}},
    at=AT,
    fired_at=AT,
    link="https://bellwether.example/admin/alerts/1/",
)
SECRET = "a secret of sixteen"


def changed(**changes: Any) -> Message:
    return dataclasses.replace(MESSAGE, **changes)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def hook(receiver: Receiver, url: str = "") -> webhook.WebhookNotifier:
    config = {"url": url or receiver.url, "secret": SECRET}
    return webhook.WebhookNotifier(config, allowed=[receiver.host], clock=lambda: 1_760_000_000.5)


def test_a_webhook_is_signed_over_its_time_and_its_body(receiver: Receiver) -> None:
    hook(receiver).send(MESSAGE)
    [(path, headers, body)] = receiver.received
    assert path == "/hook"
    assert headers["content-type"] == "application/json"
    assert headers["idempotency-key"] == "41"
    assert headers["x-bellwether-timestamp"] == "1760000000"
    assert headers["x-bellwether-signature"] == webhook.sign(SECRET, "1760000000", body)
    told = json.loads(body)
    assert (told["event"], told["model"], told["severity"]) == ("firing", "acme/mood", "warning")
    assert told["fired_at"] == "2026-11-21T12:00:00Z"
    assert told["details"]["by_segment"] == {"web": 0.1}


def test_another_body_or_time_has_another_signature() -> None:
    known = webhook.sign(SECRET, "1760000000", b"{}")
    assert known != webhook.sign(SECRET, "1760000001", b"{}")
    assert known != webhook.sign(SECRET, "1760000000", b"{ }")
    assert known != webhook.sign(SECRET + "!", "1760000000", b"{}")


@pytest.mark.parametrize(
    ("status", "is_permanent"),
    [
        *((status, True) for status in (301, 307, 400, 404, 410)),
        *((status, False) for status in (408, 429, 500, 503)),
    ],
)
def test_what_trying_again_can_mend_is_kept_apart(
    receiver: Receiver, status: int, is_permanent: bool
) -> None:
    receiver.answers = [status]
    with pytest.raises(DeliveryFailed) as failure:
        hook(receiver).send(MESSAGE)
    assert failure.value.is_permanent is is_permanent
    assert len(receiver.received) == 1, "a redirect is not followed"


def test_a_webhook_that_says_too_much_is_cut_off(receiver: Receiver) -> None:
    receiver.body = b"a" * 100_000
    hook(receiver).send(MESSAGE)
    assert len(receiver.received) == 1, "nothing of the answer is needed but its status"


def test_a_receiver_that_is_gone_is_tried_again() -> None:
    with receiving() as gone:
        notifier = hook(gone)
    with pytest.raises(DeliveryFailed) as failure:
        notifier.send(MESSAGE)
    assert not failure.value.is_permanent


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.8",
        "169.254.169.254",
        "192.168.1.1",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.1",
    ],
)
def test_a_name_that_leads_inside_is_refused_for_good(address: str) -> None:
    notifier = webhook.WebhookNotifier(
        {"url": "https://hooks.example/x", "secret": SECRET}, resolve=lambda host, port: [address]
    )
    with pytest.raises(DeliveryFailed, match="BELLWETHER_WEBHOOK_HOSTS") as failure:
        notifier.send(MESSAGE)
    assert failure.value.is_permanent


def test_the_metadata_service_of_a_cloud_cannot_even_be_allowed() -> None:
    notifier = webhook.WebhookNotifier(
        {"url": "http://169.254.169.254/latest", "secret": SECRET}, allowed=["169.254.169.254"]
    )
    with pytest.raises(DeliveryFailed):
        notifier.send(MESSAGE)


@pytest.mark.parametrize(
    ("config", "field"),
    [
        ([], "config"),
        ({}, "config.url"),
        ({"url": "https://a.example"}, "config.secret"),
        ({"url": "https://a.example", "secret": "short"}, "config.secret"),
        ({"url": "http://a.example", "secret": SECRET}, "config.url"),
        ({"url": "ftp://a.example", "secret": SECRET}, "config.url"),
        ({"url": "https://user:pw@a.example", "secret": SECRET}, "config.url"),
        ({"url": 7, "secret": SECRET}, "config.url"),
        ({"url": "https://a.example/" + "a" * 2_000, "secret": SECRET}, "config.url"),
        ({"url": "https://a.example", "secret": SECRET, "colour": 1}, "config.colour"),
    ],
)
def test_a_webhooks_config_is_refused_with_its_field(config: object, field: str) -> None:
    with pytest.raises(InvalidChannel) as failure:
        webhook.read(config)
    assert failure.value.details["field"] == field


def test_plain_http_needs_an_allowed_host() -> None:
    config = {"url": "http://alerts.internal:9000/x", "secret": SECRET}
    assert webhook.read(config, allowed=["alerts.internal"]) == config
    assert webhook.read(config, allowed=["alerts.internal:9000"]) == config
    with pytest.raises(InvalidChannel):
        webhook.read(config, allowed=["alerts.internal:9001"])


def test_mail_says_it_in_plain_text(settings: Any) -> None:
    settings.DEFAULT_FROM_EMAIL = "watch@bellwether.example"
    email.EmailNotifier({"to": ["ann@acme.example"]}).send(MESSAGE)
    [sent] = mail.outbox
    assert sent.subject == "Bellwether [warning] acme/mood v3 drift"
    assert sent.to == ["ann@acme.example"]
    assert sent.from_email == "watch@bellwether.example"
    assert "the texts have changed" in sent.body
    assert MESSAGE.link in sent.body
    assert sent.extra_headers["Message-ID"] == "<notification-41@bellwether.example>"


@pytest.mark.parametrize(
    ("error", "is_permanent"),
    [
        (smtplib.SMTPRecipientsRefused({"a@b.c": (550, b"unknown")}), True),
        (smtplib.SMTPRecipientsRefused({"a@b.c": (450, b"later")}), False),
        (smtplib.SMTPServerDisconnected("gone"), False),
        (ConnectionRefusedError(), False),
        (TimeoutError(), False),
    ],
)
def test_a_mail_server_that_refuses_is_understood(
    monkeypatch: pytest.MonkeyPatch, error: Exception, is_permanent: bool
) -> None:
    def refuse(*args: object, **kwargs: object) -> int:
        raise error

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    with pytest.raises(DeliveryFailed) as failure:
        email.EmailNotifier({"to": ["a@b.c"]}).send(MESSAGE)
    assert failure.value.is_permanent is is_permanent


@pytest.mark.parametrize(
    "config", [{}, {"to": "a@b.c"}, {"to": ["nobody"]}, {"to": ["a@b.c\nBcc: x@y.z"]}, {"to": [1]}]
)
def test_addresses_are_checked(config: object) -> None:
    with pytest.raises(InvalidChannel):
        email.read(config)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("mailto://user:pw@mail.example", "must begin with"),
        ("json://10.0.0.1/", "must begin with"),
        ("file:///etc/passwd", "must begin with"),
        ("slack://a/b/c?template=/etc/passwd", "query"),
        ("gotifys://10.0.0.8/token", "BELLWETHER_WEBHOOK_HOSTS"),
        ("slack://[", "not a URL"),
    ],
)
def test_only_services_that_lead_where_they_say_are_allowed(url: str, problem: str) -> None:
    with pytest.raises(InvalidChannel, match=problem):
        apprise.read({"url": url})


def test_a_hosted_service_needs_an_allowed_host() -> None:
    config = {"url": "gotifys://push.internal/Abc123"}
    assert apprise.read(config, allowed=["push.internal"]) == config


@pytest.mark.parametrize(
    "url",
    [
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "tgram://123456789:abcdefghijklmnopqrstuvwxyz123456789/12315544",
        "opsgenie://a6k4ABnck26hDh8AA3EDHoOVdDEUlw3nty",
    ],
)
# It loads every service that it knows, some by way of old modules.
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_apprise_takes_the_message_on(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("apprise")
    said: list[dict[str, Any]] = []

    def notify(self: Any, **kwargs: Any) -> bool:
        said.append(kwargs)
        return len(said) == 1

    monkeypatch.setattr(library.Apprise, "notify", notify)
    notifier = apprise.AppriseNotifier(apprise.read({"url": url}))
    notifier.send(MESSAGE)
    assert said[0]["title"] == MESSAGE.title
    assert said[0]["notify_type"] == "warning"
    with pytest.raises(DeliveryFailed):
        notifier.send(changed(event=Event.RESOLVED, resolved_at=AT))
    assert said[1]["notify_type"] == "success"


def test_without_the_library_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    with pytest.raises(NotifyUnavailable, match=r"requirements/notify\.txt"):
        apprise.load()


NOW = AT + timedelta(minutes=30)


def test_alertmanagers_labels_are_identity_and_nothing_else() -> None:
    [alert] = alertmanager.as_alerts(MESSAGE, now=NOW)
    assert alert["labels"] == {
        "alertname": "BellwetherDrift",
        "model": "acme/mood",
        "version": "3",
        "kind": "drift",
        "severity": "warning",
    }
    assert alert["startsAt"] == AT.isoformat()
    assert alert["endsAt"] == (NOW + timedelta(minutes=4)).isoformat()
    assert alert["annotations"]["summary"] == "the texts have changed"
    assert alert["annotations"]["detail_n_window"] == "1000"
    assert alert["generatorURL"] == MESSAGE.link


def test_other_numbers_make_no_other_label_set() -> None:
    later = changed(details={"p_value": 0.5}, summary="other words", at=NOW)
    [first], [second] = (alertmanager.as_alerts(each, now=NOW) for each in (MESSAGE, later))
    assert first["labels"] == second["labels"]
    assert first["startsAt"] == second["startsAt"]


def test_a_rise_ends_the_old_label_set_and_begins_a_new_one() -> None:
    worse = changed(event=Event.WORSE, severity=Severity.CRITICAL, before=Severity.WARNING, at=NOW)
    old, new = alertmanager.as_alerts(worse, now=NOW)
    assert (old["labels"]["severity"], old["endsAt"]) == ("warning", NOW.isoformat())
    assert new["labels"]["severity"] == "critical"
    assert new["endsAt"] > old["endsAt"]


def test_the_end_is_sent_as_it_was() -> None:
    over = changed(event=Event.RESOLVED, at=AT + timedelta(minutes=9))
    [alert] = alertmanager.as_alerts(over, now=NOW)
    assert alert["endsAt"] == over.at.isoformat()


def test_many_alerts_are_one_request(receiver: Receiver) -> None:
    config = alertmanager.read(
        {"url": f"http://{receiver.host}/am/", "token": "t"}, allowed=[receiver.host]
    )
    notifier = alertmanager.AlertmanagerNotifier(config, allowed=[receiver.host])
    notifier.send_again([MESSAGE, changed(version=4)])
    [(path, headers, body)] = receiver.received
    assert path == "/am/api/v2/alerts"
    assert headers["authorization"] == "Bearer t"
    assert [each["labels"]["version"] for each in json.loads(body)] == ["3", "4"]


def test_the_fake_keeps_messages_and_fails_when_told() -> None:
    notifier = memory.MemoryNotifier(memory.read({"box": "ops"}))
    memory.FAILURES["ops"].append(DeliveryFailed("no"))
    with pytest.raises(DeliveryFailed):
        notifier.send(MESSAGE)
    notifier.send(MESSAGE)
    assert list(memory.SENT["ops"]) == [MESSAGE]


def test_titles_say_what_happened() -> None:
    worse = changed(event=Event.WORSE, before=Severity.INFO)
    assert worse.title == "[warning, was info] acme/mood v3 drift"
    assert changed(event=Event.RESOLVED).title == "[resolved] acme/mood v3 drift"
    assert "reach you" in changed(event=Event.TEST).title


def test_the_examples_in_docstrings_run() -> None:
    for module in (webhook, base):
        assert doctest.testmod(module).failed == 0


def test_a_client_posts_to_its_own_endpoint_only() -> None:
    client = GuardedClient("https://a.example/hook")
    with (
        pytest.raises(AddressRefused),
        client.post("https://b.example/", b"{}", max_bytes=10, deadline_s=1),
    ):
        pytest.fail("it was asked")


def test_a_receiver_that_never_answers_costs_the_deadline_only() -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        client = GuardedClient(url, trusted=[url])
        started = time.monotonic()
        with (
            pytest.raises(SourceUnreachable, match="too slow"),
            client.post(url, b"{}", max_bytes=10, deadline_s=0.3),
        ):
            pytest.fail("it answered")
    assert time.monotonic() - started < 5
