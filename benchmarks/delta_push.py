"""What a stock client sends when a model that it has pushed before has changed a little.

    python -m benchmarks.delta_push

A model of random weights is pushed by `upload_folder` through a relay that counts bytes, then again
with 1 % of its weights changed, and again with rows appended: each push by a fresh process with the
same HF_HOME, as on one machine. README.md says what each figure means.
"""

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import numpy as np
from safetensors.numpy import load_file, save_file

from benchmarks import bellwether
from benchmarks.machine import Machine, describe, load_machine
from benchmarks.processes import ROOT, call, end_in_order_on_sigterm
from benchmarks.relay import Relay

MODEL = "bench/delta"
LIMIT = 0.05
ROW = 1024
PUSH = """
import sys
from huggingface_hub import HfApi, snapshot_download
api = HfApi()
api.create_repo(sys.argv[1], exist_ok=True)
commit = api.upload_folder(repo_id=sys.argv[1], folder_path=sys.argv[2])
if len(sys.argv) > 3:
    snapshot_download(sys.argv[1], revision=commit.oid, local_dir=sys.argv[3])
"""
Weights = dict[str, np.ndarray]


class Push(msgspec.Struct, frozen=True, kw_only=True):
    """One push: `n_bytes` of files in the folder, `n_sent` on the wire, headers included.

    `limit` is the largest share of the bytes that may be sent, None where all must be.
    """

    what: str
    n_bytes: int
    n_sent: int
    seconds: float
    limit: float | None

    @property
    def share(self) -> float:
        return self.n_sent / self.n_bytes

    @property
    def is_missed(self) -> bool:
        return self.limit is not None and self.share > self.limit


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one run measured; `client` is the version of each package that pushed."""

    benchmark: str
    machine: Machine
    client: dict[str, str]
    pushes: list[Push]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.delta_push", description=__doc__)
    parser.add_argument("--megabytes", type=int, default=24, help="size of the weights")
    parser.add_argument("--json", type=Path, help="file to write everything to")
    parser.add_argument("--no-limits", action="store_true", help="only print")
    options = parser.parse_args(arguments)
    if not 2 <= options.megabytes <= 4_000:
        parser.error("--megabytes: expected 2 to 4000")
    return options


def make_model(folder: Path, n_bytes: int) -> Path:
    """A folder that may be pushed: the starter's texts, random weights in two tensors."""
    shutil.copytree(ROOT / "starter" / "model", folder)
    draw = np.random.default_rng(0)
    n_rows = n_bytes // 4 // ROW
    sizes = {"embeddings.weight": n_rows // 2, "encoder.weight": n_rows - n_rows // 2}
    weights = {name: draw.normal(0, 0.02, (n, ROW)).astype(np.float32) for name, n in sizes.items()}
    save_file(weights, folder / "model.safetensors")
    return folder


def change_one_percent(weights: Weights) -> None:
    """New values for 1 % of the rows, in one place: a layer that was trained further."""
    rows = weights["encoder.weight"]
    n_rows = max(1, sum(map(len, weights.values())) // 100)
    at = len(rows) // 3
    rows[at : at + n_rows] += np.float32(0.01)


def append_rows(weights: Weights) -> None:
    """Further rows at the end, 1 % of them all: words that were added."""
    rows = weights["encoder.weight"]
    n_rows = max(1, sum(map(len, weights.values())) // 100)
    more = np.random.default_rng(1).normal(0, 0.02, (n_rows, ROW)).astype(np.float32)
    weights["encoder.weight"] = np.concatenate([rows, more])


def change_all(weights: Weights) -> None:
    """Another value everywhere: what training all layers does."""
    for name in weights:
        weights[name] = weights[name] + np.float32(0.001)


def change_nothing(weights: Weights) -> None:
    """The files are written anew, with the same bytes."""


CHANGES: tuple[tuple[str, Callable[[Weights], None], float | None], ...] = (
    ("first push", change_nothing, None),
    ("the same again", change_nothing, LIMIT),
    ("1 % of the weights changed", change_one_percent, LIMIT),
    ("1 % appended", append_rows, LIMIT),
    ("all of the weights changed", change_all, None),
)


def user_environment(root: Path, relay: Relay, key: str) -> dict[str, str]:
    """What every push of one user's machine has; nothing of the caller's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    return inherited | {
        "HF_HOME": str(root / "hf"),
        "HF_ENDPOINT": relay.url,
        "HF_TOKEN": key,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }


def push(
    what: str, folder: Path, relay: Relay, environ: dict[str, str], limit: float | None
) -> Push:
    """Push `folder` from a fresh process."""
    relay.reset()
    began = time.monotonic()
    call([sys.executable, "-c", PUSH, MODEL, str(folder)], environ=environ, timeout_s=600)
    seconds = time.monotonic() - began
    n_sent = relay.n_sent
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Push(what=what, n_bytes=size, n_sent=n_sent, seconds=round(seconds, 2), limit=limit)


def check_kept(folder: Path, root: Path, environ: dict[str, str]) -> None:
    """Read the last push back, and compare every byte; raises RuntimeError."""
    back = root / "back"
    command = [sys.executable, "-c", PUSH, MODEL, str(folder), str(back)]
    call(command, environ=environ, timeout_s=600)
    for path in folder.iterdir():
        if _sha256(path) != _sha256(back / path.name):
            raise RuntimeError(f"{path.name} came back with other bytes.")


def measure(root: Path, n_bytes: int) -> list[Push]:
    """Run the server, push the model and its changes, one after another."""
    home, folder = root / "home", make_model(root / "model", n_bytes)
    home.mkdir()
    # Only what has a live model gets ready.
    bellwether.prepare(home, ROOT / "starter" / "model")
    pushes = []
    with bellwether.serving(home) as server, Relay(("127.0.0.1", server.port)) as relay:
        environ = user_environment(root, relay, server.key)
        for what, change, limit in CHANGES:
            weights = load_file(folder / "model.safetensors")
            change(weights)
            save_file(weights, folder / "model.safetensors")
            pushes.append(push(what, folder, relay, environ, limit))
        check_kept(folder, root, environ)
    return pushes


def show(report: Report) -> list[str]:
    lines = [*describe(report.machine), ""]
    lines.append("client: " + ", ".join(f"{name} {v}" for name, v in report.client.items()))
    lines += ["", f"{'push':30}{'bytes':>12}{'sent':>12}{'sent/bytes':>12}{'s':>8}"]
    for each in report.pushes:
        row = f"{each.what:30}{each.n_bytes:12,}{each.n_sent:12,}"
        lines.append(f"{row}{each.share:12.2%}{each.seconds:8.2f}")
    return lines


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    end_in_order_on_sigterm()
    machine = load_machine()
    with tempfile.TemporaryDirectory(prefix="delta-push-") as folder:
        pushes = measure(Path(folder), options.megabytes * 1_000_000)
    report = Report(
        benchmark="delta_push",
        machine=machine,
        client={name: importlib.metadata.version(name) for name in ("huggingface_hub", "hf-xet")},
        pushes=pushes,
    )
    print("\n".join(show(report)))
    if options.json:
        options.json.write_text(json.dumps(msgspec.to_builtins(report), indent=1) + "\n")
    missed = [each.what for each in pushes if each.is_missed]
    for what in missed:
        print(f"MISSED: {what}: over {LIMIT:.0%} of the bytes were sent")
    return 1 if missed and not options.no_limits else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
