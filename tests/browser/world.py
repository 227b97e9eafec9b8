"""A server with a past: two versions, reviews and tweets, labels, a reference, alerts, people."""

import gzip
import json
import os
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import httpx

from access.roles import ROLES
from tests.e2e import databases
from tests.e2e.server import ROOT, Server, wait_until

MODEL = "starter/sentiment"
BATCH = 32
N_REFERENCE, N_REVIEWS, N_TWEETS = 600, 640, 320
PEOPLE = """
from django.contrib.auth.models import Group, User
for role in {roles}:
    person = User.objects.create_user(role, password=role, is_staff=True)
    person.groups.add(Group.objects.get(name=role))
"""
PLAIN = ("a warm and funny film", "a dull and endless evening", "clever, tender and well played")
Row = dict[str, Any]


def read(name: str, n: int) -> list[Row]:
    """The first `n` rows of a file of the real data, or a few sentences again and again."""
    folder = os.environ.get("BELLWETHER_TEST_DATA")
    if not folder:
        return [{"text": f"{PLAIN[i % 3]} {i}", "label": int(i % 3 != 1)} for i in range(n)]
    with gzip.open(Path(folder) / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in islice(lines, n)]


class World:
    """The server and what is known of it. `people` are called like their roles, passwords too."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.backups = root / "backups"
        self.server = Server(
            self.home,
            BELLWETHER_BACKUPS=f"near={self.backups}",
            BELLWETHER_AUDIT_PER_HOUR="200",
            BELLWETHER_SECOND_OPINIONS="0",
            BELLWETHER_WEBHOOK_HOSTS="127.0.0.1",
        )
        self.people = tuple(ROLES)
        try:
            self._prepare(root)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return self.server.url

    def client(self) -> httpx.Client:
        return self.server.client()

    def close(self) -> None:
        self.server.stop()
        databases.drop_for(self.home)

    def _prepare(self, root: Path) -> None:
        self.server.manage("shell", "-v", "0", "-c", PEOPLE.format(roles=list(ROLES)))
        self.server.start()
        second = shutil.copytree(ROOT / "starter" / "model", root / "second")
        with (second / "README.md").open("a", encoding="utf-8") as card:
            card.write("\nThe second of its kind.\n")
        self.server.manage("register", str(second), MODEL, "--note", "the same weights again")
        with self.client() as client:
            reviews = read("sst2/train_sentences.jsonl.gz", N_REFERENCE + N_REVIEWS)
            self._make_reference(client, reviews[:N_REFERENCE])
            self._send(client, reviews[N_REFERENCE:], "reviews", labelled=True)
            self._send(client, read("tweet_sentiment/val.jsonl.gz", N_TWEETS), "tweets")
            client.post("/async-sentiment", json={"texts": list(PLAIN)}).raise_for_status()
            self._watch(client)
        self.server.manage("backup", "near")

    def _make_reference(self, client: httpx.Client, rows: list[Row]) -> None:
        path = f"/api/v1/models/{MODEL}/references"
        labelled = [{"text": row["text"], "label": _label(row)} for row in rows]
        made = client.post(path, json={"rows": labelled}).raise_for_status().json()
        wait_until(lambda: client.get(f"{path}/{made['id']}").json()["state"] == "ready", 90)

    def _send(
        self, client: httpx.Client, rows: list[Row], segment: str, *, labelled: bool = False
    ) -> None:
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            body = {"inputs": [row["text"] for row in some], "segment": segment}
            answer = client.post(f"/api/v1/models/{MODEL}/predict", json=body).raise_for_status()
            ids = [prediction["id"] for prediction in answer.json()["predictions"]]
            if labelled:
                said = [
                    {"prediction_id": id, "correct_label": _label(row), "source": "delayed"}
                    for id, row in zip(ids, some, strict=True)
                ]
                client.post("/api/v1/feedback", json=said).raise_for_status()

    def _watch(self, client: httpx.Client) -> None:
        """Evaluate until something fires: the tweets are no reviews."""
        channel = {"name": "log", "kind": "memory", "config": {"box": "log"}}
        channel["min_severity"] = "info"
        client.post("/api/v1/channels", json=channel).raise_for_status()
        for _ in range(3):
            self.server.manage("evaluate", "--all")


def _label(row: Row) -> str:
    return "POSITIVE" if row["label"] == 1 else "NEGATIVE"
