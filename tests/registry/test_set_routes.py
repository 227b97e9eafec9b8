"""Routes in the database: whole sets, with their events, by service, API, command and admin."""

import io
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.urls import reverse
from rest_framework.test import APIClient

from access.keyring import KeyFacts
from access.scopes import Scope
from registry import queries, services
from registry.errors import (
    IncompatibleVersion,
    InvalidField,
    InvalidRoutes,
    NothingToRollBack,
    SignatureRequired,
    VersionIsLive,
    VersionNotFound,
    VersionNotRoutable,
)
from registry.models import Event, RegisteredModel, Version
from registry.routes import WantedRoute
from registry.specs import RouteMode, Stickiness
from tests.registry.builders import build_model_dir

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
NAME = "team/tiny"
LIVE, SHADOW = RouteMode.LIVE, RouteMode.SHADOW
CANARY = [WantedRoute(1, LIVE, 95), WantedRoute(2, LIVE, 5), WantedRoute(3, SHADOW, 10)]


@pytest.fixture
def three(register) -> None:
    for seed in (1, 2, 3):
        register(seed)
    services.promote(NAME, 1, actor="alice")


def set_routes(wanted, **options):
    return services.set_routes(NAME, wanted, actor="alice", **options)


def served() -> list[tuple[int, str, int]]:
    routes = queries.load_desired_state().models[NAME].desired
    return [(route.version.number, route.mode.value, route.weight) for route in routes]


def newest() -> Event:
    return Event.objects.order_by("-id").first()


def test_a_set_replaces_the_routes_and_raises_the_generation(three):
    before = queries.load_generation()
    set_routes(CANARY, reason="try it")
    assert served() == [(1, "live", 95), (2, "live", 5), (3, "shadow", 10)]
    assert queries.load_generation() == before + 1
    event = newest()
    assert (event.kind, event.reason, event.from_number, event.to_number) == (
        "routed",
        "try it",
        1,
        1,
    )
    assert event.details["before"] == [{"version": 1, "mode": "live", "weight": 100}]
    assert [route["weight"] for route in event.details["after"]] == [95, 5, 10]


def test_the_same_set_again_changes_nothing(three):
    set_routes(CANARY)
    generation, n_events = queries.load_generation(), Event.objects.count()
    set_routes(CANARY)
    assert (queries.load_generation(), Event.objects.count()) == (generation, n_events)


def test_another_stable_version_is_a_promotion_that_a_rollback_undoes(three):
    set_routes([WantedRoute(2, LIVE, 90), WantedRoute(1, LIVE, 10)])
    assert (newest().kind, newest().from_number, newest().to_number) == ("promoted", 1, 2)
    assert services.rollback(NAME, actor="alice").number == 1
    assert served() == [(1, "live", 100)]


def test_what_a_canary_was_is_no_step_of_the_history(three):
    set_routes(CANARY)
    services.promote(NAME, 3, actor="alice")
    assert services.rollback(NAME, actor="alice").number == 1


def test_a_promotion_ends_canaries_and_leaves_shadows(three):
    set_routes(CANARY)
    services.promote(NAME, 2, actor="alice")
    assert served() == [(2, "live", 100), (3, "shadow", 10)]


def test_promoting_the_stable_version_ends_its_canaries(three):
    set_routes(CANARY)
    services.promote(NAME, 1, actor="alice")
    assert served() == [(1, "live", 100), (3, "shadow", 10)]
    assert newest().kind == "routed"


def test_a_rollback_ends_canaries(three):
    services.promote(NAME, 2, actor="alice")
    set_routes([WantedRoute(2, LIVE, 80), WantedRoute(3, LIVE, 20)])
    assert services.rollback(NAME, actor="alice").number == 1
    assert served() == [(1, "live", 100)]


def test_a_version_that_cannot_be_routed_is_refused_and_nothing_changes(three):
    services.retire(NAME, 3, actor="alice")
    before = served()
    with pytest.raises(VersionNotRoutable):
        set_routes(CANARY)
    with pytest.raises(VersionNotFound):
        set_routes([WantedRoute(9)])
    with pytest.raises(InvalidRoutes):
        set_routes([WantedRoute(1, LIVE, 50)])
    assert served() == before


def test_a_routed_version_cannot_be_retired(three):
    set_routes(CANARY)
    for number in (1, 2, 3):
        with pytest.raises(VersionIsLive):
            services.retire(NAME, number, actor="alice")


