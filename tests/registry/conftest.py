from collections.abc import Callable
from pathlib import Path

import pytest

from registry import queries, services
from registry.specs import VersionSpec
from registry.store import Store
from tests.registry.builders import build_model_dir

Register = Callable[..., VersionSpec]


@pytest.fixture(autouse=True)
def home(tmp_path, settings) -> Path:
    """Every test has an artifact store of its own, and no labels remembered from another."""
    settings.BELLWETHER_HOME = tmp_path / "home"
    queries._labels.cache_clear()
    return settings.BELLWETHER_HOME


@pytest.fixture
def store(home) -> Store:
    return Store(home / "artifacts")


@pytest.fixture
def model_dir(tmp_path) -> Path:
    return build_model_dir(tmp_path / "model")


@pytest.fixture
def register(tmp_path, db) -> Register:
    """register(seed) makes another version of team/tiny and returns its spec."""

    def register(seed: int = 0, name: str = "team/tiny", **options) -> VersionSpec:
        folder = build_model_dir(tmp_path / f"model-{seed}", seed=seed)
        return services.register_directory(folder, name, actor="alice", **options)

    return register
