"""The program, run on a small model: the whole way, though its limits are for larger ones."""

import json
from pathlib import Path

import pytest

from benchmarks import delta_push

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_a_changed_model_is_pushed_with_fewer_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    assert delta_push.main(["--megabytes", "4", "--json", str(out), "--no-limits"]) == 0
    report = json.loads(out.read_bytes())
    first, same, changed, appended, everything = (row["n_sent"] for row in report["pushes"])
    assert first > 3_500_000
    assert same < 50_000
    assert changed < first / 4
    assert appended < first / 4
    assert everything > 3_000_000
    assert set(report["client"]) == {"huggingface_hub", "hf-xet"}
    assert "all of the weights changed" in capsys.readouterr().out
