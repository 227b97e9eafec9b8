"""A real browser uploads an archive and imports a model, and sees how far they are."""

from pathlib import Path

import pytest

from tests.browser.test_admin import shot
from tests.e2e import databases
from tests.e2e.conftest import MODEL
from tests.e2e.server import Server
from tests.inference.tiny import save_tiny
from tests.registry.builders import build_model_dir
from tests.registry.sources.archives import zip_of
from tests.registry.sources.loopback import SmallHub, serve

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with serve(SmallHub(build_model_dir(tmp_path_factory.mktemp("hub") / "m"))) as server:
        yield server


@pytest.fixture(scope="module")
def server(browser, tmp_path_factory, hub):
    root = tmp_path_factory.mktemp("browser")
    server = Server(
        root / "home",
        "--no-starter",
        BELLWETHER_DEFAULT_MODEL=MODEL,
        BELLWETHER_IMPORT_ENDPOINTS=hub.url,
    )
    server.start()
    yield server
    server.stop()
    databases.drop_for(server.home)


@pytest.fixture(scope="module")
def page(browser, server):
    page = browser.new_page()
    page.goto(f"{server.url}/admin/")
    page.fill("input[name=username]", server.first_run["admin_user"])
    page.fill("input[name=password]", server.first_run["admin_password"])
    page.click("button[type=submit]")
    page.goto(f"{server.url}/admin/registry/operation/")
    yield page
    page.context.close()


def list_of(server: Server) -> str:
    return f"{server.url}/admin/registry/operation/"


def test_an_archive_is_sent_from_the_page_and_its_version_shown(server, page, tmp_path):
    archive: Path = tmp_path / "tiny.zip"
    archive.write_bytes(zip_of(save_tiny(tmp_path / "tiny", seed=1), "tiny"))
    page.goto(list_of(server))
    page.click("text=Upload an archive")
    page.set_input_files("#id_file", archive)
    page.fill("[name=name]", "team/uploaded")
    page.fill("[name=note]", "by hand")
    page.click("form#upload button[type=submit]")
    page.wait_for_url("**/change/", timeout=WAIT_MS)
    assert "unpack an archive as team/uploaded" in page.content()
    assert "version 1" in page.content()


def test_the_page_says_why_an_archive_is_refused(server, page, tmp_path):
    archive = tmp_path / "bad.zip"
    archive.write_bytes(b"PK\x03\x04 no archive")
    page.goto(f"{list_of(server)}upload")
    page.set_input_files("#id_file", archive)
    page.fill("[name=name]", "team/bad")
    page.click("form#upload button[type=submit]")
    page.wait_for_selector("#told:has-text('cut short')", timeout=WAIT_MS)


def test_an_import_is_watched_until_it_is_done(server, page, hub):
    page.goto(list_of(server))
    page.click("text=Import a model")
    page.fill("[name=source]", "org/tiny")
    page.fill("[name=name]", "team/imported")
    page.click("button:has-text('Import')")
    page.wait_for_url("**/change/", timeout=WAIT_MS)
    # The page reloads itself while there is work.
    page.wait_for_selector("text=100 % of", timeout=WAIT_MS)
    assert "version 1" in page.content()
    page.goto(list_of(server))
    assert page.locator("text=import org/tiny at main").count() == 1
    shot(page, "registry-operation")
    for name in ("import", "upload"):
        page.goto(f"{list_of(server)}{name}")
        shot(page, f"registry-operation-{name}")
