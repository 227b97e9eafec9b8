"""Made streams of labels and answers whose truth is known."""

import numpy as np
import numpy.typing as npt
from scipy import special

from monitoring.drift.sample import Sample, make_sample
from monitoring.quality.confidence_sequence import Outcome
from monitoring.quality.degradation import Labelled

Bools = npt.NDArray[np.bool_]


def outcomes(is_bad: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> list[Outcome]:
    bad = np.asarray(is_bad, dtype=bool).tolist()
    if weights is None:
        return [Outcome(x) for x in bad]
    return [Outcome(x, w) for x, w in zip(bad, np.asarray(weights).tolist(), strict=True)]


def labelled(n: int, error: float, rng: np.random.Generator, *, k: int = 2) -> list[Labelled]:
    """Labels of k classes, equally frequent, of which the part `error` was called another."""
    actual = rng.integers(k, size=n)
    wrong = rng.random(n) < error
    predicted = np.where(wrong, (actual + rng.integers(1, k, size=n)) % k, actual)
    return [Labelled(f"c{a}", f"c{p}") for a, p in zip(actual, predicted, strict=True)]


def answers(
    n: int,
    rng: np.random.Generator,
    *,
    k: int = 3,
    separation: float = 2.5,
    sureness: float = 1.0,
    flipped: float = 0.0,
) -> Sample:
    """Labelled answers of a model that knows the true odds, to the power of `sureness`.

    `separation` is how well texts tell their class (less: covariate shift); the part `flipped` of
    the truths has become another class whatever the text says (concept drift).
    """
    centres = np.eye(k)[rng.integers(k, size=n)] * separation
    logits = centres + rng.normal(size=(n, k))
    chances = special.softmax(logits, axis=1)
    actual = (chances.cumsum(axis=1) > rng.random((n, 1))).argmax(axis=1)
    actual = np.where(rng.random(n) < flipped, (actual + 1) % k, actual)
    shown = special.softmax(sureness * logits, axis=1)
    return make_sample(
        labels=[f"c{i}" for i in range(k)],
        predicted=shown.argmax(axis=1),
        probabilities=shown,
        actual=actual,
    )
