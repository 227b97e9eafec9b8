"""The real server as a process on a free port, with a home of its own; always ended by its id."""

import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.e2e import databases
from tests.e2e.zygote import Process, zygote

ROOT = Path(__file__).resolve().parents[2]
START_S = 120.0
STOP_S = 90.0
_ERROR = '"level": "error"'
_made: "weakref.WeakSet[Server]" = weakref.WeakSet()


class Server:
    """One `manage.py serve`; `environment` adds to or replaces what the process inherits.

    The home has its tables, or is a copy of that of the server `like`, which does not run. Its
    processes are forked with the large libraries loaded, unless they are to be `is_fresh`.
    """

    def __init__(
        self,
        home: Path,
        *arguments: str,
        like: "Server | None" = None,
        is_fresh: bool = False,
        **environment: str,
    ) -> None:
        if like is not None and not home.exists():
            shutil.copytree(like.home, home)
        self.home = home
        self._arguments = arguments
        self._environment = {
            **os.environ,
            "BELLWETHER_HOME": str(home),
            "BELLWETHER_PORT": "0",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **databases.create_for(home, like=like.home if like else None),
            **environment,
        }
        self.output: list[str] = []
        self.url = ""
        self._is_fresh = is_fresh
        self._process: subprocess.Popen[bytes] | Process | None = None
        self._reader = threading.Thread()
        _made.add(self)

    @property
    def environment(self) -> dict[str, str]:
        return dict(self._environment)

    def manage(self, *arguments: str, timeout_s: float = 120.0) -> str:
        """Run another management command on the same home and return what it printed."""
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = self._run(arguments, output.fileno(), errors.fileno())
            try:
                status = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
            output.seek(0)
            errors.seek(0)
            assert status == 0, errors.read()
            return output.read()

    def start(self) -> "Server":
        """Start the process and wait until it says where it answers."""
        read, write = os.pipe()
        try:
            self._process = self._run(("serve", *self._arguments), write, write)
        finally:
            os.close(write)
        lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, args=(read, lines), daemon=True)
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

    def _run(
        self, arguments: Sequence[str], out: int, error: int
    ) -> "subprocess.Popen[bytes] | Process":
        if not self._is_fresh:
            return zygote().start(list(arguments), self._environment, out, error)
        return subprocess.Popen(
            [sys.executable, "-u", "manage.py", *arguments],
            cwd=ROOT,
            env=self._environment,
            stdout=out,
            stderr=error,
        )

    def _read(self, output: int, lines: "queue.Queue[str | None]") -> None:
        with open(output, encoding="utf-8") as said:
            for line in said:
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


def show_errors(most: int = 5) -> str:
    """The last errors that each server logged, of those that tests still know."""
    said = [(server.url, [each for each in server.output if _ERROR in each]) for server in _made]
    return "\n".join(f"{url}\n{''.join(lines[-most:])}" for url, lines in said if lines)


def wait_until(condition: Any, timeout_s: float = 60.0) -> None:
    """Wait until `condition()` is true; fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
