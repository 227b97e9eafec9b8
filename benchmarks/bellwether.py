"""The real server as a process: a home of its own, one registered model, keys and recording on."""

import http.client
import json
import os
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.processes import answers, call, python, running, tail

MODEL = "bench/model"
PREDICT = f"/api/v1/models/{MODEL}/predict"
# What shapes the forward pass may be tried out from outside; the rest of a run is fixed.
PASSED_ON = (
    "BELLWETHER_DEVICE",
    "BELLWETHER_DTYPE",
    "BELLWETHER_LANES",
    "BELLWETHER_MAX_BATCH",
    "BELLWETHER_MAX_BATCH_TOKENS",
)
# Requests are counted against a rate, as always, but against one that nobody reaches here.
RATE = "10000000/minute"
KEEP_S = 30.0
_ADDRESS = re.compile(r"serves on http://127\.0\.0\.1:(\d+)")
_FORM_TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `pid` is the web process, its worker is a child of it."""

    pid: int
    port: int
    home: Path
    key: str
    admin_user: str
    admin_password: str


def environment(home: Path) -> dict[str, str]:
    """Return the variables of a fresh installation in `home`, whatever is set outside."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in PASSED_ON
        or not name.startswith(("BELLWETHER_", "DATABASE_URL", "REDIS_URL", "DJANGO_"))
    }
    return kept | {
        "BELLWETHER_HOME": str(home),
        "BELLWETHER_HOST": "127.0.0.1",
        "BELLWETHER_PORT": "0",
        "BELLWETHER_RATE_LIMIT": RATE,
        "BELLWETHER_LOG_FORMAT": "json",
        "HF_HUB_OFFLINE": "1",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }


def prepare(home: Path, model: Path) -> None:
    """Make the database in `home`, and `model` its one live version."""
    environ = environment(home)
    call(python("manage.py", "migrate", "--verbosity", "0"), environ=environ, timeout_s=120)
    call(
        python("manage.py", "register", str(model), MODEL, "--promote"),
        environ=environ,
        timeout_s=120,
    )


@contextmanager
def serving(home: Path, **settings: str) -> Iterator[Server]:
    """Run `manage.py serve` with these settings in a prepared `home` until the block ends."""
    log = home / "serve.log"

    def is_ready() -> bool:
        found = _ADDRESS.search(tail(log, 1_000_000))
        return found is not None and answers(int(found[1]), "/health/ready")

    command = python("manage.py", "serve", "--no-starter")
    environ = environment(home) | settings
    with running(command, environ=environ, log=log, is_ready=is_ready) as process:
        found = _ADDRESS.search(tail(log, 1_000_000))
        assert found is not None
        first_run = json.loads((home / "first-run.json").read_text())
        yield Server(
            process.pid,
            int(found[1]),
            home,
            first_run["api_key"],
            first_run["admin_user"],
            first_run["admin_password"],
        )


def get_headers(server: Server) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.key}"}


def predict_stages(server: Server, texts: list[str]) -> tuple[int, list[dict[str, float]]]:
    """Send `texts` one after another; return the answers' count and the server's own timings, in
    milliseconds.
    """
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Type": "application/json", **get_headers(server)}
    stages: list[dict[str, float]] = []
    try:
        for text in texts:
            connection.request("POST", PREDICT, json.dumps({"inputs": text}), headers)
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status == 200:
                stages.append(answer["timing_ms"])
    finally:
        connection.close()
    return len(stages), stages


def log_in(server: Server) -> str:
    """Log into the admin through its form; return the Cookie header. Raises RuntimeError."""
    path = "/admin/login/?next=/admin/"
    page, cookies, _ = _exchange(server, "GET", path, "", {})
    token = _FORM_TOKEN.search(page)
    if token is None:
        raise RuntimeError("The admin's login form has no token.")
    form = {
        "csrfmiddlewaretoken": token[1],
        "username": server.admin_user,
        "password": server.admin_password,
        "next": "/admin/",
    }
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Cookie": cookies}
    _, session, status = _exchange(server, "POST", path, urlencode(form), headers)
    if status != 302 or "sessionid=" not in session:
        raise RuntimeError(f"The admin did not let the first account in (status {status}).")
    return session


def _exchange(
    server: Server, method: str, path: str, body: str, headers: dict[str, str]
) -> tuple[str, str, int]:
    """Return the page, its cookies as a Cookie header, and the status."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        pairs = [value.partition(";")[0] for value in response.headers.get_all("Set-Cookie", [])]
        return response.read().decode(), "; ".join(pairs), response.status
    finally:
        connection.close()


def wait_for_rows(home: Path, n: int) -> int:
    """Return how many predictions the database of `home` holds: at once when there are `n` or
    more, at the latest after KEEP_S.
    """
    until = time.monotonic() + KEEP_S
    while True:
        rows = _count_rows(home)
        if rows >= n or time.monotonic() > until:
            return rows
        time.sleep(0.1)


def _count_rows(home: Path) -> int:
    uri = f"file:{home / 'bellwether.sqlite3'}?mode=ro"
    connection = sqlite3.connect(uri, uri=True, timeout=20)
    try:
        (n,) = connection.execute("SELECT count(*) FROM monitoring_prediction").fetchone()
        return int(n)
    finally:
        connection.close()
