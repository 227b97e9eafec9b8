"""kill -9 at every point of every work: only the old or the new state, and running again finishes.

The points are the labelled ones (`registry.steps`), every statement that changes rows, and the
moments before and after every commit. Of a label that comes often, the first and last are tried.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.works import WORKS, WRONG

ROOT = Path(__file__).resolve().parents[2]
MIN_POINTS = 120
Ask = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """ask(work, kill_at) runs one trial in the zygote and returns what it found."""
    folder = make_folder(tmp_path_factory)
    environ = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.crash.zygote", str(folder)],
        cwd=ROOT,
        env=environ
        | {"DJANGO_SETTINGS_MODULE": "tests.settings", "BELLWETHER_HOME": str(folder / "own")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(work: str, kill_at: int | None = None) -> dict[str, Any]:
        process.stdin.write(json.dumps({"work": work, "kill_at": kill_at}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        assert line, "the zygote ended: its traceback is in the captured error stream"
        return json.loads(line)

    yield ask
    process.stdin.close()
    process.wait(30)
    process.stdout.close()
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    shutil.rmtree(folder)


def make_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In memory where that can be had: a killed process loses nothing that it had written."""
    if os.access("/dev/shm", os.W_OK):
        return Path(tempfile.mkdtemp(prefix="bellwether-crash-", dir="/dev/shm"))
    return tmp_path_factory.mktemp("crash")


def first_and_last(points: list[str]) -> list[int]:
    """The numbers of the points to be killed at."""
    chosen = {points.index(label) for label in points}
    return sorted(chosen | {len(points) - 1 - points[::-1].index(label) for label in points})


@pytest.mark.slow
@pytest.mark.parametrize("name", WORKS)
def test_a_kill_anywhere_leaves_the_old_or_the_new_state(name: str, ask: Ask) -> None:
    whole = ask(name)
    points, old, new = whole["points"], whole["old"], whole["new"]
    for number in first_and_last(points):
        where = f"{name}, killed at {points[number]!r} ({number})"
        found = ask(name, number)
        assert found["killed"], f"{where}: {found['output']}"
        if WORKS[name].is_one_step:
            assert found["after"] in (old, new), where
        assert found["faults"] == [], where
        assert found["faults_again"] == [], where
        assert found["last"]["versions"] == new["versions"], where
        assert found["last"]["live"] == new["live"], where
        assert found["last"]["refs"] == new["refs"], where
        assert found["last"]["snapshots"] >= new["snapshots"], where


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_a_work_that_does_things_in_the_wrong_order_is_seen(name: str, ask: Ask) -> None:
    points = ask(name)["points"]
    assert any(ask(name, number)["faults"] for number in first_and_last(points))


@pytest.mark.slow
def test_the_matrix_has_its_points(ask: Ask) -> None:
    labels = {(name, label) for name in WORKS for label in ask(name)["points"]}
    assert len(labels) >= MIN_POINTS
