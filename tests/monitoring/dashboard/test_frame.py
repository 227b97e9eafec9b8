"""What holds for every page: who gets in, vendored files, and a language that browsers check."""

import hashlib
import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from access.roles import ROLES
from monitoring.dashboard import urls
from tests.access.people import make_person

STATIC = Path(urls.__file__).resolve().parents[1] / "static" / "dashboard"
ROOT = Path(urls.__file__).resolve().parents[2]
TEMPLATES = sorted(str(each.relative_to(ROOT)) for each in ROOT.glob("*/templates/**/*.html"))


@pytest.mark.django_db
@pytest.mark.parametrize("role", ROLES)
def test_the_home_page_opens_for_every_role(client: Client, role: str) -> None:
    client.force_login(make_person(role))
    assert client.get(reverse("dashboard:home")).status_code == 200


@pytest.mark.parametrize("folder", sorted(each.name for each in (STATIC / "vendor").iterdir()))
def test_what_is_vendored_is_unchanged_and_has_its_licence(folder: str) -> None:
    place = STATIC / "vendor" / folder
    sums = dict(
        reversed(line.split()) for line in (place / "SHA256SUMS").read_text().splitlines() if line
    )
    files = {each.name for each in place.iterdir()} - {"SHA256SUMS", "README.md"}
    assert set(sums) == files
    assert "LICENSE" in files
    for name, wanted in sums.items():
        assert hashlib.sha256((place / name).read_bytes()).hexdigest() == wanted


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_has_no_inline_script(template: str) -> None:
    text = (ROOT / template).read_text()
    assert not re.search(r"<script(?![^>]*\b(src|type=\"application/json\"))", text)
    assert not re.search(r"\son[a-z]+=\"", text)
    assert "javascript:" not in text


@pytest.mark.parametrize("name", sorted(each.name for each in STATIC.glob("**/*.*")))
def test_own_files_name_no_other_host(name: str) -> None:
    for path in STATIC.glob(f"**/{name}"):
        if "vendor" not in path.parts and path.suffix in (".js", ".css"):
            found = re.findall(r"https?://[^\s\"'`)]+", path.read_text())
            assert [url for url in found if "www.w3.org" not in url] == []
