"""The home page: what it reads of many models, and what it says where there is nothing to say."""

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from monitoring.alerting.states import State
from monitoring.dashboard import badges, home_numbers
from monitoring.dashboard.home import PER_PAGE, draw_traffic, load_home, sort_models
from monitoring.dashboard.home_facts import ModelRow, OpenAlert
from monitoring.dashboard.home_numbers import Traffic
from monitoring.models import AuditItem
from monitoring.quality.weighted import Cell
from monitoring.severity import Severity
from monitoring.verdicts import Verdict
from registry.models import RegisteredModel, Route, Version
from registry.overview import NamedModel
from registry.specs import RouteMode
from tests.access.people import make_person
from tests.monitoring.alerting.builders import Clock
from tests.monitoring.builders import make_prediction, register
from tests.monitoring.dashboard.homes import (
    HOUR,
    MINUTE,
    NOW,
    add_answer,
    add_baseline,
    add_busy,
    add_cells,
    add_failures,
)
from tests.monitoring.evaluating.builders import add_counts, add_traffic, draw, go_live

MODEL = "acme/mood"
GOOD = {("a", "a"): 45, ("b", "b"): 45, ("a", "b"): 5, ("b", "a"): 5}


@pytest.fixture
def visitor(client: Client, db: None) -> Client:
    client.force_login(make_person("viewer"))
    return client


def row_of(model: str = MODEL) -> ModelRow:
    return next(row for row in load_home(now=NOW).rows if row.overview.name == model)


def shown(client: Client, **query: str) -> str:
    badges.firing.forget()
    answer = client.get(reverse("dashboard:home"), query)
    assert answer.status_code == 200
    return answer.text


def as_role(client: Client, role: str) -> Client:
    client.force_login(make_person(role))
    return client


# What it reads


@pytest.mark.django_db
def test_traffic_is_that_of_the_past_hour_and_day() -> None:
    go_live()
    for at, n in ((NOW - 2 * MINUTE, 5), (NOW - 3 * HOUR, 40), (NOW - 26 * HOUR, 1000)):
        add_counts(n, at=at)
    traffic = row_of().traffic
    assert (traffic.n_hour, traffic.n_day) == (5, 45)
    assert traffic.hours[-1] == 5
    assert traffic.hours[-4] == 40
    assert traffic.minutes[-3] == 5


@pytest.mark.django_db
def test_only_the_servers_own_faults_are_errors() -> None:
    go_live()
    add_counts(90, at=NOW - MINUTE)
    add_failures(MODEL, "lane_failed", 2)
    add_failures(MODEL, "text_too_long", 8)
    assert row_of().traffic.error_rate == pytest.approx(0.02)


@pytest.mark.django_db
def test_without_a_request_no_share_failed() -> None:
    go_live()
    assert row_of().traffic.error_rate is None


@pytest.mark.django_db
def test_latency_is_of_the_newest_answers_of_the_live_version() -> None:
    sample = draw(np.random.default_rng(0), 900)
    go_live(2)
    add_traffic(draw(np.random.default_rng(1), 100), None, number=1, end=NOW)
    add_traffic(sample, None, number=2, end=NOW - MINUTE)
    latency = row_of().latency
    assert latency is not None
    assert latency.n == 500
    assert latency.p50_s == pytest.approx(float(np.median(sample.seconds)), rel=0.2)
    assert latency.p50_s < latency.p95_s


@pytest.mark.django_db
def test_answers_of_yesterday_have_no_latency_today() -> None:
    go_live()
    add_traffic(draw(np.random.default_rng(0), 100), None, end=NOW - timedelta(hours=25))
    assert row_of().latency is None


@pytest.mark.django_db
def test_f1_is_by_labels_with_an_interval() -> None:
    go_live()
    add_cells(MODEL, GOOD)
    row = row_of()
    assert row.f1 is not None
    assert row.f1.value == pytest.approx(0.9)
    assert row.f1.low is not None
    assert row.f1.high is not None
    assert 0.8 < row.f1.low < 0.9 < row.f1.high < 0.97
    assert (row.labelled.source, row.labelled.n_labelled, row.is_estimated) == (
        "delayed",
        100,
        False,
    )


