from pathlib import Path

import pytest

from registry.services import promote, register_directory
from tests.registry.builders import build_model_dir

MODEL = "team/model"


@pytest.fixture
def home(tmp_path, settings, db) -> Path:
    """A home whose registry has a live version of team/model."""
    settings.BELLWETHER_HOME = tmp_path / "home"
    register_directory(build_model_dir(tmp_path / "model"), MODEL, actor="a")
    promote(MODEL, 1, actor="a")
    return settings.BELLWETHER_HOME
