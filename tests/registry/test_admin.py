import pytest
from django.urls import reverse

from registry import queries, services
from registry.models import Event, Version
from tests.access.people import make_person

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.registry.urls")]
TABLES = ["registeredmodel", "version", "route", "event", "blob"]


def act(client, table: str, action: str, *ids: object) -> str:
    url = reverse(f"admin:registry_{table}_changelist")
    data = {"action": action, "_selected_action": list(ids), "confirmed": "yes"}
    answer = client.post(url, data, follow=True)
    assert answer.status_code == 200
    return " ".join(str(message) for message in answer.context["messages"])


def ids() -> list[int]:
    return list(Version.objects.order_by("number").values_list("pk", flat=True))


@pytest.fixture
def two(register) -> None:
    for seed in (1, 2):
        register(seed)
    services.promote("team/tiny", 1, actor="alice")


@pytest.mark.each_on_postgres
@pytest.mark.parametrize("table", TABLES)
def test_every_table_can_be_read_and_not_edited(two, admin_client, table):
    listing = admin_client.get(reverse(f"admin:registry_{table}_changelist"))
    assert listing.status_code == 200
    pk = listing.context["cl"].result_list[0].pk
    page = reverse(f"admin:registry_{table}_change", args=[pk])
    assert admin_client.get(page).status_code == 200
    assert admin_client.post(page, {}).status_code == 403
    assert admin_client.get(reverse(f"admin:registry_{table}_add")).status_code == 403
    assert (
        admin_client.post(reverse(f"admin:registry_{table}_delete", args=[pk])).status_code == 403
    )


def test_actions_go_through_services_in_the_users_name(two, admin_client):
    first, second = ids()
    assert "version 2 is live" in act(admin_client, "version", "promote", second)
    assert Event.objects.order_by("-id").first().actor == "admin (admin)"
    assert "is retired" in act(admin_client, "version", "retire", first)
    assert "is sound" in act(admin_client, "version", "verify", second)


@pytest.mark.parametrize("action", ["promote", "retire"])
def test_what_changes_who_answers_asks_first(two, admin_client, action):
    url = reverse("admin:registry_version_changelist")
    asked = admin_client.post(url, {"action": action, "_selected_action": [ids()[1]]})
    assert "team/tiny version 2" in asked.content.decode()
    assert queries.load_live_version("team/tiny").number == 1
    assert Version.objects.get(number=2).state == "sealed"


def test_rolling_back_asks_first_and_keeps_the_reason(two, admin_client):
    services.promote("team/tiny", 2, actor="alice")
    url = reverse("admin:registry_registeredmodel_changelist")
    chosen = {"action": "roll_back", "_selected_action": [Version.objects.first().model_id]}
    assert "Canaries end" in admin_client.post(url, chosen).content.decode()
    assert queries.load_live_version("team/tiny").number == 2
    admin_client.post(url, chosen | {"confirmed": "yes", "reason": "slow"})
    assert queries.load_live_version("team/tiny").number == 1
    assert Event.objects.order_by("-id").first().reason == "slow"


@pytest.mark.parametrize("act", ["import_model", "upload_archive"])
def test_a_link_can_fill_the_name_in(two, admin_client, act):
    page = admin_client.get(reverse(f"admin:registry_operation_{act}"), {"name": "team/tiny"})
    assert 'value="team/tiny"' in page.content.decode()


def test_an_action_that_is_refused_says_why(two, admin_client):
    first, second = ids()
    assert "promote another version first" in act(admin_client, "version", "retire", first)
    assert "Select one version" in act(admin_client, "version", "promote", first, second)
    model = Version.objects.get(pk=first).model_id
    assert "no earlier version" in act(admin_client, "registeredmodel", "roll_back", model)


def test_damage_is_shown(two, admin_client):
    view = queries.load_version("team/tiny", 2).view
    view.chmod(0o755)
    (view / "config.json").unlink()
    assert "is damaged: 1 fault" in act(admin_client, "version", "verify", ids()[1])


def test_who_may_only_look_cannot_act(two, client):
    client.force_login(make_person("viewer"))
    act(client, "version", "promote", ids()[1])
    assert queries.load_live_version("team/tiny").number == 1
