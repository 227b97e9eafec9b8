"""The page of versions and the acts on it: asked first, done once, told and kept in the log."""

import json

import pytest
from django.urls import reverse

from access.roles import ROLES
from registry import queries, services
from registry.models import Event, Operation, RegisteredModel, Version
from registry.routes import WantedRoute
from registry.services import operations
from registry.specs import RouteMode
from tests.access.people import make_person
from tests.registry.builders import build_model_dir

pytestmark = pytest.mark.django_db
MODEL = "team/tiny"
ROUTE_ACTS = ("promote", "canary", "shadow")
MAX_QUERIES = 40


@pytest.fixture(autouse=True)
def home(tmp_path, settings):
    settings.BELLWETHER_HOME = tmp_path / "home"
    settings.BELLWETHER_BACKUPS = {"near": str(tmp_path / "near")}
    queries._labels.cache_clear()


@pytest.fixture
def register(tmp_path):
    def register(seed: int, **options):
        folder = build_model_dir(tmp_path / f"model-{seed}", seed=seed, **options)
        return services.register_directory(folder, MODEL, actor="alice", note=f"seed {seed}")

    return register


@pytest.fixture
def two(register) -> None:
    for seed in (1, 2):
        register(seed)
    services.promote(MODEL, 1, actor="alice")


@pytest.fixture
def as_role(client):
    def sign_in(role: str):
        client.force_login(make_person(role))
        return client

    return sign_in


def address(view: str, *more: object) -> str:
    return reverse(f"dashboard:{view}", args=["team", "tiny", *more])


def seen() -> int:
    return RegisteredModel.objects.get().routes_generation


def routed() -> list[str]:
    return [f"{r.version} {r.mode} {r.weight}" for r in services.load_routes(MODEL)]


def told(answer) -> str:
    return " ".join(str(message) for message in answer.context["messages"])


def confirm(client, act: str, number: int = 2, **fields: object):
    data = {"seen": seen(), "reason": "because"} | fields
    return client.post(address("version-act", number, act), data, follow=True)


def last_event() -> Event:
    return Event.objects.order_by("-id").first()


def test_the_list_says_what_is_routed_and_how_it_came_to_be(two, as_role):
    shown = as_role("viewer").get(address("versions")).content.decode()
    assert "stable 100 %" in shown
    assert "seed 2" in shown
    assert queries.load_version(MODEL, 2).digest[:12] in shown


def test_the_list_costs_as_many_queries_for_many_versions(
    two, register, as_role, django_assert_max_num_queries
):
    for seed in range(3, 23):
        register(seed)
    client = as_role("operator")
    with django_assert_max_num_queries(MAX_QUERIES):
        answer = client.get(address("versions"))
    assert answer.content.decode().count('scope="row"') == 20
    with django_assert_max_num_queries(MAX_QUERIES):
        second = client.get(address("versions"), {"page": "2"}).content.decode()
    assert "version 1</a>" in second
    assert client.get(address("versions"), {"page": "x9"}).status_code == 200


def test_a_model_without_versions_says_what_to_do(as_role):
    services.create_model(MODEL, actor="alice")
    shown = as_role("operator").get(address("versions")).content.decode()
    assert "no version yet" in shown
    assert f"?name={MODEL.replace('/', '%2F')}" in shown


def test_no_such_model_is_a_404(as_role):
    client = as_role("operator")
    assert client.get(address("versions")).status_code == 404
    services.create_model(MODEL, actor="alice")
    assert client.get(address("version-act", 7, "promote")).status_code == 404


def test_a_viewer_sees_no_acts_and_may_do_none(two, as_role):
    client = as_role("viewer")
    shown = client.get(address("versions")).content.decode()
    assert "Promote" not in shown
    assert "Roll back" not in shown
    for act in ("promote", "canary", "shadow", "stop", "verify", "retire", "reinstate", "restore"):
        where = address("version-act", 2, act)
        assert (client.get(where).status_code, client.post(where).status_code) == (403, 403)
    for view in ("roll-back", "routes", "seal", "endpoint", "model-delete"):
        assert client.get(address(view)).status_code == 403
    assert client.get(reverse("dashboard:model-make")).status_code == 403
    assert client.get(address("deployment")).status_code == 200
    assert client.post(address("deployment")).status_code == 403


