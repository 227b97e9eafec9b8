"""A file is chosen in the admin, sent with its ticket, and becomes a job that is worked on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import databases
from tests.e2e.server import Server, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("jobs") / "home"
    server = Server(home, "--no-worker").start()
    yield server
    server.stop()
    databases.drop_for(home)


def test_a_file_that_is_chosen_in_the_browser_becomes_a_job(browser, server, tmp_path: Path):
    file = tmp_path / "films.csv"
    file.write_text("text,id\nA fine film.,1\nA dull one.,2\n")
    page = browser.new_page()
    page.goto(f"{server.url}/admin/")
    page.fill("input[name=username]", server.first_run["admin_user"])
    page.fill("input[name=password]", server.first_run["admin_password"])
    page.click("[type=submit]")
    page.wait_for_url("**/admin/")
    page.goto(f"{server.url}/admin/inference/job/")
    page.click("text=Predict a file")
    page.set_input_files("#id_file", file)
    assert page.input_value("select[name=format]") == "csv"
    page.click("text=Start the job")
    page.wait_for_url("**/admin/inference/job/*/change/")
    job = page.url.split("/")[-3]
    with server.client() as client:
        wait_until(lambda: client.get(f"/api/v1/jobs/{job}").json()["state"] == "completed", 60)
    page.reload()
    with page.expect_download() as download:
        page.click("text=Results")
    lines = Path(download.value.path()).read_text().splitlines()
    assert [line.split(",")[1] for line in lines] == ["text", "A fine film.", "A dull one."]
    page.close()
