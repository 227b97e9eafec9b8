"""The home page's benchmark, run for moments: it must go on working as the page changes."""

import json
from pathlib import Path

import pytest

from benchmarks import home_page

pytestmark = pytest.mark.slow


def test_the_page_is_read_over_few_and_many_models(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    few = ["--n", "2e3", "--pages", "3", "--evaluations", "2"]
    assert home_page.main([*few, "--json", str(out), "--no-limits"]) == 0
    readings = json.loads(out.read_bytes())["databases"][0]["readings"]
    assert [(row["what"], row["n_models"]) for row in readings] == [
        ("page", 10),
        ("refresh", 10),
        ("page", 50),
        ("refresh", 50),
    ]
    assert "queries that more models add to the page: 0.000" in capsys.readouterr().out
