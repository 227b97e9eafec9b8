"""The restore drill: a backup restored into an empty home must serve golden-passing traffic.

Everything is real and apart: a temporary home with a database of its own, `manage.py restore` and
`manage.py serve` as child processes, predictions over HTTP. Nothing of this registry is touched.
"""

import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError

from django.conf import settings

from registry import golden
from registry.backups.checking import load_snapshot
from registry.backups.restoring import fetch_rows
from registry.errors import DrillFailed
from registry.services import backups, operations
from registry.specs import OperationKind, RouteMode

log = logging.getLogger(__name__)

COMMAND_S = 3_600.0
START_S = 180.0
LOAD_S = 300.0
STOP_S = 40.0
REQUEST_S = 60.0
POLL_S = 0.25
AT_ONCE = 32
NAME = "drill"
OWN = "CommandError: "
SERVES_ON = "Bellwether serves on "
Say = Callable[[str], object]


def drill(
    location: str, snapshot: str | None = None, *, actor: str, say: Say = lambda text: None
) -> dict[str, Any]:
    """Restore a snapshot (the newest, unless named) elsewhere, serve it, and ask it.

    `location` is a configured target's name, or for commands a folder or URL. Every live version
    answers its golden inputs; one without any is only asked for an answer. Returns what was asked.
    Raises DrillFailed, SnapshotNotFound, BackupDamaged, TargetNotFound or TargetUnreachable.
    """
    target = backups.find_location(location)
    chosen = load_snapshot(target, snapshot)
    parameters = {"target": target.label, "snapshot": chosen.name}
    operation = operations.start(
        OperationKind.DRILL, f"Drill with {target.label}", actor=actor, parameters=parameters
    )
    with operations.running(operation) as watch:
        rows = fetch_rows(target, chosen)
        with _home(location) as (home, environ):
            started = time.monotonic()
            say(f"restoring {chosen.name} into an empty home")
            _manage(environ, "migrate", "-v", "0")
            _manage(environ, "restore", NAME, chosen.name)
            say("serving it")
            with _serving(home, environ) as url:
                asked = _ask_all(url, _read_key(home), rows, say)
            took_s = round(time.monotonic() - started, 1)
        watch.result = {"snapshot": chosen.name, "took_s": took_s, "models": asked}
    return watch.result