@pytest.mark.parametrize("role", sorted(set(ROLES) - {"admin"}))
def test_only_an_admin_restores_and_deletes(two, as_role, role):
    client = as_role(role)
    assert client.get(address("version-act", 2, "restore")).status_code == 403
    assert client.get(address("model-delete")).status_code == 403


@pytest.mark.parametrize(
    "act", ["promote", "canary", "shadow", "verify", "retire", "reinstate", "restore", "stop"]
)
def test_asking_changes_nothing(two, as_role, act):
    before, n_events = routed(), Event.objects.count()
    answer = as_role("admin").get(address("version-act", 2, act), {"percent": "10"})
    assert answer.status_code == (409 if act == "stop" else 200)
    assert (routed(), Event.objects.count()) == (before, n_events)
    assert not Operation.objects.exists()


def test_an_act_that_does_not_exist_is_a_404(two, as_role):
    assert as_role("admin").get(address("version-act", 2, "explode")).status_code == 404


def test_promoting_shows_before_and_after_then_does_it(two, as_role):
    client = as_role("operator")
    shown = client.get(address("version-act", 2, "promote"))
    changes = {c.version: (str(c.before), str(c.after)) for c in shown.context["changes"]}
    assert changes == {1: ("stable 100 %", "None"), 2: ("None", "stable 100 %")}
    done = confirm(client, "promote")
    assert routed() == ["2 live 100"]
    assert done.redirect_chain[-1][0] == address("deployment")
    assert reverse("admin:registry_event_change", args=[last_event().pk]) in told(done)
    event = last_event()
    assert (event.kind, event.actor, event.reason) == ("promoted", "operator (admin)", "because")


def test_a_canary_takes_its_share_from_the_stable_version(two, as_role):
    client = as_role("operator")
    chooser = client.get(address("version-act", 2, "canary"))
    assert chooser.context["changes"] is None
    shown = client.get(address("version-act", 2, "canary"), {"percent": "10"})
    assert [str(c.after) for c in shown.context["changes"]] == ["stable 90 %", "canary 10 %"]
    confirm(client, "canary", percent=10)
    assert routed() == ["1 live 90", "2 live 10"]
    confirm(client, "stop")
    assert routed() == ["1 live 100"]
    assert last_event().kind == "routed"


def test_a_shadow_sees_copies(two, as_role):
    done = confirm(as_role("operator"), "shadow", percent=20)
    assert routed() == ["1 live 100", "2 shadow 20"]
    assert "copies of 20 %" in told(done)


@pytest.mark.parametrize("percent", ["", "0", "101", "many"])
def test_a_share_that_cannot_be_is_asked_for_again(two, as_role, percent):
    client = as_role("operator")
    assert client.get(address("version-act", 2, "canary"), {"percent": percent}).status_code == 200
    confirm(client, "canary", percent=percent)
    assert routed() == ["1 live 100"]


def test_what_somebody_else_routed_meanwhile_is_not_undone_unseen(two, as_role):
    client = as_role("operator")
    stale = seen()
    services.set_routes(MODEL, [WantedRoute(1), WantedRoute(2, RouteMode.SHADOW, 50)], actor="bob")
    for act in ROUTE_ACTS:
        answer = confirm(client, act, seen=stale, percent=5)
        assert answer.status_code == 409
        assert "changed meanwhile" in answer.content.decode()
    answer = client.post(address("roll-back"), {"seen": stale})
    assert answer.status_code == 409
    assert routed() == ["1 live 100", "2 shadow 50"]
    # The page that tells so shows the routes as they are: confirming that one is a decision.
    fresh = client.post(address("version-act", 2, "promote"), {"seen": stale})
    assert fresh.context["form"].initial["seen"] == seen()


def test_rolling_back_names_the_version_it_returns_to(two, as_role):
    services.promote(MODEL, 2, actor="alice")
    client = as_role("operator")
    assert "Roll back to version 1" in client.get(address("roll-back")).content.decode()
    assert routed() == ["2 live 100"]
    done = client.post(address("roll-back"), {"seen": seen(), "reason": "slow"}, follow=True)
    assert routed() == ["1 live 100"]
    assert "Rolled back to version 1" in told(done)
    assert (last_event().kind, last_event().reason) == ("rolled_back", "slow")


def test_with_nothing_to_roll_back_to_the_page_says_so(two, as_role):
    answer = as_role("operator").get(address("roll-back"))
    assert answer.status_code == 409
    assert "no earlier version" in answer.content.decode()
    assert b'method="post" class="bw-stack"' not in answer.content


