"""The demo's own model, so that nobody's data is touched: files, reference, hurried monitors."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from config.demo.script import Script, monitor_changes, reference
from config.demo.service import MODEL, DemoError, Json, Service, wait_until

PATH = f"/api/v1/models/{MODEL}"
NOTE = "Bellwether's demo"
LOAD_S = 60.0
REFERENCE_S = 120.0
MONITORS_S = 60.0
# Statistics of other texts than the demo's.
_LEFT_OUT = "reference."
Tell = Callable[[str], object]


def prepare(service: Service, script: Script, files: Path, *, seed: int, tell: Tell) -> None:
    """Make all that the play needs, or find it there from an earlier one. Raises DemoError."""
    _ensure_version(service, files, tell)
    reference = _ensure_reference(service, script, seed, tell)
    wanted = monitor_changes(script)
    tell("waiting for its monitors")
    monitors: dict[str, Json] = wait_until(
        lambda: _all_of(service, set(wanted)),
        "the model still has no monitors. They are made by the worker: does one run?",
        longest_s=MONITORS_S,
    )
    for name, change in wanted.items():
        service.ask("PATCH", f"/api/v1/monitors/{monitors[name]['id']}", json=change)
    if reference is not None:
        tell(f"running {script.n_reference} reference texts through it")
        wait_until(
            lambda: _is_ready(service, reference),
            "the reference is not ready",
            longest_s=REFERENCE_S,
        )


def _ensure_version(service: Service, files: Path, tell: Tell) -> None:
    """A live version of `files`, alone under the demo's name."""
    if service.find(PATH) is None:
        tell(f"uploading a copy of the starter model as {MODEL}")
        service.ask(
            "PUT", f"{PATH}/archive", params={"note": NOTE}, content=_archive(files), timeout=300
        )
    versions = service.ask("GET", f"{PATH}/versions")["results"]
    if len(versions) != 1 or not _is_same(service, files):
        raise DemoError(
            f"{MODEL} is there already, with other files than the demo's. "
            "Remove it with `manage.py demo --wipe`, and start again."
        )
    if not versions[0]["is_live"]:
        tell("promoting it")
        service.ask("POST", f"{PATH}/versions/1/promote", json={"reason": NOTE})
    wait_until(lambda: _is_loaded(service), f"{MODEL} is not loaded", longest_s=LOAD_S)


def _is_same(service: Service, files: Path) -> bool:
    version = service.find(f"{PATH}/versions/1")
    if version is None:
        return False
    here = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in _files(files)}
    return here == {each["path"]: each["sha256"] for each in version["files"]}


def _is_loaded(service: Service) -> bool:
    return bool(service.ask("GET", f"{PATH}/deployment")["converged"])


def _ensure_reference(service: Service, script: Script, seed: int, tell: Tell) -> int | None:
    """The id of a reference in the making; None where an earlier play's is in use."""
    rows = service.ask("GET", f"{PATH}/references")["results"]
    mine = [row for row in rows if row["is_active"] and row["note"] == NOTE]
    if mine and mine[0]["n_wanted"] == script.n_reference:
        return None
    tell("making a reference of reviews with labels")
    body = {"rows": reference(script.n_reference, seed), "note": NOTE}
    return int(service.ask("POST", f"{PATH}/references", json=body)["id"])


def _is_ready(service: Service, reference: int) -> bool:
    row = service.ask("GET", f"{PATH}/references/{reference}")
    if row["state"] in ("failed", "cancelled"):
        raise DemoError(f"The reference was not made: {row['error'] or row['state']}.")
    return bool(row["is_active"])


def _all_of(service: Service, names: set[str]) -> dict[str, Json] | None:
    found = service.monitors()
    return found if names <= set(found) else None


def _files(folder: Path) -> list[Path]:
    return [each for each in sorted(folder.iterdir()) if not each.name.startswith(_LEFT_OUT)]


def _archive(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for path in _files(folder):
            tar.add(path, path.name)
    return packed.getvalue()
