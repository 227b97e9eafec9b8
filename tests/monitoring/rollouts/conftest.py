"""Two registered versions of a model, and traffic of theirs as the writer would have kept it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import numpy as np
import pytest

from inference.journal import ORIGIN, Position
from inference.records import FAILED
from monitoring.keeping import keep, load_position
from registry import queries, services
from tests.monitoring.builders import make_record, uuid7
from tests.registry.builders import build_model_dir

MODEL = "team/tiny"
LABELS = ("NEGATIVE", "POSITIVE")
JOURNAL = UUID(int=7)

Traffic = Callable[..., None]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings) -> Path:
    settings.BELLWETHER_HOME = tmp_path / "home"
    queries._labels.cache_clear()
    return settings.BELLWETHER_HOME


@pytest.fixture
def model(tmp_path: Path, db) -> str:
    """A model whose version 1 is live and whose version 2 is not."""
    for seed in (1, 2):
        folder = build_model_dir(tmp_path / f"model-{seed}", seed=seed)
        services.register_directory(folder, MODEL, actor="alice")
    services.promote(MODEL, 1, actor="alice")
    return MODEL


@pytest.fixture
def traffic(model: str) -> Traffic:
    """traffic(version, n, at): answers spread over the minute before `at`."""
    rng = np.random.default_rng(11)

    def send(
        version: int,
        n: int,
        at: datetime,
        *,
        failing: float = 0.0,
        seconds: float = 0.005,
        positive: float = 0.5,
    ) -> None:
        records = []
        for i in range(n):
            moment = (at - timedelta(seconds=60 * (i + 1) / (n + 1))).timestamp()
            fields = {"version": version, "model": model, "id": uuid7(moment), "at": moment}
            if rng.random() < failing:
                records.append(
                    make_record(**fields, route=FAILED, label="lane_failed", text=None, scores={})
                )
                continue
            label = LABELS[int(rng.random() < positive)]
            score = float(rng.uniform(0.6, 0.99))
            other = LABELS[label == LABELS[0]]
            records.append(
                make_record(
                    **fields,
                    label=label,
                    score=score,
                    scores={label: score, other: 1 - score},
                    total_s=float(seconds * rng.lognormal(0, 0.3)),
                    embedding=np.ones(4, np.float16).tobytes(),
                )
            )
        start = load_position(JOURNAL)
        end = Position(start.segment, start.offset + max(1, n))
        keep(JOURNAL, start if start != ORIGIN else ORIGIN, end, records)

    return send
