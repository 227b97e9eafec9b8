"""One real server for all clients; every case is a fresh process with a home of its own."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.conformance import environments
from tests.e2e import databases
from tests.e2e.server import Server
from tests.inference.tiny import save_tiny

HERE = Path(__file__).parent
CASE_S = 150
# Nothing of these may reach a client: it must work with its endpoint, key and home alone.
FOREIGN = (
    "HF_",
    "BELLWETHER_",
    "DJANGO_",
    "PYTHON",
    "VIRTUAL_ENV",
    "DATABASE_URL",
)
QUIET = {
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server without models of its own."""
    home = tmp_path_factory.mktemp("conformance") / "home"
    running = Server(home, "--no-starter").start()
    try:
        yield running
    finally:
        running.stop()
        databases.drop_for(home)


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two versions of a small real model."""
    root = tmp_path_factory.mktemp("folders")
    names = ("first", "second")
    return {name: str(save_tiny(root / name, seed=seed)) for seed, name in enumerate(names)}


@pytest.fixture
def machine(server: Server, tmp_path: Path) -> "Machine":
    """A machine of a user who knows the server's address and a key."""
    return Machine(server, tmp_path)


class Machine:
    """Where clients run: programs started here share one HF_HOME."""

    def __init__(self, server: Server, root: Path) -> None:
        self.server, self.root = server, root
        self.home = root / "hf"
        self._n_lines = len(server.output)

    def start(
        self, program: Path | str, *arguments: str, url: str = "", **environment: str
    ) -> "subprocess.Popen[str]":
        """Start a program as this machine's user would."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        return subprocess.Popen(
            [str(program), *arguments],
            cwd=self.root,
            env={
                **inherited,
                **QUIET,
                "HF_HOME": str(self.home),
                "HF_ENDPOINT": url or self.server.url,
                "HF_TOKEN": self.server.first_run["api_key"],
                **environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, program: Path | str, *arguments: str, **options: str) -> str:
        """Run a program to its end, which must be a good one, and return what it printed."""
        return finish(self.start(program, *arguments, **options))

    def script(self, version: str, name: str, given: dict[str, Any], **options: str) -> str:
        """Run one of the scripts beside this file with the client of this version."""
        python = environments.prepare(version) / "python"
        return self.run(python, str(HERE / name), json.dumps(given), **options)

    def requests(self, part: str) -> list[dict[str, Any]]:
        """The requests since this machine was made whose path has `part` in it."""
        lines = [line for line in self.server.output[self._n_lines :] if '"path"' in line]
        return [line for line in map(json.loads, lines) if part in line["path"]]


def finish(process: "subprocess.Popen[str]") -> str:
    """What a process printed; it must end well, and in time."""
    try:
        output, _ = process.communicate(timeout=CASE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        raise AssertionError(f"it did not end in {CASE_S} s:\n{output}") from None
    assert process.returncode == 0, output
    return output


def write_weights(path: Path, n_bytes: int, *, seed: int = 0) -> Path:
    """A safetensors file of about `n_bytes` that no packing makes smaller."""
    draw = np.random.default_rng(seed)
    save_file({"weight": draw.integers(0, 256, n_bytes, np.uint8)}, path)
    return path
