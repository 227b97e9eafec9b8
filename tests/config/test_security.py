"""What a browser is told about each answer of the management plane."""

import pytest
from django.test import Client

from config.security import ADMIN, DOCS, NOTHING, policy_for
from tests.access.people import make_person

HEADER = "Content-Security-Policy"


def directives(text: str) -> dict[str, list[str]]:
    parts = (part.split() for part in text.split(";"))
    return {name: sources for name, *sources in parts}


def test_no_policy_runs_a_script_that_is_written_into_a_page():
    for policy in (ADMIN, DOCS, NOTHING):
        assert "'unsafe-inline'" not in policy.get("script-src", [])


def test_no_policy_names_another_host():
    own = {"'self'", "'none'", "data:", "'unsafe-eval'", "'unsafe-inline'"}
    for policy in (ADMIN, DOCS, NOTHING):
        assert {source for sources in policy.values() for source in sources} <= own


def test_only_the_admins_theme_makes_functions_of_text():
    assert "'unsafe-eval'" in ADMIN["script-src"]
    assert "'unsafe-eval'" not in DOCS["script-src"]


@pytest.mark.parametrize("policy", [ADMIN, DOCS, NOTHING], ids=["admin", "docs", "nothing"])
def test_every_policy_begins_with_nothing_and_is_shown_in_no_frame(policy):
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert policy["form-action"] in (["'none'"], ["'self'"])


@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/admin/", ADMIN),
        ("/admin/login/", ADMIN),
        ("/docs", DOCS),
        ("/api/v1/models", NOTHING),
        ("/administrator", NOTHING),
        ("/docs/x", NOTHING),
        ("/favicon.ico", NOTHING),
    ],
)
def test_the_policy_goes_by_the_path(path, policy):
    assert policy_for(path) is policy


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "policy"),
    [
        ("/admin/", ADMIN),
        ("/admin/nothing/", ADMIN),
        ("/docs", DOCS),
        ("/api/v1/models", NOTHING),
        ("/nothing", NOTHING),
    ],
)
def test_answers_carry_their_policy_and_the_other_headers(client: Client, path, policy):
    client.force_login(make_person("viewer"))
    answer = client.get(path)
    assert directives(answer[HEADER]) == policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Referrer-Policy"] == "same-origin"
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["X-Frame-Options"] == "DENY"
    assert "camera=()" in answer["Permissions-Policy"]


@pytest.mark.django_db
def test_the_documentation_holds_no_script(client: Client):
    page = client.get("/docs").content.decode()
    scripts = page.split("<script")[1:]
    assert scripts
    assert all(script.split(">", 1)[0].strip().startswith("src=") for script in scripts)
    assert all(script.split(">", 1)[1].startswith("</script>") for script in scripts)
    assert client.get("/docs?script=")["Content-Type"].startswith("application/javascript")


@pytest.mark.django_db
def test_pages_have_an_icon(client: Client):
    answer = client.get("/favicon.ico")
    assert answer["Location"] == "/static/dashboard/favicon.svg"
    assert 'href="/static/dashboard/favicon.svg"' in client.get("/docs").content.decode()
    assert 'href="/static/dashboard/favicon.svg"' in client.get("/admin/login/").content.decode()


# Pages that say no.


@pytest.mark.django_db
def test_a_403_says_what_is_missing_and_whom_to_ask(client: Client):
    client.force_login(make_person("viewer"))
    answer = client.get("/admin/settings/")
    page = answer.content.decode()
    assert answer.status_code == 403
    assert "needs the scope admin" in page
    assert "<strong>viewer</strong>, with the role viewer" in page
    assert "Ask an administrator" in page
    assert 'class="bw"' in page


@pytest.mark.django_db
def test_a_404_of_the_admin_is_a_page_in_its_frame(client: Client):
    client.force_login(make_person("viewer"))
    answer = client.get("/admin/models/no/such/")
    assert answer.status_code == 404
    assert 'class="bw"' in answer.content.decode()
    assert "no model no/such" in answer.content.decode().lower()


@pytest.mark.django_db
def test_a_404_elsewhere_is_json(client: Client):
    answer = client.get("/nothing")
    assert answer.json()["error"]["code"] == "not_found"
