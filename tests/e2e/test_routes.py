"""Canary, shadow and pin on a real server, with kill -9 in between."""

import asyncio
import time
from collections import Counter

import httpx
import pytest

from tests.e2e.conftest import MODEL
from tests.e2e.server import Server, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
PREDICT = f"/api/v1/models/{MODEL}/predict"
ROUTES = f"/api/v1/models/{MODEL}/routes"
SHADOW = f"/api/v1/models/{MODEL}/shadow"
TEXTS = [f"a warm and funny film, number {n}" for n in range(40)]


def put(client: httpx.Client, *routes: tuple[int, str, int]) -> None:
    body = [{"version": v, "mode": mode, "weight": weight} for v, mode, weight in routes]
    client.put(ROUTES, json={"routes": body}).raise_for_status()


def version_of(client: httpx.Client, key: str) -> str:
    answer = client.post(PREDICT, json={"inputs": "good"}, headers={"X-Route-Key": key})
    answer.raise_for_status()
    return answer.headers["x-model-version"]


def test_a_canary_grows_and_gives_nobody_back(new_server):
    server = new_server()
    keys = [f"user-{n}" for n in range(200)]
    with server.client() as client:
        seen = []
        for weight in (20, 60):
            put(client, (1, "live", 100 - weight), (2, "live", weight))
            wait_until(lambda: "2" in {version_of(client, key) for key in keys})
            last: dict[str, str] = {}

            def is_settled(last: dict[str, str] = last) -> bool:
                now = {key: version_of(client, key) for key in keys}
                is_same, _ = last == now, last.update(now)
                return is_same

            wait_until(is_settled)
            seen.append({key for key in keys if last[key] == "2"})
        assert seen[0] < seen[1]
        assert 10 < len(seen[0]) < 80 < len(seen[1]) < 160
        pinned = client.post(PREDICT, json={"inputs": "good"}, headers={"X-Model-Pin": "2"})
        assert pinned.headers["x-model-version"] == "2"
        missing = client.post(PREDICT, json={"inputs": "good"}, headers={"X-Model-Pin": "7"})
        assert missing.status_code == 409
        assert {1, 2} <= set(missing.json()["error"]["details"]["loaded"])
        client.post(f"/api/v1/models/{MODEL}/rollback", json={})
    assert "version 1    stable  100 %" in server.manage("route", MODEL, "--stable", "1")


def _n_compared(server: Server) -> int:
    with server.client() as client:
        rows = client.get(SHADOW).json()["comparisons"]
    return sum(row["n_compared"] for row in rows)


def _settled(server: Server) -> int:
    """How many were compared once no more come."""
    n = -1
    while (now := _n_compared(server)) != n:
        n = now
        time.sleep(1.5)
    return n


def test_what_a_shadow_shows_survives_kill_9_and_is_counted_once(new_server):
    server = new_server()
    with server.client() as client:
        put(client, (1, "live", 100), (2, "shadow", 100))

        def is_shadowed() -> bool:
            client.post(PREDICT, json={"inputs": "good"})
            return _n_compared(server) > 0

        wait_until(is_shadowed)

    async def ask() -> Counter[int]:
        async with server.async_client() as client:
            answers = await asyncio.gather(
                *(client.post(PREDICT, json={"inputs": text}) for text in TEXTS)
            )
            return Counter(answer.status_code for answer in answers)

    before = _settled(server)
    assert asyncio.run(ask()) == {200: len(TEXTS)}
    assert _settled(server) == before + len(TEXTS)
    assert asyncio.run(ask()) == {200: len(TEXTS)}
    server.kill()
    heir = new_server()
    wait_until(lambda: before + len(TEXTS) <= _n_compared(heir) <= before + 2 * len(TEXTS))
    with heir.client() as client:
        (row,) = client.get(SHADOW).json()["comparisons"]
        predictions = client.get(f"/api/v1/models/{MODEL}/quality").json()["n_predicted"]
    assert (row["primary_version"], row["shadow_version"]) == (1, 2)
    assert row["n_failed"] == 0
    assert row["latency_ratio"] > 0
    # Every copy stands beside a prediction, and is none itself.
    assert row["n_compared"] <= predictions
    assert "beside 1" in heir.manage("shadow", MODEL)
