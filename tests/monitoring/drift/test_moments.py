import gzip
import json
import os
from pathlib import Path

import numpy as np
import pytest

from monitoring.drift.combining import cauchy
from monitoring.drift.moments import (
    FEW_COMPONENTS,
    Moments,
    distance,
    estimate,
    threshold,
    whitener,
)
from monitoring.drift.sample import Floats32
from tests.monitoring.drift.builders import assert_level, assert_used

DATA = os.environ.get("BELLWETHER_TEST_DATA", "")
N_DIMENSIONS = 24


def rows(n: int, rng: np.random.Generator) -> Floats32:
    """Correlated rows of falling variance with a giant dimension, as [CLS] vectors have."""
    mixing = np.random.default_rng(0).standard_normal((N_DIMENSIONS, N_DIMENSIONS))
    drawn = rng.standard_normal((n, N_DIMENSIONS)) / np.arange(1, N_DIMENSIONS + 1) @ mixing
    drawn[:, 0] *= 30
    return drawn.astype(np.float32)


def halves(data: Floats32) -> tuple[Floats32, Floats32]:
    return data[: len(data) // 2], data[len(data) // 2 :]


def test_the_traces_are_unbiased() -> None:
    rng = np.random.default_rng(1)
    found = [estimate(rows(60, rng)) for _ in range(400)]
    covariance = np.cov(rows(200_000, rng).T.astype(float))
    for name, power in (("trace", 1), ("trace_squared", 2), ("trace_cubed", 3)):
        true = np.trace(np.linalg.matrix_power(covariance, power))
        estimates = np.array([getattr(moments, name) for moments in found])
        error = estimates.std() / len(found) ** 0.5
        assert abs(estimates.mean() - true) < 4 * error + 0.02 * true


def test_more_dimensions_than_rows_are_estimated_all_the_same() -> None:
    rng = np.random.default_rng(2)
    moments = estimate(rng.standard_normal((40, 300)).astype(np.float32))
    assert moments.trace_squared == pytest.approx(300, rel=0.15)


def test_three_rows_are_too_few() -> None:
    with pytest.raises(ValueError, match="four"):
        estimate(np.zeros((3, 2), np.float32))


def test_rows_that_never_vary_say_so() -> None:
    assert estimate(np.ones((50, 4), np.float32)).is_degenerate
    assert not estimate(rows(50, np.random.default_rng(3))).is_degenerate


def test_a_whitener_brings_other_rows_to_one_scale() -> None:
    rng = np.random.default_rng(4)
    white = rows(4000, rng) @ whitener(rows(4000, rng)).T
    # Shrinkage keeps the very smallest directions small.
    assert np.cov(white.T).diagonal()[4:] == pytest.approx(np.ones(N_DIMENSIONS - 4), abs=0.25)


def test_a_dimension_that_never_varied_has_no_weight() -> None:
    data = rows(400, np.random.default_rng(5))
    data[:, 3] = 7
    metric = whitener(data)
    assert not metric[:, 3].any()
    assert np.isfinite(metric).all()


def test_few_rows_whiten_leading_components_only() -> None:
    rng = np.random.default_rng(6)
    wide = rng.standard_normal((300, 400)).astype(np.float32)
    assert whitener(wide).shape == (FEW_COMPONENTS, 400)
    assert whitener(wide[:90]).shape == (60, 400)


def null(n_reference: int, n: int, n_references: int, n_windows: int) -> np.ndarray:
    """[draws, 3] p-values: plain, whitened, both by Cauchy."""
    rng = np.random.default_rng(7)
    p_values = []
    for _ in range(n_references):
        data = rows(n_reference, rng)
        a, b = halves(data)
        tests = estimate(data), estimate(b, whitener(a))
        for _ in range(n_windows):
            difference = rows(n, rng).mean(axis=0, dtype=float) - data.mean(axis=0, dtype=float)
            found = [distance(difference, n, n_reference, m).p_value for m in tests]
            p_values.append([*found, cauchy(found)])
    return np.array(p_values)


@pytest.mark.parametrize(("n_reference", "n"), [(400, 50), (1000, 500)])
def test_levels_hold_on_anisotropic_rows(n_reference: int, n: int) -> None:
    p_values = null(n_reference, n, n_references=100, n_windows=10)
    for column in p_values.T:
        for level in (0.05, 0.01):
            assert_level(column, level, times=1.2)
        assert_used(column, 0.05, least=0.7)


def test_the_same_rows_for_whitener_and_moments_would_alarm_on_quiet_windows() -> None:
    rng = np.random.default_rng(8)
    data = rng.standard_normal((150, 80)).astype(np.float32)
    wrong = estimate(data, whitener(data))
    right = estimate(data[75:], whitener(data[:75]))
    assert right.trace / right.trace_squared**0.5 < wrong.trace / wrong.trace_squared**0.5


def heavy(n: int, rng: np.random.Generator) -> Floats32:
    """Rows of which few have most of the square."""
    drawn = rng.standard_normal((n, 40)) * rng.lognormal(0, 0.9, (n, 1))
    return drawn.astype(np.float32)


def test_heavy_tails_are_accounted_for() -> None:
    rng = np.random.default_rng(9)
    corrected, plain = [], []
    for _ in range(100):
        data = heavy(1000, rng)
        moments = estimate(data)
        naive = Moments(
            metric=None,
            trace=moments.trace,
            trace_squared=moments.trace_squared,
            trace_cubed=moments.trace_cubed,
            n=1000,
        )
        for _ in range(10):
            difference = heavy(50, rng).mean(axis=0, dtype=float) - data.mean(axis=0, dtype=float)
            corrected.append(distance(difference, 50, 1000, moments).p_value)
            plain.append(distance(difference, 50, 1000, naive).p_value)
    assert_level(corrected, 0.01, times=1.5)
    assert np.mean(np.array(plain) <= 0.01) > 2 * np.mean(np.array(corrected) <= 0.01)


def test_the_threshold_is_where_the_p_value_is_the_level() -> None:
    moments = estimate(heavy(300, np.random.default_rng(10)))
    value = threshold(1e-4, 100, 1000, moments) * moments.trace * (1 / 100 + 1 / 1000)
    difference = np.zeros(40)
    difference[0] = value**0.5
    assert distance(difference, 100, 1000, moments).p_value == pytest.approx(1e-4)


def tweets() -> list[str]:
    path = Path(DATA) / "tweet_sentiment" / "test.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line in lines][:6000]


@pytest.mark.skipif(not DATA, reason="BELLWETHER_TEST_DATA is not set")
def test_levels_hold_on_vectors_of_real_texts() -> None:
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    rng = np.random.default_rng(11)
    texts = tweets()
    words = TfidfVectorizer(min_df=5).fit(texts[:2000])
    svd = TruncatedSVD(48, random_state=0).fit(words.transform(texts[:2000]))
    vectors = svd.transform(words.transform(texts[2000:])).astype(np.float32)
    p_values = []
    for _ in range(60):
        order = rng.permutation(len(vectors))
        data, rest = vectors[order[:800]], vectors[order[800:]]
        a, b = halves(data)
        tests = estimate(data), estimate(b, whitener(a))
        for start in range(0, 2000, 100):
            window = rest[start : start + 100].mean(axis=0, dtype=float)
            difference = window - data.mean(axis=0, dtype=float)
            p_values.append(cauchy([distance(difference, 100, 800, m).p_value for m in tests]))
    for level in (0.05, 0.01):
        assert_level(p_values, level, times=1.2)
    assert_used(p_values, 0.05, least=0.7)