@pytest.mark.django_db
def test_f1_is_of_the_live_version_and_of_the_past_day() -> None:
    go_live(2)
    add_cells(MODEL, GOOD, version=1)
    add_cells(MODEL, GOOD, version=2, at=NOW - timedelta(hours=26))
    assert row_of().f1 is None


def test_a_source_that_may_be_trusted_comes_before_more_labels_of_users() -> None:
    users = ((("a", "a"), Cell(500, 500.0, 500.0)),)
    delayed = ((("a", "a"), Cell(30, 30.0, 30.0)),)
    chosen = home_numbers.choose_source({"user": users, "delayed": delayed})
    assert (chosen.source, chosen.is_trusted) == ("delayed", True)


def test_labels_of_an_audit_count_as_many_as_they_are_worth() -> None:
    skewed = ((("a", "a"), Cell(30, 129.0, 10_029.0)),)
    assert home_numbers.choose_source({"audit": skewed}).f1 is None


@pytest.mark.django_db
def test_with_too_few_labels_the_estimate_is_shown_as_one() -> None:
    go_live()
    add_cells(MODEL, {("a", "a"): 19})
    add_answer(MODEL, "estimate", Verdict.OK, details={"macro_f1": [0.7, 0.75, 0.8]})
    row = row_of()
    assert row.is_estimated
    assert row.f1 is not None
    assert (row.f1.low, row.f1.value, row.f1.high) == (0.7, 0.75, 0.8)


@pytest.mark.django_db
def test_an_estimate_gives_way_to_trusted_labels_and_stands_before_users() -> None:
    go_live()
    add_answer(MODEL, "estimate", Verdict.OK, details={"macro_f1": [0.7, 0.75, 0.8]})
    add_cells(MODEL, GOOD, source="user")
    assert row_of().is_estimated
    add_cells(MODEL, GOOD, source="audit")
    row = row_of()
    assert (row.is_estimated, row.labelled.source) == (False, "audit")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("verdict", "version", "details"),
    [
        (Verdict.INSUFFICIENT_DATA, 1, {"macro_f1": [0.7, 0.75, 0.8]}),
        (Verdict.OK, 2, {"macro_f1": [0.7, 0.75, 0.8]}),
        (Verdict.OK, 1, {}),
    ],
    ids=["too little data", "of another version", "not defined"],
)
def test_what_is_no_estimate_of_the_live_version_is_not_shown(
    verdict: Verdict, version: int, details: dict[str, object]
) -> None:
    go_live()
    add_answer(MODEL, "estimate", verdict, version=version, details=details)
    assert row_of().f1 is None


@pytest.mark.django_db
@pytest.mark.parametrize(("baseline", "is_below"), [(0.99, True), (0.9, False), (None, False)])
def test_an_f1_is_below_its_baseline_with_all_of_its_interval(
    baseline: float | None, is_below: bool
) -> None:
    go_live()
    add_cells(MODEL, GOOD)
    add_baseline(MODEL, baseline)
    assert row_of().is_below_baseline is is_below


@pytest.mark.django_db
def test_a_bad_verdict_says_since_when_and_a_good_one_when_it_was_given() -> None:
    add_busy(MODEL)
    add_answer(MODEL, "drift", Verdict.OK, name="drift by day")
    bad, good = row_of().drift
    assert (bad.verdict, bad.since) == ("DRIFT", NOW - HOUR + MINUTE)
    assert (good.monitor, good.since, good.at) == ("drift by day", None, NOW - MINUTE)


@pytest.mark.django_db
def test_the_newest_evaluation_counts() -> None:
    go_live()
    add_answer(MODEL, "drift", Verdict.DRIFT, at=NOW - HOUR)
    add_answer(MODEL, "drift", Verdict.INSUFFICIENT_DATA, at=NOW)
    assert [each.verdict for each in row_of().drift] == ["INSUFFICIENT_DATA"]


