"""The how-to's samples run as they stand against a real server: only address and key differ."""

import json
import re
import time
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from transformers import AutoModel

from tests.conformance import environments, matrix
from tests.e2e import databases
from tests.e2e.server import Server
from tests.inference.tiny import save_tiny

HOW_TO = environments.ROOT / "docs" / "how-to" / "use-your-client.md"
SAMPLES = re.findall(r"^```python\n(.*?)^```$", HOW_TO.read_text(), re.MULTILINE | re.DOTALL)
WAIT_S = 60
WANTED = pytest.mark.skipif(
    not environments.is_wanted(), reason="BELLWETHER_CLIENTS=1 runs stock clients"
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The starter model, and an embedding model."""
    root = tmp_path_factory.mktemp("samples")
    running = Server(root / "home").start()
    try:
        embedder = str(save_tiny(root / "embedder", auto=AutoModel))
        running.manage("register", embedder, "team/embedder", "--promote")
        deadline = time.monotonic() + WAIT_S
        while not {"starter/sentiment", "team/embedder"} <= models(running):
            assert time.monotonic() < deadline, running.output[-20:]
            time.sleep(0.1)
        yield running
    finally:
        running.stop()
        databases.drop_for(root / "home")


def ask(server: Server, path: str, body: bytes | None = None) -> tuple[int, dict]:
    try:
        with urlopen(Request(server.url + path, body, server.headers), timeout=30) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def models(server: Server) -> set[str]:
    return {model["id"] for model in ask(server, "/v1/models")[1]["data"]}


@WANTED
@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.split()[1])
def test_a_sample_of_the_how_to_runs(server, tmp_path, sample):
    key = server.first_run["api_key"]
    printed = matrix.run_sample(sample, server.url, key, tmp_path)
    assert re.search(r"POSITIVE .*\d|b'POSITIVE' b'NEGATIVE'|1 32", printed), printed


@pytest.mark.e2e
@pytest.mark.slow
def test_what_is_not_there_is_said_in_the_dialect_s_shape(server):
    status, body = ask(server, "/v1/audio/speech", b"{}")
    assert (status, body["error"]["code"]) == (404, "not_found")
    for path in ("/v2/models/name", "/v2/logging", "/v2/models/a/b/infer/more"):
        status, body = ask(server, path)
        assert (status, body["error_code"]) == (404, "not_found")


def test_there_is_a_sample_for_every_client():
    for package, *_ in matrix.SCRIPTS.values():
        assert any(package in sample for sample in SAMPLES)
