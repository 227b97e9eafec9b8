"""The real server process, the real clients, a real model: what a team does on its first day."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.server import ROOT, Server
from tests.inference.tiny import save_tiny
from tests.registry.builders import build_model_dir

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PUSH_AND_READ = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from huggingface_hub import HfApi

folder, name = sys.argv[1:]
model = AutoModelForSequenceClassification.from_pretrained(folder)
tokenizer = AutoTokenizer.from_pretrained(folder)
model.push_to_hub(name)
tokenizer.push_to_hub(name)
HfApi().create_tag(name, tag="v1")
read = AutoModelForSequenceClassification.from_pretrained(name, revision="v1").eval()
words = AutoTokenizer.from_pretrained(name, revision="v1")
text = "A warm, funny and moving story."
with torch.inference_mode():
    before = model.eval()(**tokenizer(text, return_tensors="pt")).logits
    after = read(**words(text, return_tensors="pt")).logits
print(json.dumps({"equal": torch.equal(before, after), "files": HfApi().list_repo_files(name)}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("hub") / "home", "--no-worker").start()
    yield server
    server.stop()


def environment(server: Server, home: Path) -> dict[str, str]:
    return {
        **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
        "HF_ENDPOINT": server.url,
        "HF_TOKEN": server.first_run["api_key"],
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }


def test_a_model_is_pushed_read_bit_for_bit_and_served(server: Server, tmp_path: Path) -> None:
    folder = save_tiny(tmp_path / "tiny")
    done = subprocess.run(
        [sys.executable, "-c", PUSH_AND_READ, str(folder), "team/tiny"],
        env=environment(server, tmp_path / "hf"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    saw = json.loads(done.stdout.splitlines()[-1])
    assert saw["equal"] is True
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(saw["files"])
    with server.client() as client:
        versions = client.get("/api/v1/models/team/tiny/versions").json()["results"]
        assert [version["version"] for version in versions] == [1]
        answer = client.get("/team/tiny/resolve/v1/config.json")
        assert len(answer.headers["x-repo-commit"]) == 40
        assert client.get("/api/v1/models").status_code == 200
        assert client.get("/health/live").status_code == 200


def hf(server: Server, home: Path, *arguments: str) -> str:
    """Run the `hf` command and return what it printed."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("hf")), *arguments],
        env=environment(server, home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_command_line_uploads_downloads_and_verifies(server: Server, tmp_path: Path) -> None:
    folder, home = build_model_dir(tmp_path / "model"), tmp_path / "hf"
    hf(server, home, "auth", "whoami")
    hf(server, home, "upload", "team/by-hand", str(folder))
    hf(server, home, "download", "team/by-hand", "--local-dir", str(tmp_path / "copy"))
    for path in folder.iterdir():
        assert (tmp_path / "copy" / path.name).read_bytes() == path.read_bytes()
    hf(server, home, "download", "team/by-hand")
    hf(server, home, "cache", "verify", "team/by-hand")


def test_the_command_line_downloads_what_serves(server: Server, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    name, home = "starter/sentiment", tmp_path / "hf"
    hf(
        server,
        home,
        "download",
        name,
        "config.json",
        "--revision",
        "prod",
        "--local-dir",
        str(copy),
    )
    assert json.loads((copy / "config.json").read_text())["architectures"]


def test_requests_are_counted_under_one_name(server: Server) -> None:
    with server.client() as client:
        client.get("/api/models")
        text = client.get("/metrics").text
    assert 'route="hub"' in text