@pytest.mark.django_db
def test_alerts_are_counted_by_state_and_severity() -> None:
    go_live()
    clock = Clock(NOW - HOUR)
    clock.fire(kind="drift", severity=Severity.WARNING)
    clock.fire(kind="quality", severity=Severity.CRITICAL)
    clock.fire(kind="errors", severity=Severity.WARNING)
    clock.tell(Verdict.BREACH, kind="latency")
    found = [(each.n, each.severity, each.state) for each in row_of().alerts]
    assert found == [
        (1, "critical", "firing"),
        (2, "warning", "firing"),
        (1, "warning", "pending"),
    ]
    home = load_home(now=NOW)
    assert (home.n_firing, home.n_pending) == (3, 1)


@pytest.mark.django_db
def test_labels_that_are_waited_for_are_counted_while_they_are_asked_for() -> None:
    row = make_prediction(at=NOW)
    AuditItem.objects.all().delete()
    common = {"model": MODEL, "version": 1, "probability": 0.1, "uncertainty": 0.5}
    AuditItem.objects.create(prediction=row, at=NOW, **common)
    old = make_prediction(at=NOW)
    AuditItem.objects.filter(prediction=old).delete()
    AuditItem.objects.create(prediction=old, at=NOW - timedelta(days=15), **common)
    assert load_home(now=NOW).n_waiting_labels == 1


# In which order, and how many at once


def alert(model: str, severity: Severity, state: State = State.FIRING) -> OpenAlert:
    return OpenAlert(
        model=model,
        version=1,
        kind="drift",
        state=state,
        severity=severity,
        opened_at=NOW,
        since={},
    )


def test_the_loudest_alarm_comes_first_then_traffic_then_the_name() -> None:
    models = [NamedModel(name=name, live=1) for name in "abcdefg"]
    alerts = [
        alert("e", Severity.WARNING),
        alert("g", Severity.CRITICAL),
        alert("f", Severity.CRITICAL, State.PENDING),
    ]
    ordered = sort_models(models, alerts, {"c": 7, "d": 9, "e": 1})
    assert [each.name for each in ordered] == ["g", "e", "f", "d", "c", "a", "b"]


@pytest.mark.django_db
def test_thirty_models_take_as_many_queries_as_one(visitor: Client) -> None:
    def n_queries() -> int:
        badges.firing.forget()
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert visitor.get(reverse("dashboard:home")).status_code == 200
        return len(queries)

    add_busy("acme/model-0")
    n_queries()
    of_one = n_queries()
    for i in range(1, 30):
        add_busy(f"acme/model-{i}")
    assert n_queries() == of_one
    assert of_one <= 30


@pytest.mark.django_db
def test_models_come_fifty_at_a_time() -> None:
    for i in range(PER_PAGE + 1):
        RegisteredModel.objects.create(namespace="acme", name=f"m{i:02d}")
    first, last = load_home(now=NOW), load_home(now=NOW, page=99)
    assert (first.n_pages, len(first.rows), first.rows[0].name) == (2, PER_PAGE, "m00")
    assert (last.page, [row.name for row in last.rows]) == (2, [f"m{PER_PAGE}"])


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("search", "found"), [("MOO", ["acme/mood"]), ("acme/s", ["acme/spam"]), ("x", [])]
)
def test_a_model_is_found_by_a_part_of_its_name(search: str, found: list[str]) -> None:
    for name in ("mood", "spam"):
        RegisteredModel.objects.create(namespace="acme", name=name)
    assert [row.overview.name for row in load_home(now=NOW, search=search).rows] == found


# The picture beside the numbers


def test_what_came_within_the_hour_is_drawn_by_minute() -> None:
    young = Traffic(hours=(0,) * 24 + (9,), minutes=(0,) * 59 + (9,))
    old = Traffic(hours=(1,) + (0,) * 23 + (9,), minutes=(0,) * 59 + (9,))
    pictures = draw_traffic(young), draw_traffic(old)
    assert [picture and picture.text.split(":")[0] for picture in pictures] == [
        "Predictions a minute over the past hour",
        "Predictions an hour over the past day",
    ]


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw_traffic(Traffic(hours=(0,) * 25, minutes=(0,) * 60)) is None


# What the page says


