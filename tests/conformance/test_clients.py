"""Stock clients of four generations, as they come from the package index, do everything they do."""

import json
from pathlib import Path

import pytest

from tests.conformance import environments
from tests.conformance.conftest import Machine, write_weights

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.skipif(
        not environments.is_wanted(),
        reason="BELLWETHER_CLIENTS=1 downloads four clients and runs them, in two minutes",
    ),
]
NO_XET = {"HF_HUB_DISABLE_XET": "1"}
# Up to 1.19 the server's answer chooses the way; later ones go by Xet unless they are told not to.
WAYS = [
    ("0.36.2", {}, "_lfs"),
    ("1.19.0", {}, "_lfs"),
    ("1.33.0", {}, "_cas"),
    ("1.33.0", NO_XET, "_lfs"),
    ("2.4.0", {}, "_cas"),
    ("2.4.0", NO_XET, "_lfs"),
]


def name_of(version: str, way: str) -> str:
    return f"team/{way.strip('_')}-{version}"


@pytest.mark.parametrize(("version", "settings", "way"), WAYS)
def test_a_client_does_all_it_can_do(machine, folders, version, settings, way):
    given = {
        **folders,
        "model": name_of(version, way),
        "scratch": str(machine.root),
        "bad_token": "hf_nobody.knows-this-one",
    }
    output = machine.script(version, "client_script.py", given, **settings)
    assert f"huggingface_hub {version}\n" in output
    assert output.count("passed ") >= 27
    other = {"_lfs": "_cas", "_cas": "_lfs"}[way]
    assert machine.requests(f"/{way}/")
    assert not machine.requests(f"/{other}/")
    assert not [row for row in machine.requests("") if row["status"] >= 500]


@pytest.mark.parametrize(
    ("version", "settings", "n_puts"), [("0.36.2", {}, 3), ("2.4.0", NO_XET, 3), ("2.4.0", {}, 0)]
)
def test_a_large_file_goes_up_in_parts(machine, tmp_path, version, settings, n_puts):
    """70 MB: three parts by LFS, two xorbs by Xet."""
    file = write_weights(tmp_path / "model.safetensors", 70_000_000)
    given = {"model": f"team/large-{version}-{n_puts}", "file": str(file), "tries": 1}
    machine.script(version, "file_script.py", given, **settings)
    puts = [row for row in machine.requests("/_lfs/") if row["method"] == "PUT"]
    assert len(puts) == n_puts
    assert len(machine.requests("/v1/xorbs/")) == (0 if n_puts else 2)


def hf(machine: Machine, version: str, *arguments: str) -> str:
    return machine.run(environments.prepare(version) / "hf", *arguments)


@pytest.mark.parametrize("version", ["0.36.2", "2.4.0"])
def test_the_command_line_pushes_and_pulls(machine, folders, version):
    model = f"team/cli-{version}"
    assert "first-run" in hf(machine, version, "auth", "whoami")
    assert model in hf(machine, version, "upload", model, folders["first"], ".")
    repo = "repo" if version.startswith("0") else "repos"
    hf(machine, version, repo, "tag", "create", model, "v1")
    for path in sorted(Path(folders["first"]).iterdir()):
        target = machine.root / "pulled"
        hf(machine, version, "download", model, path.name, "--local-dir", str(target))
        assert (target / path.name).read_bytes() == path.read_bytes()


def test_the_command_line_verifies_what_it_has(machine, folders):
    model = "team/verified"
    hf(machine, "2.4.0", "upload", model, folders["first"], ".")
    snapshot = hf(machine, "2.4.0", "download", model, "--quiet").split()[-1].removeprefix("path=")
    assert "checked" in hf(machine, "2.4.0", "cache", "verify", model)
    config = Path(snapshot, "config.json")
    assert json.loads(config.read_text())
    blob = config.resolve()
    blob.chmod(0o644)
    blob.write_bytes(blob.read_bytes().replace(b"bert", b"bart"))
    failed = machine.start(environments.prepare("2.4.0") / "hf", "cache", "verify", model)
    output, _ = failed.communicate(timeout=60)
    assert failed.returncode != 0
    assert "config.json" in output
