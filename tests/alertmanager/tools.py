"""Real Prometheus and Alertmanager as child processes on free ports; always ended by their ids."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
START_S = 20.0
STOP_S = 10.0


def need(*commands: str) -> None:
    """Skip where a command is not installed."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """The first true answer of `condition`; fails after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not become true in time"
        time.sleep(0.05)
    return found


class Daemon:
    """One process that answers over HTTP on a port of its own, which it keeps over restarts."""

    def __init__(self, home: Path, command: list[str], ready: str, port: int) -> None:
        self.home, self.url = home, f"http://127.0.0.1:{port}"
        self._command, self._ready = command, ready
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, cwd=self.home)
        wait_until(self._is_ready, START_S)

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(STOP_S)

    def get(self, path: str, **params: str) -> Any:
        answer = httpx.get(self.url + path, params=params, timeout=5)
        answer.raise_for_status()
        return answer.json()

    def _is_ready(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.home / "log").read_text()
        try:
            return httpx.get(self.url + self._ready, timeout=1).status_code == 200
        except httpx.HTTPError:
            return False


class Alertmanager(Daemon):
    """Routes everything to one webhook, quickly."""

    def __init__(self, home: Path, hook_url: str) -> None:
        port = free_port()
        config = {
            "route": {
                "receiver": "people",
                "group_by": ["alertname", "model", "version", "severity"],
                "group_wait": "200ms",
                "group_interval": "500ms",
                "repeat_interval": "1h",
            },
            "receivers": [{"name": "people", "webhook_configs": [{"url": hook_url}]}],
        }
        # JSON is YAML, too.
        (home / "alertmanager.yml").write_text(json.dumps(config))
        command = [
            "prometheus-alertmanager",
            f"--config.file={home / 'alertmanager.yml'}",
            f"--storage.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        super().__init__(home, command, "/-/ready", port)

    def alerts(self, *, active: bool = True) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/v2/alerts")
        return [each for each in found if (each["status"]["state"] == "active") == active]


class Prometheus(Daemon):
    """Scrapes one server and evaluates the shipped rules every second."""

    def __init__(self, home: Path, target: str, key: str, alertmanager: str) -> None:
        port = free_port()
        (home / "key").write_text(key)
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(RULES / "rules.yml")],
            "scrape_configs": [
                {
                    "job_name": "bellwether",
                    "authorization": {"credentials_file": str(home / "key")},
                    "static_configs": [{"targets": [target]}],
                }
            ],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        }
        (home / "prometheus.yml").write_text(json.dumps(config))
        command = [
            "prometheus",
            f"--config.file={home / 'prometheus.yml'}",
            f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        super().__init__(home, command, "/-/ready", port)

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["data"]["result"]
        return found