@contextmanager
def _home(location: str) -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty home and the environment of processes that live there."""
    place = settings.BELLWETHER_BACKUPS.get(location, location)
    if "://" not in place and not place.startswith("storage:"):
        place = str(Path(place).expanduser().resolve())
    home = Path(tempfile.mkdtemp(prefix="bellwether-drill-"))
    environ = {
        **os.environ,
        "BELLWETHER_HOME": str(home),
        "BELLWETHER_HOST": "127.0.0.1",
        "BELLWETHER_PORT": "0",
        "BELLWETHER_BACKUPS": f"{NAME}={place}",
        "BELLWETHER_BACKUP_EVERY": "0",
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    for name in ("DATABASE_URL_FILE", "REDIS_URL_FILE", "BELLWETHER_BACKUPS_FILE"):
        environ.pop(name, None)
    try:
        yield home, environ
    finally:
        for folder, _, _ in os.walk(home):
            os.chmod(folder, 0o700)
        shutil.rmtree(home, ignore_errors=True)


def _manage(environ: Mapping[str, str], *arguments: str) -> None:
    done = subprocess.run(  # noqa: S603 - our own program and arguments
        [sys.executable, "manage.py", *arguments],
        cwd=settings.BASE_DIR,
        env=dict(environ),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    if done.returncode:
        last = next(reversed(done.stderr.strip().splitlines()), "")
        log.warning("drill: manage.py %s ended: %s", arguments[0], done.stderr[-2000:])
        # Only our own sentences: a traceback may name paths.
        told = last.removeprefix(OWN) if last.startswith(OWN) else "the log says why"
        raise DrillFailed(f"{arguments[0]} failed in the empty home: {told[:300]}")


@contextmanager
def _serving(home: Path, environ: Mapping[str, str]) -> Iterator[str]:
    """The URL of a server on the restored home; ended afterwards."""
    output = home / "serve.log"
    with output.open("w") as sink:
        process = subprocess.Popen(
            [sys.executable, "-u", "manage.py", "serve", "--no-starter", "--no-worker"],
            cwd=settings.BASE_DIR,
            env=dict(environ),
            stdout=sink,
            stderr=subprocess.STDOUT,
        )
        try:
            yield _wait_for_url(process, output)
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for_url(process: "subprocess.Popen[bytes]", output: Path) -> str:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s and process.poll() is None:
        for line in output.read_text(errors="replace").splitlines():
            if line.startswith(SERVES_ON):
                return line.removeprefix(SERVES_ON).split()[0]
        time.sleep(POLL_S)
    log.warning("drill: the server did not start: %s", output.read_text(errors="replace")[-2000:])
    raise DrillFailed("the server did not start on the restored home: the log says why")


def _read_key(home: Path) -> str:
    return str(json.loads((home / "first-run.json").read_text())["api_key"])


def _ask_all(
    url: str, key: str, rows: Mapping[str, list[dict[str, Any]]], say: Say
) -> list[dict[str, Any]]:
    cases = {tuple(row["version"]): row for row in rows.get("golden", ())}
    tasks = {(row["model"], row["number"]): row["task"] for row in rows["versions"]}
    asked = []
    for route in rows["routes"]:
        version = tuple(route["version"])
        if route["mode"] != RouteMode.LIVE or route["position"]:
            continue
        found = cases.get(version)
        if tasks.get(version) != "text-classification":
            say(f"{version[0]} version {version[1]}: not asked, its task is {tasks.get(version)}")
            continue
        told = _ask(url, key, version, found)
        say(
            f"{told['model']} version {told['version']}: {told['n_cases']} golden answers as before"
        )
        asked.append(told)
    if not asked:
        raise DrillFailed("the snapshot has no live version to ask: promote one, and back up again")
    return asked


def _ask(
    url: str, key: str, version: tuple[Any, ...], row: dict[str, Any] | None
) -> dict[str, Any]:
    """Ask a live version its golden inputs, or without any for one answer."""
    name, number = version
    spec = golden.restore(row["cases"], row["tolerance"], row["is_given"]) if row else None
    cases = spec.cases if spec else (golden.GoldenCase("Is anybody there?", ""),)
    for at in range(0, len(cases), AT_ONCE):
        part = cases[at : at + AT_ONCE]
        answer = _predict(url, key, name, [case.input for case in part])
        if answer["version"] != number:
            raise DrillFailed(f"{name} answers with version {answer['version']}, not {number}")
        for case, one in zip(part, answer["predictions"], strict=True):
            scores = {entry["label"]: entry["score"] for entry in one["scores"]}
            wrong = spec and golden.compare(case, one["label"], scores, spec.tolerance)
            if wrong:
                raise DrillFailed(f"{name} version {number} does not answer as before: {wrong}")
    return {"model": name, "version": number, "n_cases": len(spec.cases) if spec else 0}


def _predict(url: str, key: str, model: str, inputs: list[str]) -> dict[str, Any]:
    """The answer, waited for while the version is being loaded."""
    body = json.dumps({"inputs": inputs, "parameters": {"top_k": None}}).encode()
    request = urllib.request.Request(  # noqa: S310 - an http URL of our own child
        f"{url}/api/v1/models/{model}/predict",
        data=body,
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    deadline_s = time.monotonic() + LOAD_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=REQUEST_S) as answer:  # noqa: S310
                found: dict[str, Any] = json.load(answer)
                return found
        except HTTPError as error:
            status, problem = error.code, error.read(2_000).decode(errors="replace")
        except (URLError, OSError) as error:
            status, problem = 503, str(error)
        if status != 503 or time.monotonic() > deadline_s:
            log.warning("drill: %s answered %d: %s", model, status, problem)
            raise DrillFailed(f"{model} answered {status} on the restored home")
        time.sleep(POLL_S)
