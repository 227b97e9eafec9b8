"""`manage.py demo` on a real server: the right alerts in order, then nothing of it is left."""

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.demo.service import MODEL
from tests.e2e import databases
from tests.e2e.server import ROOT, Server, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(600)]

OTHER = "starter/sentiment"
LONGEST_S = 180.0
LINE = re.compile(r"(\d+):(\d\d)  (\w+) +(.*)")
COUNT = """
import json
from django.apps import apps
found = {}
for table in apps.get_models():
    names = [f.name for f in table._meta.get_fields() if f.name in ("model", "prediction")]
    kind = table._meta.get_field("model").get_internal_type() if "model" in names else ""
    if table._meta.app_label in ("monitoring", "inference") and kind == "CharField":
        for name in table.objects.values_list("model", flat=True):
            found.setdefault(name, {}).setdefault(table.__name__, 0)
            found[name][table.__name__] += 1
from registry.models import RegisteredModel, Version
from monitoring.models import Feedback
found["models"] = sorted(str(row) for row in RegisteredModel.objects.all())
found["versions"] = Version.objects.count()
found["labels"] = Feedback.objects.count()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home = tmp_path_factory.mktemp("demo") / "home"
    made = Server(home).start()
    yield made
    made.stop()
    databases.drop_for(home)


def start(server: Server, *options: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "demo", "--url", server.url, *options],
        cwd=ROOT,
        env=server.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def demo(server: Server, *options: str) -> tuple[int, str, str]:
    process = start(server, *options)
    output, errors = process.communicate(timeout=400)
    return process.returncode, output, errors


def count(server: Server) -> dict[str, Any]:
    """Rows by model and table, as the database has them."""
    found: dict[str, Any] = json.loads(server.manage("shell", "-v", "0", "-c", COUNT))
    return found


def happened(output: str) -> list[tuple[int, str, str]]:
    """(seconds, what, its text) of every line of the play."""
    lines = (LINE.match(line) for line in output.splitlines())
    return [(60 * int(m[1]) + int(m[2]), m[3], m[4]) for m in lines if m]


def use_another_model(server: Server) -> None:
    with server.client() as client:
        body = {"inputs": ["A warm, funny film.", "Two hours that I want back."]}
        answer = client.post(f"/api/v1/models/{OTHER}/predict", json=body).json()
        item = {"prediction_id": answer["predictions"][0]["id"], "correct_label": "POSITIVE"}
        client.post("/api/v1/feedback", json=item).raise_for_status()
        kept = {"model": OTHER}
        wait_until(
            lambda: len(client.get("/api/v1/predictions", params=kept).json()["results"]) == 2
        )


def test_the_play_is_seen_in_order_and_can_be_stopped_and_wiped(server: Server) -> None:
    use_another_model(server)
    began = time.monotonic()
    status, output, errors = demo(server, "--fast")
    assert status == 0, output + errors
    assert time.monotonic() - began < LONGEST_S
    check_order(output)
    check_alerts(server)

    check_interrupting(server)
    before = count(server)
    assert before[MODEL]["Prediction"] > 1000
    status, output, errors = demo(server, "--wipe")
    assert (status, output.splitlines()[-1]) == (0, "The demo is gone."), errors
    wait_until(lambda: MODEL not in count(server), 60)
    check_left(before, count(server))

    check_other_files(server)


def check_order(output: str) -> None:
    """Nothing fires in the first act; drift does in the second, quality in the third."""
    acts: dict[int, list[str]] = {}
    number = 0
    for _, what, text in happened(output):
        if what == "act":
            number = int(text[0])
        elif what in ("fires", "resolves"):
            acts.setdefault(number, []).append(f"{what} {text.split()[0]}")
    assert 1 not in acts
    # Both need no labels; which of them is judged first is chance.
    assert acts[2][0] in ("fires drift", "fires estimate")
    assert "fires drift" in acts[2]
    assert "fires quality" not in acts[2]
    assert "fires quality" in acts[3]
    assert "resolves quality" in acts[4]
    every = [each for act in acts.values() for each in act]
    assert every.count("fires drift") == every.count("resolves drift") == 1
    assert every.count("fires quality") == every.count("resolves quality") == 1
    assert {each.split()[1] for each in every} <= {"drift", "quality", "estimate"}


def check_alerts(server: Server) -> None:
    """What the service itself keeps of it: each alert once, resolved, of the right weight."""
    with server.client() as client:
        rows = client.get("/api/v1/alerts").json()["results"]
    rows = [row for row in rows if row["fired_at"]]
    assert {row["model"] for row in rows} == {MODEL}
    assert {row["state"] for row in rows} == {"resolved"}
    by_kind = {row["kind"]: row for row in rows}
    assert by_kind["drift"]["severity"] in ("info", "warning")
    assert by_kind["quality"]["severity"] == "critical"
    assert by_kind["drift"]["fired_at"] < by_kind["quality"]["fired_at"]


def check_interrupting(server: Server) -> None:
    """Ctrl+C while it plays again: it ends at once, and says so."""
    process = start(server, "--fast", "--loop")
    assert process.stdout is not None
    for line in process.stdout:
        if "All is well" in line:
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert output.endswith("Stopped.\n")
    assert "Traceback" not in errors


def check_left(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Of the other model every row is there still, and of the demo none."""
    for table in ("Prediction", "PredictionCount", "Monitor", "Exemplar"):
        assert after[OTHER][table] == before[OTHER][table] > 0
    assert after["models"] == [OTHER]
    assert after["versions"] == 1
    assert after["labels"] == 1


def check_other_files(server: Server) -> None:
    """Somebody's own model of that name is left alone."""
    server.manage("register", str(ROOT / "starter" / "model"), MODEL)
    status, _, errors = demo(server, "--fast")
    assert status == 1
    assert "with other files than the demo's" in errors
    assert "--wipe" in errors


def test_it_starts_a_service_where_none_answers_and_ends_it(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = Server(home).manage("demo", "--wipe")
    assert done.splitlines()[-1] == "There was no demo."
    assert "Stopped in order." in (home / "demo-serve.log").read_text()
    databases.drop_for(home)


def test_a_key_that_is_refused_is_told_with_a_remedy(server: Server) -> None:
    process = subprocess.run(
        [sys.executable, "manage.py", "demo", "--fast", "--url", server.url],
        cwd=ROOT,
        env=server.environment | {"BELLWETHER_API_KEY": "nobody.knows"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert process.returncode == 1
    assert "The key was refused" in process.stderr
    assert "BELLWETHER_API_KEY" in process.stderr
