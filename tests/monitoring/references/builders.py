"""Answers and files to make references of."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from inference.records import PredictionRecord
from monitoring.references.readers import Row
from monitoring.references.work import Pass, Texts
from tests.monitoring.builders import LABELS, MODEL, NOW, make_record

N = 240
SIZE = 6
LATER = NOW + timedelta(minutes=5)


def texts(n: int = N, labels: Sequence[str | None] = LABELS) -> list[Row]:
    return [Row(f"the text number {i}", labels[i % len(labels)], i + 1) for i in range(n)]


def answers(n: int = N, *, seed: int = 0, **changes: Any) -> list[PredictionRecord]:
    """Answers of a model that is mostly, not always, right about `texts`."""
    rng = np.random.default_rng(seed)
    records = []
    for i in range(n):
        truth = i % len(LABELS)
        logits = rng.normal(size=len(LABELS)) + 2 * np.eye(len(LABELS))[truth]
        scores = np.exp(logits) / np.exp(logits).sum()
        embedding = rng.normal(size=SIZE) + truth
        fields = {
            "at": NOW.timestamp() + i,
            "text": f"the text number {i}",
            "label": LABELS[int(scores.argmax())],
            "score": float(scores.max()),
            "scores": dict(zip(LABELS, scores.tolist(), strict=True)),
            "embedding": embedding.astype("<f2").tobytes(),
            "n_tokens": 5,
            "script": "Latn",
        }
        records.append(make_record(**(fields | changes)))
    return records


def run_all(source: Texts | None = None, *, owner: str = "a", limit: int = 10_000) -> int:
    """Answer up to `limit` waiting chunks; returns how many were."""
    source = source or Texts()
    for n in range(limit):
        held = source.claim(owner, now=NOW)
        if held is None:
            return n
        source.finish(held, answers_to(held), now=NOW)
    return limit


def answers_to(held: Pass) -> list[PredictionRecord]:
    known = {record.text: record for record in answers()}
    return [known[text] for text in held.texts]


def write_files(
    folder: Path,
    *,
    facts: Mapping[str, Any] | None = None,
    labels: Sequence[str] = LABELS,
    **changes: np.ndarray | None,
) -> None:
    """The two files of a shipped reference; a change of None leaves an array out."""
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(len(labels)), size=N)
    tokens = rng.integers(3, 40, N)
    arrays: dict[str, np.ndarray | None] = {
        "row_probabilities": probabilities.astype(np.float32),
        "row_embeddings": rng.normal(size=(N, SIZE)).astype(np.float16),
        "row_tokens": tokens.astype(np.int32),
        "row_unknown": np.zeros(N, np.int32),
        "row_labels": rng.integers(-1, len(labels), N).astype(np.int32),
    }
    whole = arrays | changes
    folder.mkdir(parents=True, exist_ok=True)
    said = {"schema_version": 2, "n": N, "labels": list(labels)} | dict(facts or {})
    (folder / "reference.json").write_text(json.dumps(said))
    save_file(
        {name: array for name, array in whole.items() if array is not None},
        folder / "reference.safetensors",
    )


__all__ = ["LABELS", "LATER", "MODEL", "NOW", "N", "answers", "run_all", "texts", "write_files"]