def test_without_a_model_it_says_how_to_bring_one(client: Client, db: None) -> None:
    text = shown(as_role(client, "operator"))
    assert "There is no model yet." in text
    assert reverse("admin:registry_operation_import_model") in text


def test_who_may_not_bring_a_model_is_not_offered_it(visitor: Client) -> None:
    assert reverse("admin:registry_operation_import_model") not in shown(visitor).split("<main")[1]


@pytest.mark.parametrize(("role", "is_offered"), [("viewer", False), ("operator", True)])
def test_a_model_without_a_live_version_can_be_promoted_by_who_may(
    client: Client, db: None, role: str, is_offered: bool
) -> None:
    register(number=3)
    text = shown(as_role(client, role))
    assert "no live version" in text
    address = reverse("dashboard:version-act", args=["acme", "mood", 3, "promote"])
    assert (address in text) is is_offered


def test_a_model_without_traffic_says_how_to_send_some(client: Client, db: None) -> None:
    go_live()
    text = shown(as_role(client, "operator"))
    assert "No traffic in 24 h." in text
    assert "curl http://testserver/api/v1/models/acme/mood/predict" in text
    assert f"{reverse('dashboard:playground')}?model=acme%2Fmood" in text


def test_a_model_without_a_reference_says_so(visitor: Client) -> None:
    go_live()
    assert "no reference" in shown(visitor)


def test_canaries_and_shadows_are_shown_with_their_weights(visitor: Client) -> None:
    go_live(1)
    for number in (2, 3):
        register(number=number)
    model = RegisteredModel.objects.get()
    for number, mode, weight in ((2, RouteMode.LIVE, 10), (3, RouteMode.SHADOW, 50)):
        version = Version.objects.get(number=number)
        Route.objects.create(
            model=model, version=version, mode=mode, weight=weight, position=number
        )
    text = " ".join(shown(visitor).split())
    assert 'version 2 <span class="bw-badge bw-badge--info">canary</span> 10 %' in text
    assert 'version 3 <span class="bw-badge bw-badge--info">shadow</span> 50 % copied' in text


def test_all_that_is_known_of_a_model_is_on_the_page(visitor: Client) -> None:
    now = timezone.now()
    go_live()
    add_counts(60, at=now - MINUTE)
    add_counts(60, at=now - 3 * HOUR)
    add_cells(MODEL, GOOD, at=now)
    add_baseline(MODEL, 0.99)
    add_answer(MODEL, "drift", Verdict.DRIFT, at=now)
    Clock(now - HOUR).fire(severity=Severity.CRITICAL)
    text = " ".join(shown(visitor).split())
    for part in (
        '120 <span class="bw-subtle">in 24 h',
        "<strong>0.900</strong>",
        "by 100 delayed labels",
        "below its baseline",
        "baseline 0.990",
        '<span class="bw-badge bw-badge--bad">DRIFT</span>',
        "1 critical</a>",
        "1 firing",
        "Predictions an hour over the past day: from 0 to 60",
    ):
        assert part in text


def test_the_script_gets_only_what_changes(visitor: Client) -> None:
    answer = visitor.get(reverse("dashboard:home"), headers={"X-Bellwether-Part": "live"})
    assert answer.text.lstrip().startswith('<section id="home-figures"')
    assert "<html" not in answer.text


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 30, "²"])
def test_a_page_that_is_none_is_the_first_or_the_last(visitor: Client, page: str) -> None:
    go_live()
    assert "acme/mood" in shown(visitor, page=page)


# Beside the link to the alerts


def test_the_navigation_counts_what_fires(visitor: Client) -> None:
    assert "1 firing" not in shown(visitor)
    Clock().fire()
    assert "1 firing" in shown(visitor)


def test_the_count_is_read_every_few_seconds_at_most() -> None:
    clock, reads = [100.0], []

    def read() -> int:
        reads.append(1)
        return len(reads)

    remembered = badges.Remembered(read, clock=lambda: clock[0])
    assert [remembered.get(), remembered.get()] == [1, 1]
    clock[0] += badges.FRESH_S
    assert remembered.get() == 2
