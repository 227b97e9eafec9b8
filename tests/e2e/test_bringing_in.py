"""Models brought in over real connections: from another Bellwether, and as archives."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e import databases
from tests.e2e.conftest import MODEL
from tests.e2e.server import Server, wait_until
from tests.inference.tiny import save_tiny
from tests.registry.sources.archives import gz, tar_of

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.fixture
def upstream(new_server: Callable[..., Server]) -> Server:
    return new_server()


@pytest.fixture
def here(upstream: Server, tmp_path: Path) -> Iterator[Server]:
    """A second Bellwether that may import from the first."""
    server = Server(
        tmp_path / "here",
        "--no-starter",
        BELLWETHER_IMPORT_ENDPOINTS=upstream.url,
        HF_TOKEN=upstream.first_run["api_key"],
    )
    yield server
    databases.drop_for(server.home)


def digests(server: Server, name: str) -> set[str]:
    return {row["digest"] for row in json.loads(server.manage("versions", name, "--json"))}


def test_a_version_comes_from_another_bellwether_as_it_is_there(upstream, here):
    for revision in ("v1", "prod", "v2"):
        said = here.manage("import", MODEL, "copy/tiny", "--revision", revision, "--promote")
        assert "it is live" in said
    assert "nothing new" in here.manage("import", MODEL, "copy/tiny", "--revision", "v2")
    assert digests(here, "copy/tiny") == digests(upstream, MODEL)
    assert "sound" in here.manage("verify", "copy/tiny")


def test_an_import_asked_for_over_http_is_worked_beside_the_server(upstream, here):
    here.start()
    try:
        with here.client() as client:
            asked = client.post(
                "/api/v1/models/copy/tiny/import",
                json={"source": MODEL, "revision": "v1", "promote": True},
            )
            assert asked.status_code == 202, asked.text
            where = asked.headers["location"]
            wait_until(lambda: client.get(where).json()["state"] in ("done", "failed"), 60)
            assert client.get(where).json()["state"] == "done", client.get(where).text
            answer = "/api/v1/models/copy/tiny/predict"
            wait_until(lambda: client.post(answer, json={"inputs": "good"}).status_code == 200, 60)
    finally:
        here.stop()


def test_an_archive_larger_than_the_management_planes_bodies_is_taken(upstream, tmp_path):
    folder = save_tiny(tmp_path / "model", seed=3)
    (folder / "vocab.txt").write_bytes(os.urandom(6 * 1024**2).hex().encode())
    archive = gz(tar_of(folder, "model"))
    with upstream.client() as client:
        pieces = (archive[at : at + 65_536] for at in range(0, len(archive), 65_536))
        made = client.put("/api/v1/models/team/packed/archive?promote=true", content=pieces)
        assert made.status_code == 201, made.text
        assert made.json()["version"] == 1
        again = client.put("/api/v1/models/team/packed/archive", content=archive[:-100])
        assert again.status_code == 422
        assert again.json()["error"]["code"] == "archive_refused"
        assert client.get(made.headers["location"]).json()["state"] == "done"
