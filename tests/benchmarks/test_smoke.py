"""Both programs, run for moments on a tiny model: they must go on working as the server changes."""

import json
from pathlib import Path

import pytest

from benchmarks import planes, serve_load
from tests.inference.tiny import save_tiny

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
# Long enough for an answer even where other work holds the cores.
SHORT = ["--seconds", "1", "--rounds", "1"]


def test_serve_load_measures_three_sides_and_loses_nothing(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, out = save_tiny(data / "model"), data / "out.json"
    arguments = ["--model", str(model), "--json", str(out), "--no-limits", *SHORT]
    assert serve_load.main(arguments) == 0
    report = json.loads(out.read_bytes())
    by_name = {limit["name"]: limit["value"] for limit in report["limits"]}
    assert by_name["errors of the server"] == 0
    assert by_name["answers without an id"] == 0
    assert by_name["|rows - answers|"] == 0
    assert by_name["labels as in the bare forward pass"] == 1
    assert report["kept"]["n_answers"] > 200
    assert "the oracle:" in capsys.readouterr().out


def test_planes_measures_every_layer(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = save_tiny(data / "model"), data / "out.json"
    assert planes.main(["--model", str(model), "--json", str(out), *SHORT]) == 0
    report = json.loads(out.read_bytes())
    assert {cell["side"] for cell in report["layers"]} == {layer.title for layer in planes.LAYERS}
    assert "admin page, beside 32 predict / alone" in capsys.readouterr().out
