"""The real server as a process on a free port, with a home of its own; always ended by its id."""

import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from tests.e2e import databases

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
STOP_S = 40.0


class Server:
    """One `manage.py serve`; `environment` adds to or replaces what the process inherits."""

    def __init__(self, home: Path, *arguments: str, **environment: str) -> None:
        self.home = home
        self._arguments = arguments
        self._environment = {
            **os.environ,
            "BELLWETHER_HOME": str(home),
            "BELLWETHER_PORT": "0",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **databases.create_for(home),
            **environment,
        }
        self.output: list[str] = []
        self.url = ""
        self._process: subprocess.Popen[str] | None = None
        self._reader = threading.Thread()

    def manage(self, *arguments: str) -> str:
        """Run another management command on the same home and return what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> "Server":
        """Start the process and wait until it says where it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-u", "manage.py", "serve", *self._arguments],
            cwd=ROOT,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(self._process, lines), daemon=True)
        self._reader.start()
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline:
            line = lines.get(timeout=START_S)
            if line is None:
                break
            if line.startswith("Bellwether serves on "):
                self.url = line.split()[3]
                return self
        raise AssertionError("the server did not start:\n" + "".join(self.output))

    def _read(self, process: "subprocess.Popen[str]", lines: "queue.Queue[str | None]") -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self.output.append(line)
                lines.put(line)
        lines.put(None)

    @property
    def first_run(self) -> dict[str, Any]:
        return json.loads((self.home / "first-run.json").read_text())

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.first_run['api_key']}"}

    def client(self, **options: Any) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=self.headers, timeout=30, **options)

    def async_client(self, **options: Any) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=self.url, headers=self.headers, timeout=60, **options)

    def kill(self) -> None:
        """kill -9: nothing of the process's own gets to run any more."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(STOP_S)
        self._reader.join(STOP_S)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask the process to end and return its exit status."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            status = self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        self._reader.join(STOP_S)
        return status


def wait_until(condition: Any, timeout_s: float = 15.0) -> None:
    """Wait until `condition()` is true; fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
