"""A service for the demo: the one that answers already, or one of its own."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from config.demo.service import DemoError

START_S = 300.0
STOP_S = 60.0
PROBE_S = 3.0
POLL_S = 0.2
KEY = "BELLWETHER_API_KEY"
FIRST_RUN = "first-run.json"
_SAYS = "Bellwether serves on "


@dataclass(frozen=True, slots=True)
class Running:
    """Where a service answers; `pid` and `log` are of one that the demo started."""

    url: str
    pid: int | None = None
    log: Path | None = None


def answers(url: str) -> bool:
    """Whether a Bellwether answers at `url`; another server there is an error of its own."""
    try:
        answer = httpx2.get(f"{url}/health/live", timeout=PROBE_S, trust_env=False)
    except httpx2.HTTPError:
        return False
    if answer.status_code != 200:
        raise DemoError(
            f"Something else answers at {url} ({answer.status_code} for /health/live). "
            "Set BELLWETHER_PORT to a free port."
        )
    return True


@contextmanager
def started(
    manage: Path, home: Path, *, keep: bool, tell: Callable[[str], object]
) -> Iterator[Running]:
    """Run `manage.py serve` beside this process until the block ends, or for good with `keep`."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / "demo-serve.log"
    tell(f"starting the service (its log: {log})")
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-u", str(manage), "serve"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # Ctrl+C is for the demo, which ends its service itself.
            start_new_session=True,
        )
    is_up = False
    try:
        url = _wait_until_up(process, log)
        is_up = True
        yield Running(url, process.pid, log)
    finally:
        if not (keep and is_up):
            _end(process)


def get_key(home: Path) -> str:
    """The key to use: the environment's, or the first run's. Raises DemoError without one."""
    if key := os.environ.get(KEY, ""):
        return key
    try:
        return str(json.loads((home / FIRST_RUN).read_text())["api_key"])
    except (OSError, ValueError, KeyError) as error:
        raise DemoError(
            f"There is no key in {home / FIRST_RUN}. Name one with the scope admin by {KEY}."
        ) from error


def get_sign_in(home: Path) -> str:
    """How to sign in to the dashboard, as far as this home knows. No password is shown."""
    try:
        user = json.loads((home / FIRST_RUN).read_text())["admin_user"]
    except (OSError, ValueError, KeyError):
        return "with an account of that service"
    return f"as {user}, with admin_password from {home / FIRST_RUN}"


def _wait_until_up(process: "subprocess.Popen[bytes]", log: Path) -> str:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline:
        if url := _said(log):
            return url
        if process.poll() is not None:
            raise DemoError(f"The service did not start. Its log ends so:\n{_tail(log)}")
        time.sleep(POLL_S)
    raise DemoError(f"The service is not up after {START_S:.0f} s; its log is {log}.")


def _said(log: Path) -> str | None:
    lines = log.read_text(errors="replace").splitlines()
    return next((line.split()[3] for line in lines if line.startswith(_SAYS)), None)


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-12:])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the service as Ctrl+C would: running requests finish, predictions reach the database."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