def test_a_retired_version_is_never_routed_again(two, as_role):
    client = as_role("operator")
    confirm(client, "retire")
    assert Version.objects.get(number=2).state == "retired"
    assert last_event().kind == "retired"
    answer = client.get(address("version-act", 2, "promote"))
    assert answer.status_code == 409
    assert "is retired: promote another" in answer.content.decode()


def test_a_version_that_answers_is_not_retired(two, as_role):
    answer = confirm(as_role("operator"), "retire", 1)
    assert answer.status_code == 409
    assert "promote another version first" in answer.content.decode()


def test_a_rejected_version_is_reinstated_with_a_reason(two, as_role):
    services.reject(MODEL, 2, actor="rollout", reason="worse")
    client = as_role("operator")
    assert "worse" in client.get(address("versions")).content.decode()
    assert confirm(client, "reinstate", reason="").status_code == 200
    assert Version.objects.get(number=2).rejection == "worse"
    confirm(client, "reinstate", reason="measured again")
    assert Version.objects.get(number=2).rejection == ""
    assert last_event().kind == "reinstated"


def test_verifying_is_work_in_the_background(two, as_role):
    done = confirm(as_role("operator"), "verify")
    row = Operation.objects.get()
    assert done.redirect_chain[-1][0] == reverse("admin:registry_operation_change", args=[row.pk])
    operations.work(row.pk)
    row.refresh_from_db()
    assert (row.state, row.result["state"], last_event().kind) == ("done", "sealed", "verified")


def test_verifying_a_damaged_version_fails_and_says_what_to_do(two, as_role):
    view = queries.load_version(MODEL, 2).view
    view.chmod(0o755)
    (view / "config.json").unlink()
    confirm(as_role("operator"), "verify")
    row = Operation.objects.get()
    with pytest.raises(Exception, match="restore it from a backup"):
        operations.work(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error_code) == ("failed", "version_damaged")
    assert Version.objects.get(number=2).state == "damaged"


def test_a_damaged_version_comes_back_from_a_backup(two, as_role):
    from registry.services import backups

    backups.back_up(backups.find_target("near"), actor="alice")
    view = queries.load_version(MODEL, 2).view
    view.chmod(0o755)
    (view / "config.json").unlink()
    services.verify(MODEL, 2, actor="alice")
    client = as_role("admin")
    form = client.get(address("version-act", 2, "restore")).context["form"]
    confirm(client, "restore", snapshot=form.fields["snapshot"].choices[0][0])
    row = Operation.objects.get(kind="restore")
    operations.work(row.pk)
    assert Version.objects.get(number=2).state == "sealed"
    assert (view / "config.json").is_file()
    assert last_event().kind == "restored"


def test_without_a_backup_the_page_names_the_command(two, as_role):
    shown = as_role("admin").get(address("version-act", 2, "restore")).content.decode()
    assert "manage.py restore" in shown
    assert "BELLWETHER_BACKUPS" in shown


def test_other_labels_are_told_before_promoting(two, register, as_role):
    register(3, labels=("A", "B"))
    shown = as_role("operator").get(address("version-act", 3, "promote")).content.decode()
    assert "callers see other words" in shown


def test_the_editor_sets_exactly_the_routes_that_were_shown(two, as_role):
    client = as_role("operator")
    fields = {
        "mode-1": "live",
        "weight-1": "70",
        "mode-2": "live",
        "weight-2": "30",
        "stable": "2",
        "stickiness": "request",
        "show": "yes",
    }
    shown = client.get(address("routes"), fields)
    assert [str(c.after) for c in shown.context["changes"]] == ["canary 70 %", "stable 30 %"]
    assert routed() == ["1 live 100"]
    sent = shown.context["form"].initial | {"reason": "because"}
    assert json.loads(sent["routes"])[0] == {"version": 2, "mode": "live", "weight": 30}
    client.post(address("routes"), sent, follow=True)
    assert routed() == ["2 live 30", "1 live 70"]
    assert RegisteredModel.objects.get().stickiness == "request"
    assert last_event().kind == "promoted"


