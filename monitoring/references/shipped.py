"""Statistics that a version brings among its files: `reference.json` and `reference.safetensors`.

They come from whoever made the version, so nothing in them is believed: sizes, shapes, types and
ranges are checked before anything is computed. docs/reference/reference-files.md is the format.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from monitoring.drift.sample import Sample, make_sample
from monitoring.errors import InvalidReference
from monitoring.references.readers import FEWEST_TEXTS, MOST_TEXTS

FACTS, ARRAYS = "reference.json", "reference.safetensors"
SCHEMA_VERSION = 2
MOST_FACTS_BYTES = 1024 * 1024
MOST_ARRAYS_BYTES = 256 * 1024 * 1024
WIDEST = 8192
MOST_LABELS = 10_000
_FLOATS, _INTEGERS = frozenset({"F16", "F32"}), frozenset({"I32", "I64"})
_LONGEST_TOKENS = 2**31 - 1

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an array must be: its number types, whether it has columns, whether it may be absent."""

    dtypes: frozenset[str]
    has_columns: bool = False
    is_needed: bool = False


_ARRAYS = {
    "row_probabilities": _Kind(_FLOATS, has_columns=True, is_needed=True),
    "row_embeddings": _Kind(_FLOATS, has_columns=True),
    "row_tokens": _Kind(_INTEGERS),
    "row_unknown": _Kind(_INTEGERS),
    "row_labels": _Kind(_INTEGERS),
}


def has_shipped(folder: Path) -> bool:
    """Whether a version's directory holds both files."""
    return all((folder / name).is_file() for name in (FACTS, ARRAYS))


def load_sample(folder: Path, labels: tuple[str, ...]) -> Sample:
    """The rows that the files in `folder` describe; `labels` are the version's.

    Raises InvalidReference, naming the file and what is wrong with it.
    """
    facts = _load_facts(folder / FACTS)
    named = facts.get("labels")
    if not isinstance(named, list) or named != list(labels):
        _refuse(FACTS, "'labels' are not the version's labels in its order")
    if len(labels) > MOST_LABELS:
        _refuse(FACTS, f"there are more than {MOST_LABELS} labels")
    arrays = _load_arrays(folder / ARRAYS, _count(facts.get("n")))
    probabilities = _probabilities(arrays["row_probabilities"], len(labels))
    tokens, unknown = _tokens(arrays)
    order = sorted(range(len(labels)), key=labels.__getitem__)
    return make_sample(
        labels=[labels[i] for i in order],
        predicted=probabilities[:, order].argmax(axis=1),
        probabilities=probabilities[:, order],
        embeddings=_finite(arrays["row_embeddings"], "row_embeddings"),
        n_tokens=tokens,
        n_unknown=unknown,
        scripts=_script(facts, len(probabilities)),
        actual=_actual(arrays["row_labels"], order),
    )


def _load_facts(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MOST_FACTS_BYTES:
            _refuse(FACTS, f"it has more than {MOST_FACTS_BYTES} bytes")
        facts = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise _refusal(FACTS, "it cannot be read as JSON") from error
    if not isinstance(facts, dict) or facts.get("schema_version") != SCHEMA_VERSION:
        _refuse(FACTS, f"its 'schema_version' is not {SCHEMA_VERSION}")
    return facts


def _count(n: object) -> int:
    if isinstance(n, bool) or not isinstance(n, int) or not FEWEST_TEXTS <= n <= MOST_TEXTS:
        _refuse(FACTS, f"'n' must be a whole number from {FEWEST_TEXTS} to {MOST_TEXTS}")
    return n


def _load_arrays(path: Path, n: int) -> dict[str, Array | None]:
    """The known arrays that are there; their shapes are checked before their bytes are read."""
    try:
        if path.stat().st_size > MOST_ARRAYS_BYTES:
            _refuse(ARRAYS, f"it has more than {MOST_ARRAYS_BYTES} bytes")
        with safe_open(path, "numpy") as file:
            present = frozenset(file.keys())
            if missing := {name for name, kind in _ARRAYS.items() if kind.is_needed} - present:
                _refuse(ARRAYS, f"{min(missing)!r} is missing")
            return {
                name: _read(file, name, kind, n) if name in present else None
                for name, kind in _ARRAYS.items()
            }
    except (OSError, SafetensorError) as error:
        raise _refusal(ARRAYS, "it cannot be read as safetensors") from error


def _read(file: Any, name: str, kind: _Kind, n: int) -> Array:
    header = file.get_slice(name)
    shape, dtype = tuple(header.get_shape()), header.get_dtype()
    if dtype not in kind.dtypes:
        _refuse(ARRAYS, f"{name!r} is {dtype}, not {' or '.join(sorted(kind.dtypes))}")
    if len(shape) != 1 + kind.has_columns or shape[0] != n:
        columns = ", columns" if kind.has_columns else ""
        _refuse(ARRAYS, f"{name!r} has the shape {list(shape)}, not [{n}{columns}]")
    if kind.has_columns and not 1 <= shape[1] <= max(WIDEST, MOST_LABELS):
        _refuse(ARRAYS, f"{name!r} has {shape[1]} columns")
    array: Array = file.get_tensor(name)
    return array


def _finite(array: Array | None, name: str) -> npt.NDArray[np.float32] | None:
    if array is None:
        return None
    numbers = array.astype(np.float32)
    if not np.isfinite(numbers).all():
        _refuse(ARRAYS, f"{name!r} holds numbers that are not finite")
    return numbers


def _probabilities(array: Array | None, n_labels: int) -> npt.NDArray[np.float32]:
    numbers = _finite(array, "row_probabilities")
    if numbers is None or numbers.shape[1] != n_labels:
        _refuse(ARRAYS, f"'row_probabilities' must have {n_labels} columns, one for each label")
    if numbers.min() < 0 or numbers.max() > 1:
        _refuse(ARRAYS, "'row_probabilities' holds numbers outside of 0 to 1")
    return numbers


def _tokens(arrays: dict[str, Array | None]) -> tuple[Array | None, Array | None]:
    tokens, unknown = arrays["row_tokens"], arrays["row_unknown"]
    if tokens is None:
        return None, None
    if tokens.min() < 0 or tokens.max() > _LONGEST_TOKENS:
        _refuse(ARRAYS, "'row_tokens' holds numbers that cannot be counts of tokens")
    if unknown is not None and ((unknown < 0) | (unknown > tokens)).any():
        _refuse(ARRAYS, "'row_unknown' holds more than there are tokens, or less than none")
    return tokens, unknown


def _actual(array: Array | None, order: list[int]) -> Array | None:
    if array is None:
        return None
    if array.min() < -1 or array.max() >= len(order):
        _refuse(ARRAYS, f"'row_labels' must be -1 (unknown) or 0 to {len(order) - 1}")
    place = np.full(len(order) + 1, -1)
    place[order] = np.arange(len(order))
    return place[array]


def _script(facts: dict[str, Any], n: int) -> tuple[str, ...] | None:
    """One writing system for every row, where the files say that there is only one."""
    script = facts.get("script")
    if script is None:
        return None
    if not isinstance(script, str) or not 1 <= len(script) <= 24 or not script.isascii():
        _refuse(FACTS, "'script' must be an ISO 15924 code such as Latn")
    return (script,) * n


def _refuse(file: str, problem: str) -> Never:
    raise _refusal(file, problem)


def _refusal(file: str, problem: str) -> InvalidReference:
    return InvalidReference(
        f"{file}: {problem}. Ship a sound one with a new version.", details={"field": file}
    )
