"""A version that stands for an endpoint; the endpoint is a second server like the first."""

import asyncio
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import InferenceClient

from tests.e2e import databases
from tests.e2e.conftest import MODEL
from tests.e2e.server import Server, wait_until
from tests.inference.tiny import save_tiny
from tests.registry.fake_service import fake_service

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
TEXTS = ["a warm and funny film", "a wooden disaster", "two brothers and their dog", "x", "so so"]
PREDICT = f"/api/v1/models/{MODEL}/predict"
ALL = {"top_k": None}


class Pair:
    """`near` is asked; version 2 of its model stands for `far`, version 1 lies in files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self.far = self.make_far("far")
        self.token = self.far.first_run["api_key"]
        self.near = Server(
            folder / "near",
            "--no-starter",
            "--no-worker",
            BELLWETHER_DEFAULT_MODEL=MODEL,
            BELLWETHER_REMOTE_HOSTS=f"127.0.0.1:{self.port}",
            BELLWETHER_TIMEOUT_S="15",
            HF_TOKEN=self.token,
        )
        self.near.manage("register", str(save_tiny(folder / "v1", seed=1)), MODEL, "--promote")
        self.said = self.near.manage(
            "endpoint", "register", MODEL, "--url", f"{self.far.url}/models/{MODEL}"
        )
        self.near.start()

    def make_far(self, name: str, *, promoted: bool = True, **environment: str) -> Server:
        """A server on the endpoint's port with one version, of other weights than the near one."""
        folder = self.folder / f"{name}-model"
        server = Server(
            self.folder / name,
            "--no-starter",
            "--no-worker",
            BELLWETHER_DEFAULT_MODEL=MODEL,
            BELLWETHER_PORT=str(self.port),
            **environment,
        )
        server.manage("register", str(save_tiny(folder, seed=2)), MODEL)
        if promoted:
            server.manage("promote", MODEL, "1")
        server.start()
        self.far = server
        return server

    def promote(self, number: int) -> None:
        """Let `number` answer and wait until it does."""
        with self.near.client() as client:
            path = f"/api/v1/models/{MODEL}/versions/{number}/promote"
            client.post(path, json={}).raise_for_status()
            wait_until(lambda: self.answering(client) == str(number), 30)

    def answering(self, client: httpx.Client) -> str | None:
        return client.post(PREDICT, json={"inputs": "x"}).headers.get("x-model-version")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """One pair for all tests, which take and leave it as it is after any of them."""
    folder = tmp_path_factory.mktemp("pair")
    made = Pair(folder)
    yield made
    made.near.stop()
    made.far.stop()
    for name in ("near", "far", "late"):
        databases.drop_for(folder / name)


def test_a_remote_version_answers_what_its_endpoint_answers(pair):
    assert "version 2 (remote, labels NEGATIVE, POSITIVE)" in pair.said
    pair.promote(2)
    body = {"inputs": TEXTS, "parameters": ALL}
    with pair.near.client() as near, pair.far.client() as far:
        here, there = near.post(PREDICT, json=body).json(), far.post(PREDICT, json=body).json()
    assert here["version"] == 2
    for mine, its in zip(here["predictions"], there["predictions"], strict=True):
        assert mine["label"] == its["label"]
        assert [each["label"] for each in mine["scores"]] == [
            each["label"] for each in its["scores"]
        ]
        for one, other in zip(mine["scores"], its["scores"], strict=True):
            assert one["score"] == pytest.approx(other["score"], abs=1e-6)


def test_a_remote_version_is_verified_and_recorded_like_any_other(pair):
    assert "sound" in pair.near.manage("verify", MODEL, "2")
    pair.promote(2)
    with pair.near.client() as client:
        answer = client.post(PREDICT, json={"inputs": TEXTS[0]}).json()
        path = f"/api/v1/predictions/{answer['predictions'][0]['id']}"
        wait_until(lambda: client.get(path).status_code == 200)
        found = client.get(path).json()
        version = client.get(f"/api/v1/models/{MODEL}/versions/2").json()
    assert (found["version"], found["label"]) == (2, answer["predictions"][0]["label"])
    assert [file["path"] for file in version["files"]] == ["remote.json"]
    for said in (str(version), "".join(pair.near.output)):
        assert pair.token not in said


