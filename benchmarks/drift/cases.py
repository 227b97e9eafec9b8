"""What a method is tried on: references, quiet streams and shifted ones, as arrays in one file.

Only numpy and the standard library: peers read it in environments of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
_SHIFT = "shift:"


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """`embeddings` [m, d], `probabilities` [m, K] and `predicted` [m] are of all texts; the rest
    are rows of them. `references` [R, N]; stream number i is compared with reference i % R.
    `quiet` [q, L]; `shifted` [s, L] by the name of the shift, quiet up to place `n_before`.
    """

    embeddings: Floats
    probabilities: Floats
    predicted: Rows
    references: Rows
    quiet: Rows
    shifted: Mapping[str, Rows]
    n_before: int

    def reference_of(self, stream: int) -> Rows:
        chosen: Rows = self.references[stream % len(self.references)]
        return chosen


def save(case: Case, path: Path) -> None:
    arrays: dict[str, Any] = {
        "embeddings": case.embeddings,
        "probabilities": case.probabilities,
        "predicted": case.predicted,
        "references": case.references,
        "quiet": case.quiet,
        "n_before": np.array(case.n_before),
        **{_SHIFT + name: rows for name, rows in case.shifted.items()},
    }
    np.savez(path, **arrays)


def load(path: Path) -> Case:
    with np.load(path) as arrays:
        return Case(
            embeddings=arrays["embeddings"],
            probabilities=arrays["probabilities"],
            predicted=arrays["predicted"],
            references=arrays["references"],
            quiet=arrays["quiet"],
            n_before=int(arrays["n_before"]),
            shifted={
                name.removeprefix(_SHIFT): arrays[name]
                for name in arrays.files
                if name.startswith(_SHIFT)
            },
        )
