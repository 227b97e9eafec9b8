"""The page of the settings in force: everything is there but secrets."""

import re
from pathlib import Path

import pytest
from django.test import Client

from config.env import SETTINGS
from config.in_force import GROUPS, KEPT, list_in_force
from monitoring.dashboard.settings import find_settings
from tests.access.people import make_person

PATH = "/admin/settings/"
DOCS = Path(__file__).resolve().parents[3] / "docs/reference/settings.md"
SECRETS = {
    "BELLWETHER_SECRET_KEY": "s3cr3t-one",
    "DATABASE_URL": "postgres://me:s3cr3t-two@host/name",
    "HF_TOKEN": "hf_s3cr3t",
    "BELLWETHER_EMAIL_URL": "smtp://me:s3cr3t@host",
}


def test_every_setting_is_listed_once():
    assert sorted(row["name"] for row in list_in_force({})) == sorted(s.name for s in SETTINGS)


def test_groups_are_those_of_the_reference_page():
    documented, title = {}, ""
    for line in DOCS.read_text().splitlines():
        title = line[3:] if line.startswith("## ") else title
        if found := re.match(r"\| `([A-Z_]+)` \|", line):
            documented[found[1]] = title
    assert {row["name"]: row["group"] for row in list_in_force({})} == documented
    assert set(GROUPS) >= {KEPT}


def test_a_secret_is_a_word():
    rows = {row["name"]: row for row in list_in_force(SECRETS)}
    for name in SECRETS:
        assert (rows[name]["value"], rows[name]["source"]) == ("set", "environment")
    assert "s3cr3t" not in str(rows)
    assert {row["value"] for row in list_in_force({}) if row["name"] in SECRETS} == {"not set"}


def test_a_secret_from_a_file_says_so():
    rows = {row["name"]: row for row in list_in_force({"HF_TOKEN_FILE": "/run/token"})}
    assert (rows["HF_TOKEN"]["value"], rows["HF_TOKEN"]["source"]) == ("set", "file")


def test_what_the_environment_says_goes_before_the_default():
    rows = {row["name"]: row for row in list_in_force({"BELLWETHER_PORT": "9000"})}
    port = rows["BELLWETHER_PORT"]
    assert (port["value"], port["source"], port["default"]) == ("9000", "environment", "8000")
    assert rows["BELLWETHER_HOST"]["source"] == "default"


def names(text: str = "", *, only_changed: bool = False) -> list[str]:
    rows = list_in_force({"BELLWETHER_PORT": "9000"})
    groups = find_settings(rows, text, only_changed=only_changed)
    return [setting.name for group in groups for setting in group.settings]


def test_a_search_finds_every_word_in_name_value_or_help():
    assert names("port 9000") == ["BELLWETHER_PORT"]
    assert "BELLWETHER_MAX_TEXT_CHARS" in names("longest single")
    assert names("no such words") == []


def test_only_what_was_changed():
    assert names(only_changed=True) == ["BELLWETHER_PORT"]


@pytest.mark.django_db
def test_an_administrator_reads_them(client: Client):
    client.force_login(make_person("admin"))
    page = client.get(PATH).content.decode()
    assert all(setting.name in page for setting in SETTINGS)


@pytest.mark.django_db
def test_a_search_that_finds_nothing_offers_the_way_back(client: Client):
    client.force_login(make_person("admin"))
    page = client.get(PATH, {"q": "<script>no"}).content.decode()
    assert "No setting has these words." in page
    assert "<script>no" not in page


@pytest.mark.django_db
@pytest.mark.parametrize("role", ["viewer", "labeller", "operator"])
def test_nobody_else_does(client: Client, role: str):
    client.force_login(make_person(role))
    assert client.get(PATH).status_code == 403


@pytest.mark.django_db
def test_it_takes_few_queries(client: Client, django_assert_max_num_queries):
    client.force_login(make_person("admin"))
    with django_assert_max_num_queries(8):
        client.get(PATH)