def test_the_hub_s_client_asks_a_remote_version_as_it_asks_its_endpoint(pair):
    pair.promote(2)

    def ask(server: Server) -> list[tuple[str, float]]:
        client = InferenceClient(
            model=f"{server.url}/models/{MODEL}", token=server.first_run["api_key"], timeout=20
        )
        return [(each.label, each.score) for each in client.text_classification(TEXTS[1])]

    here, there = ask(pair.near), ask(pair.far)
    assert [label for label, _ in here] == [label for label, _ in there]
    assert [score for _, score in here] == pytest.approx([s for _, s in there], abs=1e-6)


def test_an_endpoint_is_made_waited_for_and_promoted_by_commands(pair):
    with fake_service(f"{pair.far.url}/models/{MODEL}", n_pending=1) as service:
        key = pair.far.first_run["api_key"]
        service.token = key
        near = Server(
            pair.folder / "near",
            BELLWETHER_REMOTE_HOSTS=f"127.0.0.1:{pair.port}",
            BELLWETHER_ENDPOINTS_API=service.url,
            HF_TOKEN=key,
        )
        named = ("far-1", "--namespace", "team")
        near.manage("endpoint", "create", *named, "--repository", "team/tiny")
        assert "running" in near.manage("endpoint", "wait", *named, "--wait", "60")
        near.manage(
            "endpoint", "register", MODEL, "--endpoint", "far-1", "--namespace", "team", "--promote"
        )
        with pair.near.client() as client:
            wait_until(lambda: pair.answering(client) == "3", 30)
        assert "deleted" in near.manage("endpoint", "delete", *named, "--yes")


def test_promoting_to_remote_and_back_under_load_fails_nobody(pair):
    pair.promote(1)

    async def storm() -> list[str]:
        seen: list[str] = []
        is_over = False

        async def ask(client: httpx.AsyncClient) -> None:
            while not is_over:
                answer = await client.post(PREDICT, json={"inputs": TEXTS[:3]})
                assert answer.status_code == 200, answer.text
                seen.append(answer.headers["x-model-version"])

        async with pair.near.async_client() as client:
            asking = [asyncio.create_task(ask(client)) for _ in range(4)]
            for path in ("versions/2/promote", "rollback", "versions/2/promote", "rollback"):
                n_before = len(seen)
                done = await client.post(f"/api/v1/models/{MODEL}/{path}", json={})
                assert done.status_code == 200, done.text
                wanted = "1" if path == "rollback" else "2"
                deadline = time.monotonic() + 30
                while wanted not in seen[n_before:]:
                    assert time.monotonic() < deadline
                    await asyncio.sleep(0.02)
            is_over = True
            await asyncio.gather(*asking)
        return seen

    assert {"1", "2"} <= set(asyncio.run(storm()))


def test_a_call_waits_while_the_endpoint_is_loading(pair):
    pair.promote(2)
    pair.far.stop()
    # Another home has another key.
    late = pair.make_far("late", promoted=False, BELLWETHER_AUTH="off")
    started = time.monotonic()

    async def ask() -> httpx.Response:
        async with pair.near.async_client() as near:
            asking = asyncio.create_task(near.post(PREDICT, json={"inputs": TEXTS[0]}))
            await asyncio.sleep(2)
            assert not asking.done()
            await asyncio.to_thread(late.manage, "promote", MODEL, "1")
            return await asking

    answer = asyncio.run(ask())
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-model-version"] == "2"
    assert time.monotonic() - started > 2


def test_an_endpoint_that_dies_is_told_from_its_texts_and_comes_back(pair):
    pair.promote(2)
    pair.far.kill()
    with pair.near.client() as client:
        answer = client.post(PREDICT, json={"inputs": TEXTS})
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "remote_unavailable"
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/health/ready").status_code == 200
        pair.far.start()
        wait_until(lambda: client.post(PREDICT, json={"inputs": TEXTS}).status_code == 200, 30)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
