"""Several server processes on one database switch together; who cannot keep up says so."""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e import databases
from tests.e2e.conftest import MODEL
from tests.e2e.server import Server, wait_until
from tests.inference.tiny import save_tiny

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL", "").startswith("postgres"),
        reason="several processes share a PostgreSQL database",
    ),
]
TEXT = "a warm and funny film"
DEADLINE_S = 4.0
# A poll of each replica, and a probe of the client's.
SETTLE_S = 1.0
CONVERGE_S = 10.0
# A replica that was held back, or whose dead forerunner is still listed.
CATCH_UP_S = 60.0


class Replicas:
    """Three servers with homes of their own, one database and one artifact store."""

    def __init__(self, folder: Path) -> None:
        options = {"BELLWETHER_DEFAULT_MODEL": MODEL, "BELLWETHER_SWAP_DEADLINE_S": str(DEADLINE_S)}
        self.first = Server(folder / "0", "--no-starter", "--no-worker", **options)
        for number in (1, 2):
            directory = save_tiny(folder / f"v{number}", seed=number)
            self.first.manage("register", str(directory), MODEL)
        self.first.manage("promote", MODEL, "1")
        shared = {"DATABASE_URL": self.first._environment["DATABASE_URL"], **options}
        self.all = [self.first]
        for number in (1, 2):
            home = folder / str(number)
            home.mkdir()
            (home / "artifacts").symlink_to(folder / "0" / "artifacts")
            self.all.append(Server(home, "--no-starter", "--no-worker", **shared))

    def start(self) -> None:
        for server in self.all:
            server.start()

    def stop(self) -> None:
        for server in self.all:
            server.stop()
        databases.drop_for(self.first.home)

    def client(self, at: int) -> httpx.Client:
        return httpx.Client(base_url=self.all[at].url, headers=self.first.headers, timeout=30)

    def promote(self, number: int) -> None:
        with self.client(0) as client:
            path = f"/api/v1/models/{MODEL}/versions/{number}/promote"
            client.post(path, json={}).raise_for_status()

    def begin_with(self, number: int) -> None:
        """Have all three answer with version `number`, whatever the tests before left behind."""
        self.promote(number)
        self.wait(lambda d: is_converged(d) and len(d["replicas"]) == 3, CATCH_UP_S)

    def deployment(self) -> dict[str, Any]:
        with self.client(0) as client:
            return client.get(f"/api/v1/models/{MODEL}/deployment").json()

    def wait(self, condition: Callable[[dict[str, Any]], bool], timeout_s: float) -> float:
        """Wait for a state of the deployment; return the seconds it took."""
        started = time.monotonic()
        wait_until(lambda: condition(self.deployment()), timeout_s)
        return time.monotonic() - started

    def pid(self, at: int) -> int:
        process = self.all[at]._process
        assert process is not None
        return process.pid


@pytest.fixture(scope="module")
def replicas(tmp_path_factory) -> Iterator[Replicas]:
    made = Replicas(tmp_path_factory.mktemp("replicas"))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@contextmanager
def slowed(pid: int) -> Iterator[None]:
    """Let a process run for a tenth of a second, then hold it for one and a half, and so on."""
    is_over = threading.Event()

    def hold() -> None:
        while not is_over.is_set():
            os.kill(pid, signal.SIGSTOP)
            is_over.wait(1.5)
            os.kill(pid, signal.SIGCONT)
            is_over.wait(0.1)

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        os.kill(pid, signal.SIGCONT)


Seen = tuple[float, int, int]


class Callers:
    """Callers behind a load balancer that asks each replica whether it is ready."""

    def __init__(self, replicas: Replicas, n: int = 4) -> None:
        self._replicas, self._n = replicas, n
        self._is_over = False
        self._ready: set[int] = set(range(3))
        self.seen: list[list[Seen]] = [[] for _ in range(n)]
        self.failed: list[str] = []
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Callers":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over = True
        self._thread.join()

    async def _run(self) -> None:
        probes = [self._probe(at) for at in range(3)]
        await asyncio.gather(*probes, *(self._ask(who) for who in range(self._n)))

    def _client(self, at: int, timeout_s: float) -> httpx.AsyncClient:
        server = self._replicas.all[at]
        headers = self._replicas.first.headers
        return httpx.AsyncClient(base_url=server.url, headers=headers, timeout=timeout_s)

    async def _probe(self, at: int) -> None:
        n_good = 0
        async with self._client(at, 0.5) as client:
            while not self._is_over:
                try:
                    is_good = (await client.get("/health/ready")).status_code == 200
                except httpx.HTTPError:
                    is_good = False
                n_good = n_good + 1 if is_good else 0
                if n_good >= 3:
                    self._ready.add(at)
                elif n_good == 0:
                    self._ready.discard(at)
                await asyncio.sleep(0.1)

    async def _ask(self, who: int) -> None:
        clients = [self._client(at, 10) for at in range(3)]
        turn = who
        while not self._is_over:
            ready = sorted(self._ready)
            await asyncio.sleep(0.01)
            if not ready:
                continue
            turn += 1
            at, sent_at = ready[turn % len(ready)], time.monotonic()
            try:
                answer = await clients[at].post(
                    f"/api/v1/models/{MODEL}/predict", json={"inputs": TEXT}
                )
            except httpx.HTTPError as error:
                # A process that was killed or held takes its connections with it.
                self.failed.append(f"{at}: {type(error).__name__}")
                continue
            if answer.status_code != 200:
                self.failed.append(f"{at}: {answer.status_code}")
                continue
            self.seen[who].append((sent_at, at, answer.json()["version"]))
        for client in clients:
            await client.aclose()

    def versions_after(self, moment: float) -> set[int]:
        return {version for one in self.seen for sent, _, version in one if sent > moment}

    def n_returns(self, new: int, after: float) -> int:
        """How often a caller got another version after it had `new`, for requests sent `after`."""
        n = 0
        for one in self.seen:
            had = False
            for sent, _, version in one:
                had = had or version == new
                n += had and version != new and sent > after
        return n


