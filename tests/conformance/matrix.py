"""Which client does what: every script with every pinned version, against one server.

`python -m tests.conformance.matrix` runs them all and writes docs/reference/clients.md anew.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.conformance import environments

HERE = Path(__file__).parent
PAGE = environments.ROOT / "docs" / "reference" / "clients.md"
CASE_S = 120
SCRIPTS = {
    "hub": ("huggingface_hub", "InferenceClient", "hub_inference_script.py"),
    "openai": ("openai", "OpenAI and AsyncOpenAI", "openai_script.py"),
    "tritonclient": ("tritonclient", "tritonclient.http", "triton_script.py"),
}
HEAD = """\
# Clients

Stock clients, from the package index, that have been seen working. `pass` means that the script
named did this with that version, against the real HTTP plane with a scripted classifier and
a tiny real model of every other task. Only what no model does when it is told to (a full queue,
a failure in the middle of a stream) is done by a scripted writer.
[How to use each](../how-to/use-your-client.md).

This page is made by `.venv/bin/python -m tests.conformance.matrix`, and the conformance tests
compare it with what they see.
"""
NAMES = {
    "embedder": "team/embedder",
    "similar": "team/similar",
    "ranker": "team/ranker",
    "filler": "team/filler",
    "tagger": "team/tagger",
    "reader": "team/reader",
    "writer": "team/writer",
    "rewriter": "team/rewriter",
    "summarizer": "team/summarizer",
    "translator": "team/translator",
}
Seen = Mapping[tuple[str, str], Mapping[str, bool]]


def steps(client: str) -> list[str]:
    """What the script of `client` does, in order."""
    text = (HERE / SCRIPTS[client][2]).read_text()
    return re.findall(r"^@step\ndef (\w+)", text, re.MULTILINE)


def run(client: str, version: str, url: str, home: Path) -> tuple[dict[str, bool], str]:
    """Run a client's script against `url`: what passed, and all that it printed."""
    given = {
        "url": url,
        "model": "team/model",
        **NAMES,
        "loading": "team/loading",
        "script": "team/script",
    }
    done = subprocess.run(
        [
            environments.prepare(version, client) / "python",
            "-W",
            "ignore",
            str(HERE / SCRIPTS[client][2]),
            json.dumps(given),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=CASE_S,
        env=_environment(home),
        cwd=home,
    )
    passed = re.findall(r"^passed (\w+)$", done.stdout, re.MULTILINE)
    return {step: step in passed for step in steps(client)}, done.stdout


def render(seen: Seen) -> str:
    """Return docs/reference/clients.md, made from what was seen."""
    lines = [HEAD]
    for client, (package, what, script) in SCRIPTS.items():
        versions = environments.CLIENTS[client]
        lines += [
            f"## {package}",
            "",
            f"`{what}`, by [{script}](../../tests/conformance/{script}).",
            "",
            f"| what | {' | '.join(versions)} |",
            f"| --- |{' --- |' * len(versions)}",
        ]
        for step in steps(client):
            cells = ["pass" if seen[client, version][step] else "fails" for version in versions]
            lines.append(f"| {step.replace('_', ' ')} | {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def run_sample(sample: str, url: str, key: str, home: Path) -> str:
    """Run one sample of docs/how-to/use-your-client.md with the newest client that it imports."""
    client = next(c for c, (package, *_) in SCRIPTS.items() if re.search(rf"\b{package}\b", sample))
    for shown, real in (
        ("http://127.0.0.1:8000", url),
        ("127.0.0.1:8000", url.removeprefix("http://")),
        ("KEY", key),
    ):
        sample = sample.replace(shown, real)
    python = environments.prepare(environments.CLIENTS[client][-1], client) / "python"
    done = subprocess.run(
        [python, "-W", "ignore", "-c", sample],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=CASE_S,
        env=_environment(home),
        cwd=home,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def _environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    return kept | {"HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}


@contextmanager
def a_server(folder: Path) -> Iterator[str]:
    """The plane with a scripted classifier, a tiny real model of every other task, and a model that
    is known and not loaded.
    """
    from tests.conformance.models import make_models
    from tests.inference.conftest import a_plane, behind_socket

    with a_plane(others=make_models(folder, NAMES)) as plane, behind_socket(plane) as url:
        # Without a route: nothing of it is loaded.
        plane.registry.route(model="team/loading")
        plane.reconciler.start()
        try:
            yield url
        finally:
            plane.reconciler.stop()


def main() -> None:
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "home"
        home.mkdir()
        with a_server(Path(folder) / "model") as url:
            for client, versions in environments.CLIENTS.items():
                for version in versions:
                    seen[client, version], said = run(client, version, url, home)
                    print(said)
    PAGE.write_text(render(seen))


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    django.setup()
    main()
