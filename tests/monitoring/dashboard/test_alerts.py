"""The pages of alerts: order, filters, evidence, and acts of those who may."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from monitoring.alerting import silences
from monitoring.dashboard.alerts import PAGE_SIZE, Filters, load_alerts, read_filters
from monitoring.errors import InvalidFilter, InvalidWindow
from monitoring.evaluating.evaluator import evaluate
from monitoring.models import Alert, AlertState, Evaluation, Silence
from monitoring.notifiers import memory
from monitoring.severity import Severity
from tests.access.people import make_person
from tests.monitoring.alerting.builders import MODEL, Clock, memory_channel
from tests.monitoring.evaluating.builders import (
    add_monitor,
    add_traffic,
    draw,
    go_live,
    keep_reference,
    usual_reference,
)
from tests.monitoring.evaluating.test_evaluator import BY_COUNT, rng

pytestmark = pytest.mark.django_db
LIST = reverse("dashboard:alerts")
SignIn = Callable[[str], Client]


@pytest.fixture
def sign_in() -> SignIn:
    def as_role(role: str) -> Client:
        client = Client()
        client.force_login(make_person(role))
        return client

    return as_role


def make(at: datetime | None = None, **changes: Any) -> Alert:
    at = at or timezone.now()
    fields: dict[str, Any] = {
        "model": MODEL,
        "version": 1,
        "kind": "drift",
        "state": AlertState.FIRING,
        "severity": Severity.WARNING,
        "summary": "the texts have changed",
        "opened_at": at,
        "fired_at": at,
        "seen_at": at,
    }
    return Alert.objects.create(**(fields | changes))


def page_of(alert: Alert) -> str:
    return reverse("dashboard:alert", args=[alert.pk])


def silence_it(**changes: Any) -> Silence:
    now = timezone.now()
    fields = {"until": now + timedelta(hours=1), "actor": "tests", "now": now, "model": MODEL}
    return silences.silence(**(fields | changes))


def test_what_fires_comes_first_by_severity_then_pending_then_what_is_over() -> None:
    now = timezone.now()
    make(now, version=1, state=AlertState.RESOLVED, resolved_at=now)
    make(now, version=2, state=AlertState.PENDING, severity=Severity.CRITICAL)
    make(now - timedelta(days=9), version=3, severity=Severity.CRITICAL)
    make(now, version=4, severity=Severity.INFO)
    make(now, version=5, severity=Severity.WARNING)
    make(now, version=6, state=AlertState.INACTIVE)
    rows = load_alerts(Filters(), now).rows
    assert [row.version for row in rows] == [3, 5, 4, 2, 1]


def test_pages_hold_every_alert_once() -> None:
    now = timezone.now()
    n = 2 * PAGE_SIZE + 3
    for i in range(n):
        # Some of one time: then their ids decide.
        make(now - timedelta(minutes=i // 4), version=i, severity=list(Severity)[i % 3])
    seen: list[int] = []
    found = load_alerts(Filters(), now)
    while True:
        seen += [row.version for row in found.rows]
        if not found.after:
            break
        found = load_alerts(read_filters({"after": found.after}), now)
    assert len(seen) == n
    assert set(seen) == set(range(n))


def test_filters_narrow_the_list() -> None:
    now = timezone.now()
    make(now, version=1, kind="quality", severity=Severity.CRITICAL)
    make(now - timedelta(days=3), version=2, model="acme/other")
    make(
        now - timedelta(days=3),
        version=3,
        state=AlertState.RESOLVED,
        resolved_at=now - timedelta(days=2),
    )
    make(now, version=4, state=AlertState.INACTIVE)

    def versions(**params: str) -> set[int]:
        return {row.version for row in load_alerts(read_filters(params), now).rows}

    day = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert versions() == {1, 2, 3}
    assert versions(state="firing") == {1, 2}
    assert versions(state="inactive") == {4}
    assert versions(severity="critical") == {1}
    assert versions(kind="quality") == {1}
    assert versions(model="acme/other") == {2}
    assert versions(to=day) == {2, 3}
    assert versions(**{"from": day}) == {1, 2}


@pytest.mark.parametrize(
    "params",
    [{"state": "mad"}, {"severity": "huge"}, {"kind": "mood"}, {"after": "1~2~3"}],
)
def test_a_filter_that_does_not_exist_is_refused(params: dict[str, str], sign_in: SignIn) -> None:
    with pytest.raises(InvalidFilter):
        read_filters(params)
    answer = sign_in("viewer").get(LIST, params)
    assert answer.status_code == 422
    assert "must be" in answer.text or "no place" in answer.text


def test_a_time_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidWindow):
        read_filters({"from": "soon"})
    with pytest.raises(InvalidFilter):
        read_filters({"from": "2026-02-02", "to": "2026-02-01"})


def test_the_list_tells_who_cares_and_what_is_silenced(sign_in: SignIn) -> None:
    alert = make(acknowledged_at=timezone.now(), acknowledged_by="Ann")
    silence_it(note="planned work")
    text = sign_in("viewer").get(LIST).text
    assert "taken care of by Ann" in text
    assert "silenced until" in text
    assert "planned work" in text
    assert page_of(alert) in text
    assert "End now" not in text


def test_an_empty_list_says_why(sign_in: SignIn) -> None:
    client = sign_in("viewer")
    assert "Nothing is watched" in client.get(LIST).text
    go_live()
    add_monitor("drift", **BY_COUNT)
    text = client.get(LIST).text
    assert "Nothing fires" in text
    assert "1 monitor watches, 1 model" in text.replace("\n", " ") or "1 monitor" in text
    assert "There has never been an alert" in text
    assert "No alert is like this" in client.get(LIST, {"state": "firing"}).text


def test_the_list_costs_the_same_for_any_number_of_alerts(
    sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = sign_in("admin")
    for i in range(PAGE_SIZE):
        make(version=i)
        silence_it(version=i + 1)
    with django_assert_max_num_queries(16):
        assert client.get(LIST).status_code == 200


@pytest.fixture
def drifting() -> Alert:
    """A drift alert that real evaluations made."""
    go_live()
    memory_channel(min_severity=Severity.INFO)
    keep_reference(usual_reference())
    now = timezone.now()
    add_traffic(draw(rng(1), 1000, shift=0.4), usual_reference().basis, end=now)
    monitor = add_monitor("drift", **BY_COUNT)
    for minutes in (20, 10, 0):
        evaluate(monitor.pk, now=now - timedelta(minutes=minutes))
    return Alert.objects.get(kind="drift")


def test_one_alert_shows_evidence_history_and_what_to_do(
    drifting: Alert, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = sign_in("admin")
    with django_assert_max_num_queries(20):
        text = client.get(page_of(drifting)).text
    assert drifting.summary in text.replace("&#x27;", "'")
    assert "Budget spent" in text
    assert "Meaning of the texts" in text
    assert "pending → firing" in text
    assert "<polyline" in text
    drift = reverse("dashboard:drift", args=MODEL.split("/"))
    assert f"{drift}?version=1&amp;from=" in text
    assert "explain=yes" in text


def test_an_alert_outlives_its_evaluations(drifting: Alert, sign_in: SignIn) -> None:
    Evaluation.objects.all().delete()
    text = sign_in("viewer").get(page_of(drifting)).text
    assert "no longer kept" in text
    assert "p-value" in text


def test_an_alert_that_does_not_exist_is_not_found(sign_in: SignIn) -> None:
    client = sign_in("admin")
    assert client.get(reverse("dashboard:alert", args=[uuid4()])).status_code == 404
    known = make()
    for act in ("explode", "silence"):
        page = reverse("dashboard:alert-act", args=[known.pk, act])
        assert client.get(page).status_code == 404


def test_advice_is_only_what_a_role_may_do(sign_in: SignIn) -> None:
    alert = make(kind="quality")
    roll_back = reverse("dashboard:roll-back", args=MODEL.split("/"))
    assert roll_back in sign_in("operator").get(page_of(alert)).text
    text = sign_in("viewer").get(page_of(alert)).text
    assert roll_back not in text
    assert "Acknowledge" not in text


def acts(alert: Alert, silence: Silence) -> list[str]:
    return [
        reverse("dashboard:alert-act", args=[alert.pk, "acknowledge"]),
        reverse("dashboard:silence-make"),
        reverse("dashboard:silence-end", args=[silence.pk]),
    ]


@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_only_administrators_act_on_alerts(role: str, sign_in: SignIn) -> None:
    client, alert, kept = sign_in(role), make(), silence_it()
    for path in acts(alert, kept):
        assert client.get(path).status_code == 403
        assert client.post(path, {"length": "1h"}).status_code == 403
    assert client.get(LIST).status_code == 200
    assert Alert.objects.filter(acknowledged_at=None).count() == 1
    assert Silence.objects.get().until_at == kept.until_at


def test_looking_changes_nothing(sign_in: SignIn) -> None:
    client, alert, kept = sign_in("admin"), make(), silence_it()
    before = Alert.objects.values().get(), Silence.objects.values().get()
    for path in [LIST, page_of(alert), *acts(alert, kept)]:
        assert client.get(path).status_code == 200
    assert (Alert.objects.values().get(), Silence.objects.values().get()) == before


def test_an_alert_is_acknowledged_with_a_note(sign_in: SignIn) -> None:
    client, alert = sign_in("admin"), make()
    path = reverse("dashboard:alert-act", args=[alert.pk, "acknowledge"])
    answer = client.post(path, {"note": "looking into it"}, follow=True)
    assert "Acknowledged" in answer.text
    alert.refresh_from_db()
    assert (alert.acknowledged_by, alert.note) == ("admin (admin)", "looking into it")


def test_what_is_over_cannot_be_acknowledged(sign_in: SignIn) -> None:
    alert = make(state=AlertState.RESOLVED, resolved_at=timezone.now())
    path = reverse("dashboard:alert-act", args=[alert.pk, "acknowledge"])
    answer = sign_in("admin").post(path, {}, follow=True)
    assert "only one that fires" in answer.text


def test_an_alert_is_silenced_and_heard_again(sign_in: SignIn) -> None:
    client, alert = sign_in("admin"), make()
    path = f"{reverse('dashboard:silence-make')}?alert={alert.pk}"
    form = client.get(path).text
    assert f'<option value="{MODEL}" selected>' in form
    given = {"model": MODEL, "version": 1, "kind": "drift", "length": "8h", "note": "known"}
    answer = client.post(path, given, follow=True)
    assert "Silenced until" in answer.text
    assert "End the silence" in answer.text
    row = Silence.objects.get()
    assert (row.model, row.version, row.kind, row.note) == (MODEL, 1, "drift", "known")
    assert timedelta(hours=7) < row.until_at - timezone.now() <= timedelta(hours=8)
    over = client.post(reverse("dashboard:silence-end", args=[row.pk]), follow=True)
    assert "The silence is over" in over.text
    assert not Silence.objects.filter(until_at__gt=timezone.now()).exists()


def test_a_silence_until_a_time_is_in_utc(sign_in: SignIn) -> None:
    go_live()
    until = (datetime.now(UTC) + timedelta(days=2)).replace(second=0, microsecond=0)
    given = {"length": "until", "until": f"{until:%Y-%m-%dT%H:%M}"}
    sign_in("admin").post(reverse("dashboard:silence-make"), given)
    assert Silence.objects.get().until_at == until


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"length": "until"}, "Say until when"),
        ({"length": "until", "until": "2000-01-01T00:00"}, "must lie ahead"),
        ({"length": "1h", "version": "2"}, "is needed where a version is named"),
        ({"length": "1y"}, "Select a valid choice"),
    ],
)
def test_a_silence_that_cannot_be_says_why_at_its_field(
    given: dict[str, str], told: str, sign_in: SignIn
) -> None:
    answer = sign_in("admin").post(reverse("dashboard:silence-make"), given)
    assert told in answer.text
    assert not Silence.objects.exists()


def test_history_names_who_was_told(sign_in: SignIn) -> None:
    memory.clear()
    memory_channel("ops")
    clock = Clock()
    alert = clock.fire()
    text = sign_in("viewer").get(page_of(alert)).text
    assert "ops (memory)" in text
    assert "queued" in text
