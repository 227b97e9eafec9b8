"""A real server watches real reviews, then tweets, then wrong labels, then reviews again.

A second model with the same weights gets as many reviews with right labels all the while: of it
nobody must hear anything.
"""

import gzip
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitoring.notifiers.webhook import sign
from tests.e2e import databases
from tests.e2e.server import ROOT, Server, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not os.environ.get("DATABASE_URL"), reason="minutes long: it runs where DATABASE_URL is set"
    ),
]

SHIFTED, QUIET = "starter/sentiment", "starter/quiet"
SECRET = "a secret that both sides know"
BATCH = 32
WAIT_S = 90.0
Row = dict[str, Any]


def read(name: str) -> list[Row]:
    """Rows of one file of the real data; labels are called as the starter calls them."""
    folder = os.environ.get("BELLWETHER_TEST_DATA")
    if not folder:
        pytest.skip("BELLWETHER_TEST_DATA is not set")
    with gzip.open(Path(folder) / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


class Receiver:
    """A webhook's other end: what came, in order, with its signature checked."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.forged = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                expected = sign(SECRET, self.headers["X-Bellwether-Timestamp"], body)
                receiver.forged += self.headers["X-Bellwether-Signature"] != expected
                receiver.messages.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["event"] == event]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Player:
    """Sends texts to both models and says what is true of the answers."""

    def __init__(self, client: httpx.Client, reviews: list[Row]) -> None:
        self.client = client
        self._quiet = cycle(reviews)
        self._reviews = cycle(reviews)

    def reviews(self, n: int, *, are_wrong: bool = False) -> None:
        self._send(list(islice(self._reviews, n)), labelled=True, are_wrong=are_wrong)

    def tweets(self, rows: list[Row]) -> None:
        self._send(rows, labelled=False)

    def _send(self, rows: list[Row], *, labelled: bool, are_wrong: bool = False) -> None:
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            ids = self._predict(SHIFTED, some)
            if labelled:
                self._label(some, ids, are_wrong=are_wrong)
            others = list(islice(self._quiet, len(some)))
            self._label(others, self._predict(QUIET, others))

    def _predict(self, model: str, rows: list[Row]) -> list[str]:
        body = {"inputs": [row["text"] for row in rows]}
        answer = self.client.post(f"/api/v1/models/{model}/predict", json=body)
        answer.raise_for_status()
        return [prediction["id"] for prediction in answer.json()["predictions"]]

    def _label(self, rows: list[Row], ids: list[str], *, are_wrong: bool = False) -> None:
        items = [
            {
                "prediction_id": id,
                "correct_label": "POSITIVE" if (row["label"] == 1) != are_wrong else "NEGATIVE",
                "source": "delayed",
            }
            for id, row in zip(ids, rows, strict=True)
        ]
        self.client.post("/api/v1/feedback", json=items).raise_for_status()

    def until(self, condition: Callable[[], Any], send: Callable[[], None]) -> Any:
        """Go on sending until `condition()` is true, for a bounded time; what it said."""
        deadline = time.monotonic() + WAIT_S
        while not (found := condition()):
            assert time.monotonic() < deadline, self.alerts()
            send()
        return found

    def alerts(self, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/api/v1/alerts", params=query).json()[
            "results"
        ]
        return found

    def firing(self, kind: str) -> dict[str, Any] | None:
        rows = self.alerts(state="firing", model=SHIFTED)
        return next((row for row in rows if row["kind"] == kind), None)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def server(tmp_path: Path, receiver: Receiver) -> Iterator[Server]:
    made = Server(tmp_path / "home", BELLWETHER_WEBHOOK_HOSTS=f"127.0.0.1:{receiver.port}")
    made.manage("register", str(ROOT / "starter" / "model"), QUIET)
    made.manage("promote", QUIET, "1")
    yield made.start()
    made.stop()
    databases.drop_for(tmp_path / "home")


def prepare(client: httpx.Client, reviews: list[Row], receiver: Receiver) -> None:
    """References of reviews for both models, a channel, and a quality monitor in a hurry."""
    channel = {
        "name": "hook",
        "kind": "webhook",
        "config": {"url": f"http://127.0.0.1:{receiver.port}/hook", "secret": SECRET},
        "min_severity": "info",
    }
    client.post("/api/v1/channels", json=channel).raise_for_status()
    rows = [
        {"text": row["text"], "label": "POSITIVE" if row["label"] == 1 else "NEGATIVE"}
        for row in reviews
    ]
    for model in (SHIFTED, QUIET):
        path = f"/api/v1/models/{model}/references"
        made = client.post(path, json={"rows": rows})
        assert made.status_code in (201, 202), made.text
        id = made.json()["id"]
        wait_until(lambda: client.get(f"{path}/{id}").json()["state"] == "ready", WAIT_S)  # noqa: B023
    wait_until(lambda: len(monitors(client)) >= 2, WAIT_S)
    for monitor in monitors(client):
        path = f"/api/v1/monitors/{monitor['id']}"
        client.patch(path, json={"every_s": 5}).raise_for_status()


def monitors(client: httpx.Client) -> list[dict[str, Any]]:
    rows = client.get("/api/v1/monitors", params={"kind": "quality"}).json()["results"]
    return [row for row in rows if row["name"] == "quality"]


def test_the_right_alerts_come_in_order_once_and_end_and_a_quiet_model_has_none(server, receiver):
    sentences = read("sst2/train_sentences.jsonl.gz")
    tweets = read("tweet_sentiment/val.jsonl.gz")
    reference, stream = sentences[:1000], sentences[1000:]
    with server.client() as client:
        prepare(client, reference, receiver)
        player = Player(client, stream)
        player.reviews(800)
        assert player.alerts() == []
        assert receiver.messages == []

        player.tweets(tweets[:400])
        more = cycle(tweets[400:])
        drift = player.until(
            lambda: player.firing("drift"), lambda: player.tweets(list(islice(more, BATCH)))
        )
        assert drift["severity"] in ("info", "warning")
        assert "inputs" in json.dumps(drift["details"])
        assert player.firing("quality") is None

        player.reviews(100, are_wrong=True)
        quality = player.until(
            lambda: player.firing("quality"), lambda: player.reviews(BATCH, are_wrong=True)
        )
        assert quality["severity"] == "critical"

        player.reviews(300)
        player.until(
            lambda: not player.alerts(state="firing", model=SHIFTED), lambda: player.reviews(BATCH)
        )
        assert player.alerts(model=QUIET) == []
        told = player.alerts(model=SHIFTED)
        n_fired = sum(alert["fired_at"] is not None for alert in told)
        wait_until(lambda: len(receiver.of("resolved")) >= n_fired, WAIT_S)

    check_deliveries(receiver, told)


def check_deliveries(receiver: Receiver, told: list[dict[str, Any]]) -> None:
    """Each alert fired once and resolved once; drift was told before the wrong labels were."""
    assert receiver.forged == 0
    assert {message["model"] for message in receiver.messages} == {SHIFTED}
    ids = [message["id"] for message in receiver.messages]
    assert len(ids) == len(set(ids))
    fired = [message["kind"] for message in receiver.of("firing")]
    assert fired.index("drift") < fired.index("quality")
    for kind in ("drift", "quality"):
        events = [m["event"] for m in receiver.messages if m["kind"] == kind]
        assert events[0] == "firing"
        assert events.count("firing") == 1
        assert events[-1] == "resolved"
    assert len(told) == len({(alert["kind"], alert["version"]) for alert in told})