def is_converged(deployment: dict[str, Any]) -> bool:
    return deployment["converged"]


def is_committed(deployment: dict[str, Any]) -> bool:
    return deployment["state"] == "committed"


def test_replicas_switch_together_and_fail_nobody(replicas):
    replicas.begin_with(1)
    n_before = _n_swaps(replicas)
    for number in (2, 1):
        with Callers(replicas) as callers:
            time.sleep(1)
            replicas.promote(number)
            took_s = replicas.wait(is_committed, CONVERGE_S)
            committed_at = time.monotonic()
            replicas.wait(is_converged, CONVERGE_S)
            time.sleep(SETTLE_S + 1)
        assert callers.failed == []
        assert callers.versions_after(committed_at + SETTLE_S) == {number}
        assert callers.n_returns(number, after=committed_at + SETTLE_S) == 0
        assert took_s < CONVERGE_S
    swapped = [e for e in _events(replicas) if e["kind"] == "swapped"]
    assert len(swapped) == n_before + 2
    assert len(swapped[0]["details"]["replicas"]) == 3


def test_a_slow_replica_is_left_behind_then_catches_up(replicas):
    replicas.begin_with(1)
    with Callers(replicas) as callers:
        with slowed(replicas.pid(2)):
            time.sleep(2)
            replicas.promote(2)
            replicas.wait(is_committed, 3 * DEADLINE_S + CONVERGE_S)
            committed_at = time.monotonic()
            deployment = replicas.deployment()
            assert deployment["converged"] or len(deployment["laggards"]) >= 1
            time.sleep(SETTLE_S + 2)
        replicas.wait(is_converged, CATCH_UP_S)
        time.sleep(1)
    assert callers.versions_after(committed_at + SETTLE_S) == {2}
    assert callers.n_returns(2, after=committed_at + SETTLE_S) == 0
    assert all(failure.startswith("2: ") for failure in callers.failed)


def test_a_version_that_fails_somewhere_is_committed_nowhere(replicas, tmp_path):
    replicas.begin_with(2)
    directory = save_tiny(tmp_path / "v3", seed=3)
    wrong = {"cases": [{"input": TEXT, "label": label} for label in ("NEGATIVE", "POSITIVE")]}
    (directory / "golden.json").write_text(json.dumps(wrong))
    replicas.first.manage("register", str(directory), MODEL)
    with Callers(replicas) as callers:
        replicas.promote(3)
        replicas.wait(lambda d: d["state"] == "failed", CONVERGE_S)
        time.sleep(1)
    assert callers.failed == []
    assert callers.versions_after(0.0) == {2}
    deployment = replicas.deployment()
    assert "golden_failed" in deployment["reason"]
    states = {v["version"]: v["state"] for r in deployment["replicas"] for v in r["versions"]}
    assert states[3] == "failed"
    assert [e["kind"] for e in _events(replicas)].count("swap_failed") == 1
    replicas.promote(2)
    replicas.wait(is_converged, CONVERGE_S)


def test_a_killed_replica_keeps_nobody_from_switching(replicas):
    replicas.begin_with(2)
    replicas.all[1].kill()
    replicas.promote(1)
    assert replicas.wait(is_committed, CONVERGE_S) < CONVERGE_S
    deployment = replicas.deployment()
    gone = [each["id"] for each in deployment["replicas"] if not each["alive"]]
    assert set(deployment["laggards"]) >= set(gone)
    replicas.all[1].start()
    # A replica that joins answers with the committed version before it is ready.
    with replicas.client(1) as client:
        wait_until(lambda: client.get("/health/ready").status_code == 200)
        answer = client.post(f"/api/v1/models/{MODEL}/predict", json={"inputs": TEXT}).json()
    assert answer["version"] == 1


def _n_swaps(replicas: Replicas) -> int:
    return [event["kind"] for event in _events(replicas)].count("swapped")


def _events(replicas: Replicas) -> list[dict[str, Any]]:
    with replicas.client(0) as client:
        found = client.get(f"/api/v1/models/{MODEL}/events", params={"limit": 100}).json()
    return found["results"]
