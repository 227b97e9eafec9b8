"""Single answers side by side: what sums are made of, and what a reservoir holds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats32 = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sample:
    """n answers of one version.

    `labels` are the names of the classes, sorted; `predicted` [n] indexes them; `probabilities` is
    [n, n_labels]; `embeddings` [n, d], d = 0 where none were kept; `n_tokens`, `n_unknown` [n];
    `seconds` [n] is the whole time of an answer. `texts` hold None where texts are not kept.
    `is_repeated` [n] says whether the same text came shortly before. `actual` [n] indexes `labels`
    and is -1 where the truth is not known.
    """

    labels: tuple[str, ...]
    predicted: Integers
    probabilities: Floats32
    embeddings: Floats32
    n_tokens: Integers
    n_unknown: Integers
    seconds: Floats32
    texts: tuple[str | None, ...]
    scripts: tuple[str, ...]
    languages: tuple[str, ...]
    is_empty: npt.NDArray[np.bool_]
    is_repeated: npt.NDArray[np.bool_]
    is_truncated: npt.NDArray[np.bool_]
    actual: Integers

    def __len__(self) -> int:
        return len(self.predicted)

    def take(self, rows: npt.NDArray[np.intp] | Sequence[int]) -> "Sample":
        """The answers at `rows`, in that order."""
        index = np.asarray(rows, dtype=np.intp)
        return Sample(
            labels=self.labels,
            predicted=self.predicted[index],
            probabilities=self.probabilities[index],
            embeddings=self.embeddings[index],
            n_tokens=self.n_tokens[index],
            n_unknown=self.n_unknown[index],
            seconds=self.seconds[index],
            texts=tuple(self.texts[i] for i in index),
            scripts=tuple(self.scripts[i] for i in index),
            languages=tuple(self.languages[i] for i in index),
            is_empty=self.is_empty[index],
            is_repeated=self.is_repeated[index],
            is_truncated=self.is_truncated[index],
            actual=self.actual[index],
        )


def make_sample(
    *,
    labels: Sequence[str],
    predicted: npt.ArrayLike,
    probabilities: npt.ArrayLike,
    embeddings: npt.ArrayLike | None = None,
    n_tokens: npt.ArrayLike | None = None,
    n_unknown: npt.ArrayLike | None = None,
    seconds: npt.ArrayLike | None = None,
    texts: Sequence[str | None] | None = None,
    scripts: Sequence[str] | None = None,
    languages: Sequence[str] | None = None,
    is_empty: npt.ArrayLike | None = None,
    is_repeated: npt.ArrayLike | None = None,
    is_truncated: npt.ArrayLike | None = None,
    actual: npt.ArrayLike | None = None,
) -> Sample:
    """A Sample from what is known; the rest is empty, zero or unknown."""
    chosen = np.asarray(predicted, dtype=np.int64)
    n = len(chosen)

    def given(values: npt.ArrayLike | None, default: float, dtype: type) -> npt.NDArray:  # type: ignore[type-arg]
        return np.full(n, default, dtype) if values is None else np.asarray(values, dtype=dtype)

    return Sample(
        labels=tuple(labels),
        predicted=chosen,
        probabilities=np.asarray(probabilities, dtype=np.float32).reshape(n, len(labels)),
        embeddings=(
            np.zeros((n, 0), np.float32)
            if embeddings is None
            else np.asarray(embeddings, dtype=np.float32)
        ),
        n_tokens=given(n_tokens, 0, np.int64),
        n_unknown=given(n_unknown, 0, np.int64),
        seconds=given(seconds, 0, np.float32),
        texts=tuple(texts) if texts is not None else (None,) * n,
        scripts=tuple(scripts) if scripts is not None else ("",) * n,
        languages=tuple(languages) if languages is not None else ("",) * n,
        is_empty=given(is_empty, 0, np.bool_),
        is_repeated=given(is_repeated, 0, np.bool_),
        is_truncated=given(is_truncated, 0, np.bool_),
        actual=given(actual, -1, np.int64),
    )
