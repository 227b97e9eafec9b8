"""The installed client library, in a process of its own, with nothing set but the environment."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.hub.client import KEYS

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(url: str, tmp_path: Path) -> Run:
    def run(what: str, folder: Path, **environment: str) -> dict[str, Any]:
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "tests.hub.script", what, str(folder), str(tmp_path)],
            cwd=ROOT,
            env={
                **kept,
                "HF_ENDPOINT": url,
                "HF_TOKEN": KEYS["pusher"],
                "HF_HOME": str(tmp_path / "hf"),
                "HF_HUB_DISABLE_XET": "1",
                "HF_HUB_DISABLE_TELEMETRY": "1",
                "HF_HUB_DISABLE_UPDATE_CHECK": "1",
                "HF_HUB_DISABLE_PROGRESS_BARS": "1",
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.mark.slow
def test_a_model_is_pushed_sealed_and_read_back(run: Run, url: str, model_dir: Path) -> None:
    saw = run("round_trip", model_dir)
    assert saw["whoami"] == "pusher"
    assert saw["url"] == saw["create_again"] == f"{url}/team/pushed"
    assert saw["got"] == saw["got_local"] == saw["sent"]
    assert saw["files"] == sorted(saw["sent"])
    assert saw["sizes"] == {each.name: each.stat().st_size for each in model_dir.iterdir()}
    assert saw["commits"] == ["First model", "Initial commit"]
    assert saw["again"] == saw["first"] == saw["sha"] == saw["tags"]["v1"]
    assert set(saw["tree"].values()) == {saw["first"]}
    assert saw["branches"] == ["main"]
    assert saw["pipeline_tag"] == "text-classification"
    assert saw["parameters"] == {"F32": 10}
    assert (saw["exists"], saw["missing"]) == (True, False)
    assert saw["found"] == ["team/pushed"]
    assert saw["paths"] == ["config.json"]


@pytest.mark.slow
def test_a_branch_with_a_slash_takes_additions_copies_and_deletions(
    run: Run, model_dir: Path
) -> None:
    saw = run("changes", model_dir)
    kept = ["README.md", "config.json", "copy.safetensors", "model.safetensors"]
    rest = ["other/config.json", "tokenizer.json"]
    assert saw["on_branch"] == [*kept, "notes/a.txt", *rest]
    assert saw["after"] == [*kept, *rest]
    assert saw["card"] == "# Card\n"
    assert saw["branches"] == ["main"]
    refusals = {
        "stale": "HfHubHTTPError 412: main of team/pushed has moved on",
        "pickle": "HfHubHTTPError 422: pytorch_model.bin: files of this kind may not enter",
        "branch_again": "HfHubHTTPError 409: ",
        "no_repo": "RepositoryNotFoundError 404: ",
        "no_revision": "RevisionNotFoundError 404: ",
        "no_file": "RemoteEntryNotFoundError 404: ",
        "pull_request": "HfHubHTTPError 403: there are no pull requests here",
        "no_token": "RepositoryNotFoundError 401: no key came",
        "bad_token": "HfHubHTTPError 401: Invalid credentials",
        "move": "HfHubHTTPError 403: models are not renamed",
        "delete": "HfHubHTTPError 403: this needs the scope admin",
    }
    for name, beginning in refusals.items():
        assert saw[name].startswith(beginning), (name, saw[name])
