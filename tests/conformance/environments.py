"""The clients that the conformance tests run: one virtual environment for each pinned version.

`python -m tests.conformance.environments` makes them all, in `.venv-clients/`, from the pins of
`requirements/clients/`. One that is there already is kept until its pins change.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = ROOT / "requirements" / "clients"
FOLDER = ROOT / ".venv-clients"
VERSIONS = ("0.36.2", "1.19.0", "1.33.0", "2.4.0")
CLIENTS = {
    "hub": VERSIONS,
    "openai": ("2.54.0", "3.54.0"),
    "tritonclient": ("2.50.0", "2.73.0"),
}
INSTALL_S = 300


def is_wanted() -> bool:
    """Whether this run has asked for the clients: they take downloads, and minutes."""
    return bool(os.environ.get("BELLWETHER_CLIENTS") or os.environ.get("BELLWETHER_NO_SKIPS"))


def pins_of(version: str, client: str) -> Path:
    return PINS / f"{client}-{version}.txt"


def prepare(version: str, client: str = "hub") -> Path:
    """The folder of programs of the environment with this client, made if need be."""
    pins, name = pins_of(version, client), f"{client}-{version}"
    folder = FOLDER / name
    stamp = folder / "made-from"
    wanted = hashlib.sha256(pins.read_bytes() + sys.version.encode()).hexdigest()
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.is_file() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            _run("-m", "venv", "--without-pip", str(folder))
            options = ("--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes")
            python = folder / "bin" / "python"
            _run("-m", "pip", "--python", str(python), "install", *options, "-r", str(pins))
            stamp.write_text(wanted)
    return folder / "bin"


def _run(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=INSTALL_S
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    for client, versions in CLIENTS.items():
        for version in versions:
            print(prepare(version, client))
