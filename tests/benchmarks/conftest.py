import gzip
import json
from pathlib import Path

import pytest

from starter.corpus import DATA_VARIABLE, DEV


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with 30 labelled texts, named in the environment."""
    path = tmp_path / DEV
    path.parent.mkdir()
    with gzip.open(path, "wt") as lines:
        for n in range(30):
            lines.write(json.dumps({"text": f"text {n} is long", "label": n % 2}) + "\n")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    return tmp_path
