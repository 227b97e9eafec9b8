"""Statistics that live traffic is later compared with.

``reference.json`` holds counts that people may read, ``reference.safetensors`` the
arrays. Both describe the same rows, answered by the weights they lie beside. The format
is that of docs/reference/reference-files.md.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from starter.measure import Answers, Floats, Integers, softmax

SCHEMA_VERSION = 2
BINS = 10
QUANTILES = tuple(round(0.05 * step, 2) for step in range(21))
JSON_FILE = "reference.json"
ARRAYS_FILE = "reference.safetensors"


def confusion_matrix(labels: Integers, predicted: Integers, classes: int) -> Integers:
    """Return counts [actual, predicted]."""
    matrix = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(matrix, (labels, predicted), 1)
    return matrix


def macro_f1(matrix: Integers) -> float:
    """Unweighted mean of the F1 of each class; an absent class counts as zero."""
    hits = np.diag(matrix).astype(float)
    sums = (matrix.sum(axis=0) + matrix.sum(axis=1)).astype(float)
    return float(np.divide(2 * hits, sums, out=np.zeros_like(hits), where=sums > 0).mean())


def equal_mass_histogram(values: Floats, bins: int = BINS) -> dict[str, list[float]]:
    """Return inner and outer edges at equal quantiles, and the counts between them.

    Edges that coincide are merged, so a quantity with few distinct values gets fewer
    bins. Bins are closed on the left, the last one on both sides; a constant quantity
    gets one bin of width zero.
    """
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    if len(edges) == 1:
        return {"edges": [float(edges[0])] * 2, "counts": [len(values)]}
    counts, _ = np.histogram(values, bins=edges)
    return {"edges": [float(edge) for edge in edges], "counts": [int(c) for c in counts]}


def score_quantities(answers: Answers) -> dict[str, Floats]:
    """Return the five watched quantities, each [n].

    Entropy is in nats; margin is the gap between the two highest probabilities; length
    counts tokens with the special ones, and its logarithm is the natural one.
    """
    probabilities = softmax(answers.logits)
    ranked = np.sort(probabilities, axis=1)
    floored = np.maximum(probabilities, np.finfo(float).tiny)
    return {
        "max_probability": ranked[:, -1],
        "entropy": -(probabilities * np.log(floored)).sum(axis=1),
        "margin": ranked[:, -1] - ranked[:, -2],
        "log_token_length": np.log(answers.lengths.astype(float)),
        "unknown_token_share": answers.unknown / answers.lengths,
    }


def probability_sums(probabilities: Floats) -> Floats:
    """Return [classes, classes]: row = predicted class, summed probabilities of its rows.

    Divided by the row counts this is the soft confusion that label-free estimates of
    accuracy start from.
    """
    classes = probabilities.shape[1]
    chosen = np.eye(classes)[probabilities.argmax(axis=1)]
    sums: Floats = chosen.T @ probabilities
    return sums


def summarise(
    answers: Answers, labels: Integers, names: tuple[str, ...], about: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the readable half of the reference."""
    predicted = answers.logits.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, len(names))
    counts = matrix.sum(axis=0)
    return {
        "schema_version": SCHEMA_VERSION,
        **about,
        "n": len(labels),
        "labels": list(names),
        "predicted_counts": {name: int(n) for name, n in zip(names, counts, strict=True)},
        "quality": {
            "confusion_matrix": {"axes": ["actual", "predicted"], "counts": matrix.tolist()},
            "accuracy": round(float(np.trace(matrix) / matrix.sum()), 6),
            "macro_f1": round(macro_f1(matrix), 6),
        },
        "histograms": {
            name: equal_mass_histogram(values) for name, values in score_quantities(answers).items()
        },
        "arrays": {
            "file": ARRAYS_FILE,
            "embedding_quantile_levels": list(QUANTILES),
        },
    }


def collect_arrays(answers: Answers, labels: Integers) -> dict[str, NDArray[Any]]:
    """Return the array half: facts of every row, embedding mean and quantiles, sums.

    Half precision keeps the rows' embeddings small; what is computed from them, such as
    their covariance, need not lie here as well.
    """
    vectors = answers.embeddings
    probabilities = softmax(answers.logits)
    arrays = {
        "embedding_mean": vectors.mean(axis=0).astype(np.float32),
        "embedding_quantiles": np.quantile(vectors, QUANTILES, axis=0).astype(np.float32),
        "probability_sums": probability_sums(probabilities).astype(np.float32),
        "row_embeddings": vectors.astype(np.float16),
        "row_probabilities": probabilities.astype(np.float32),
        "row_tokens": answers.lengths.astype(np.int32),
        "row_unknown": answers.unknown.astype(np.int32),
        "row_labels": labels.astype(np.int32),
    }
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def write_reference(
    folder: Path,
    answers: Answers,
    labels: Integers,
    names: tuple[str, ...],
    about: Mapping[str, Any],
) -> dict[str, Any]:
    """Write both halves and return the readable one."""
    summary = summarise(answers, labels, names, about)
    text = json.dumps(summary, indent=2, ensure_ascii=False)
    (folder / JSON_FILE).write_text(text + "\n", encoding="utf-8")
    save_file(collect_arrays(answers, labels), folder / ARRAYS_FILE)
    (folder / ARRAYS_FILE).chmod(0o644)
    return summary