def test_the_editor_says_which_weight_is_wrong_and_keeps_what_was_typed(two, as_role):
    client = as_role("operator")
    fields = {"mode-1": "live", "weight-1": "70", "mode-2": "live", "weight-2": "20", "show": "yes"}
    answer = client.get(address("routes"), fields)
    assert answer.status_code == 409
    assert "must sum to 100, not 90" in answer.content.decode()
    assert [row.weight for row in answer.context["rows"]] == ["70", "20"]


def test_other_labels_are_routed_by_force_and_a_reason_only(two, register, as_role):
    register(3, labels=("A", "B"))
    client = as_role("operator")
    fields = {"mode-1": "live", "weight-1": "90", "mode-3": "live", "weight-3": "10", "show": "yes"}
    sent = client.get(address("routes"), fields | {"stable": "1"}).context["form"].initial
    refused = client.post(address("routes"), sent | {"reason": ""})
    assert refused.status_code == 409
    assert "force and a reason" in refused.content.decode()
    forced = client.get(address("routes"), fields | {"force": "on"}).context["form"].initial
    assert client.post(address("routes"), forced | {"reason": ""}).status_code == 200
    assert routed() == ["1 live 100"]
    client.post(address("routes"), forced | {"reason": "we know"})
    assert routed() == ["1 live 90", "3 live 10"]


def test_routes_that_cannot_be_read_change_nothing(two, as_role):
    client = as_role("operator")
    sent = {"seen": seen(), "stickiness": "key", "routes": '[{"version": "x"}]'}
    assert client.post(address("routes"), sent).status_code == 409
    assert routed() == ["1 live 100"]


def test_a_branch_is_sealed_as_the_next_version(two, as_role):
    client = as_role("operator")
    assert "sealed as version 2" in client.get(address("seal")).content.decode()
    again = client.post(address("seal"), {"branch": "main", "note": ""}, follow=True)
    assert "version 2 already" in told(again)
    less = services.Changes(delete_files=("tokenizer_config.json",))
    services.commit_changes(MODEL, "main", less, actor="alice", title="Less is more")
    assert "Less is more" in client.get(address("seal")).content.decode()
    assert Version.objects.count() == 2
    done = client.post(address("seal"), {"branch": "main", "note": "sealed here"}, follow=True)
    assert "Version 3 is sealed" in told(done)
    assert Version.objects.get(number=3).note == "sealed here"
    assert routed() == ["1 live 100"]


def test_a_branch_that_holds_no_model_is_not_sealed(as_role):
    services.create_model(MODEL, actor="alice")
    answer = as_role("operator").post(address("seal"), {"branch": "main"})
    assert "push some before sealing" in told(answer)
    assert not Version.objects.exists()


def test_an_endpoint_that_cannot_be_reached_is_told(two, as_role, settings):
    settings.HF_TOKEN = ""
    sent = {"owner": "acme", "endpoint": "mood", "labels": "", "note": ""}
    answer = as_role("operator").post(address("endpoint"), sent)
    assert answer.status_code == 200
    assert told(answer)
    assert Version.objects.count() == 2


def test_a_model_is_made_and_deleted(as_role):
    client = as_role("admin")
    done = client.post(reverse("dashboard:model-make"), {"name": MODEL}, follow=True)
    assert "no version yet" in done.content.decode()
    again = client.post(reverse("dashboard:model-make"), {"name": MODEL})
    assert "exists already" in told(again)
    wrong = client.post(address("model-delete"), {"name": "team/other"})
    assert "not the name" in wrong.content.decode()
    assert RegisteredModel.objects.exists()
    client.post(address("model-delete"), {"name": MODEL, "reason": "no use"})
    assert not RegisteredModel.objects.exists()
    assert (last_event().kind, last_event().reason) == ("deleted", "no use")


def test_a_model_that_answers_is_deleted_by_force_and_a_reason_only(two, as_role):
    client = as_role("admin")
    answer = client.post(address("model-delete"), {"name": MODEL})
    assert "answers requests" in told(answer)
    assert RegisteredModel.objects.exists()
    forced = {"name": MODEL, "force": "on", "reason": "nobody needs it"}
    client.post(address("model-delete"), forced)
    assert not RegisteredModel.objects.exists()


def test_a_failed_swap_can_be_tried_again(two, as_role):
    client = as_role("operator")
    before = seen()
    shown = client.get(address("deployment")).content.decode()
    assert "no replica runs" in shown or "being prepared" in shown
    done = client.post(address("deployment"), follow=True)
    assert seen() > before
    assert "tries again" in told(done)
    assert last_event().details["retry"] is True