def test_where_signatures_are_asked_for_an_unsigned_version_gets_no_route(three):
    services.promote(NAME, 2, actor="alice")
    RegisteredModel.objects.update(requires_signature=True)
    before = served()
    with pytest.raises(SignatureRequired):
        set_routes([WantedRoute(2, LIVE, 95), WantedRoute(3, LIVE, 5)])
    with pytest.raises(SignatureRequired):
        services.promote(NAME, 3, actor="alice")
    with pytest.raises(NothingToRollBack):
        services.rollback(NAME, actor="alice")
    assert served() == before


def test_other_labels_need_force_and_a_reason(three, tmp_path):
    folder = build_model_dir(tmp_path / "odd", seed=9, labels=("A", "B", "C"))
    odd = services.register_directory(folder, NAME, actor="alice").number
    wanted = [WantedRoute(1, LIVE, 95), WantedRoute(odd, LIVE, 5)]
    with pytest.raises(IncompatibleVersion) as caught:
        set_routes(wanted)
    assert caught.value.details["field"] == "labels"
    with pytest.raises(InvalidField):
        set_routes(wanted, force=True)
    set_routes(wanted, force=True, reason="new taxonomy")
    assert newest().details["forced"] is True


def test_a_promotion_drops_a_shadow_that_cannot_be_compared_any_more(three, tmp_path):
    set_routes([WantedRoute(1), WantedRoute(3, SHADOW, 10)])
    folder = build_model_dir(tmp_path / "odd", seed=9, labels=("A", "B", "C"))
    odd = services.register_directory(folder, NAME, actor="alice").number
    services.promote(NAME, odd, actor="alice")
    assert served() == [(odd, "live", 100)]


def test_labels_in_another_order_are_the_same_labels(three, tmp_path):
    folder = build_model_dir(tmp_path / "turned", seed=9, labels=("POSITIVE", "NEGATIVE"))
    turned = services.register_directory(folder, NAME, actor="alice").number
    assert set_routes([WantedRoute(1, LIVE, 50), WantedRoute(turned, LIVE, 50)])


def test_weights_leave_the_salt_alone_and_a_reshuffle_changes_it(three):
    salt = RegisteredModel.objects.get().route_salt
    set_routes(CANARY, stickiness=Stickiness.REQUEST)
    assert RegisteredModel.objects.get().route_salt == salt
    assert RegisteredModel.objects.get().stickiness == "request"
    generation = queries.load_generation()
    services.reshuffle(NAME, actor="alice")
    assert RegisteredModel.objects.get().route_salt != salt
    assert queries.load_generation() == generation + 1
    assert newest().details == {"reshuffled": True}


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
def test_two_who_route_at_once_follow_one_another(three):
    errors: list[Exception] = []

    def work(number: int) -> None:
        try:
            for _ in range(10):
                set_routes([WantedRoute(1, LIVE, 90), WantedRoute(number, LIVE, 10)])
        except Exception as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not errors
    assert [weight for _, _, weight in served()] == [90, 10]


# API


def client(*scopes: Scope) -> APIClient:
    made = APIClient()
    facts = KeyFacts(id="k1", name="ci", scopes=frozenset(scopes))
    made.force_authenticate(user=None, token=facts)  # type: ignore[arg-type]
    return made


PATH = f"/api/v1/models/{NAME}/routes"
BODY = {
    "routes": [
        {"version": 1, "weight": 95},
        {"version": 2, "mode": "live", "weight": 5},
        {"version": 3, "mode": "shadow", "weight": 10},
    ],
    "stickiness": "request",
    "reason": "try it",
}


def test_routes_are_put_and_read_over_http(three):
    answer = client(Scope.PROMOTE).put(PATH, BODY, format="json")
    assert answer.status_code == 200
    assert answer.json() == client(Scope.READ).get(PATH).json()
    assert answer.json()["stickiness"] == "request"
    assert [(r["version"], r["mode"], r["weight"]) for r in answer.json()["routes"]] == served()
    assert newest().actor == "ci (k1)"


def test_routes_need_the_promote_scope(three):
    assert client(Scope.READ, Scope.PREDICT).put(PATH, BODY, format="json").status_code == 403
    assert client(Scope.PREDICT).get(PATH).status_code == 403


@pytest.mark.parametrize(
    "routes",
    [
        [],
        [{"version": 1, "weight": 99}],
        [{"version": 1, "weight": 100}, {"version": 1, "weight": 1, "mode": "shadow"}],
        [{"version": 1, "weight": "many"}],
        [{"version": 1}],
        [{"version": 1, "weight": 100, "mode": "mirror"}],
        [{"version": n, "weight": 1} for n in range(1, 50)],
        {"version": 1},
        "1=100",
    ],
)
def test_a_body_that_cannot_be_is_refused_whole(three, routes):
    before = served()
    answer = client(Scope.PROMOTE).put(PATH, {"routes": routes}, format="json")
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] in {"invalid_request", "invalid_routes"}
    assert served() == before


# Commands


def run(*args: object) -> str:
    out = io.StringIO()
    call_command(*map(str, args), stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_command_sets_everything_and_shows_it(three):
    said = run("route", NAME, "--canary", "2=5", "--shadow", "3=10", "--reason", "r")
    assert served() == [(1, "live", 95), (2, "live", 5), (3, "shadow", 10)]
    assert "version 2    canary  5 %" in said
    assert said == run("routes", NAME)
    assert '"stickiness": "key"' in run("routes", NAME, "--json")


def test_what_the_command_does_not_name_ends(three):
    run("route", NAME, "--canary", "2=5", "--shadow", "3=10")
    run("route", NAME, "--stable", "2")
    assert served() == [(2, "live", 100)]
    assert newest().kind == "promoted"


def test_the_command_can_change_only_what_callers_stay_by(three):
    run("route", NAME, "--canary", "2=5")
    assert "callers stay by request" in run("route", NAME, "--stickiness", "request")
    assert served() == [(1, "live", 95), (2, "live", 5)]
    assert "drawn anew" in run("route", NAME, "--reshuffle")


@pytest.mark.parametrize(
    "args",
    [
        ("route", NAME),
        ("route", NAME, "--canary", "2"),
        ("route", NAME, "--canary", "2=x"),
        ("route", NAME, "--canary", "2=100"),
        ("route", NAME, "--canary", "9=5"),
        ("route", "team/nobody", "--stable", "1"),
        ("routes", "team/nobody"),
    ],
)
def test_a_command_that_fails_says_why(three, args):
    with pytest.raises(CommandError):
        run(*args)
    assert served() == [(1, "live", 100)]


def test_a_first_route_needs_a_stable_version(register):
    register(1)
    register(2)
    assert "has no routes" in run("routes", NAME)
    with pytest.raises(CommandError, match="--stable"):
        run("route", NAME, "--canary", "2=5")
    run("route", NAME, "--stable", "1", "--canary", "2=5")
    assert served() == [(1, "live", 95), (2, "live", 5)]


# Admin


def act(admin_client, action: str, *numbers: int, **data: object):
    url = reverse("admin:registry_version_changelist")
    ids = [Version.objects.get(number=number).pk for number in numbers]
    return admin_client.post(url, {"action": action, "_selected_action": ids, **data}, follow=True)


def said(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def test_an_act_asks_first_and_then_says_what_it_did(three, admin_client):
    page = act(admin_client, "canary", 2)
    assert page.status_code == 200
    assert "Let this version answer a part" in page.content.decode()
    assert served() == [(1, "live", 100)]
    answer = act(admin_client, "canary", 2, confirmed="yes", percent="7", reason="try")
    assert "version 1 answers 93 %, version 2 answers 7 %" in said(answer)
    assert (newest().actor, newest().reason) == ("admin (admin)", "try")
    act(admin_client, "shadow", 3, confirmed="yes", percent="50")
    assert served() == [(1, "live", 93), (2, "live", 7), (3, "shadow", 50)]
    for number in (2, 3):
        act(admin_client, "stop_route", number, confirmed="yes")
    assert served() == [(1, "live", 100)]


@pytest.mark.parametrize("percent", ["0", "101", "", "many"])
def test_a_percent_that_cannot_be_is_asked_for_again(three, admin_client, percent):
    page = act(admin_client, "canary", 2, confirmed="yes", percent=percent)
    assert page.status_code == 200
    assert served() == [(1, "live", 100)]


def test_an_act_that_is_refused_says_why(three, admin_client):
    assert "is the stable one" in said(act(admin_client, "stop_route", 1, confirmed="yes"))
    assert "no route to take away" in said(act(admin_client, "stop_route", 2, confirmed="yes"))
    assert "Select one version" in said(act(admin_client, "canary", 1, 2))
    assert served() == [(1, "live", 100)]


def test_the_list_of_routes_names_their_roles(three, admin_client):
    set_routes(CANARY)
    page = admin_client.get(reverse("admin:registry_route_changelist")).content.decode()
    assert all(role in page for role in ("stable", "canary", "shadow"))
