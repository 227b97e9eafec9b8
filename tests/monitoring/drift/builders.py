"""Quiet traffic to draw windows from, and the levels that draws of a calibrated test keep."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from scipy import stats

from monitoring.drift.base import Detector, Finding
from monitoring.drift.reference import Observed, Reference, fit
from monitoring.drift.sample import Sample, make_sample
from monitoring.drift.sums import sums_of

LABELS = ("negative", "neutral", "positive")
N_DIMENSIONS = 16
# A share of draws this improbable under the stated level fails a test: 1 in 10,000.
_SURE = 1e-4


def draw(
    n: int,
    rng: np.random.Generator,
    *,
    shift: float = 0.0,
    spread: float = 1.0,
    prior: Sequence[float] = (0.3, 0.3, 0.4),
    mean_tokens: float = 20,
    unknown: float = 0.02,
    scripts: Sequence[str] = ("latin",),
    languages: Sequence[str] = ("en",),
    empty: float = 0.002,
    repeated: float = 0.01,
    slower: float = 1.0,
    extra: str = "",
) -> Sample:
    """`n` answers of an imagined model; keywords say what is unusual about them."""
    truth = rng.choice(len(LABELS), n, p=np.array(prior))
    logits = rng.standard_normal((n, 3)) + 2.5 * np.eye(3)[truth]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    scales = 1 / np.arange(1, N_DIMENSIONS + 1)
    embeddings = rng.standard_t(8, (n, N_DIMENSIONS)) * scales * spread + shift * scales
    tokens = rng.poisson(mean_tokens, n) + 2
    return make_sample(
        labels=LABELS,
        predicted=probabilities.argmax(axis=1),
        probabilities=probabilities,
        embeddings=embeddings,
        n_tokens=tokens,
        n_unknown=rng.binomial(tokens, unknown),
        seconds=rng.lognormal(-4, 0.6, n) * slower,
        texts=[f"text {word}{extra}" for word in rng.integers(50, size=n)],
        scripts=[scripts[i] for i in rng.integers(len(scripts), size=n)],
        languages=[languages[i] for i in rng.integers(len(languages), size=n)],
        is_empty=rng.random(n) < empty,
        is_repeated=rng.random(n) < repeated,
    )


@cache
def reference(n: int = 1500, seed: int = 0) -> Reference:
    rng = np.random.default_rng(seed)
    return fit(draw(n, rng), rng=rng)


def observed(sample: Sample, of: Reference) -> Observed:
    return Observed(sums=sums_of(sample, of.basis), sample=sample)


def judged(detector: Detector, sample: Sample, of: Reference | None = None) -> Finding:
    of = of or reference()
    return detector.judge(of, observed(sample, of))


def p_of(finding: Finding) -> float:
    assert finding.is_sufficient
    assert finding.p_value is not None
    return finding.p_value


def effect_of(finding: Finding) -> float:
    assert finding.effect is not None
    return finding.effect


def assert_level(p_values: npt.ArrayLike, level: float, *, times: float = 1.0) -> None:
    """Assert that not more of the p-values than `times` the level lie under it, but for chance."""
    p = np.asarray(p_values)
    k = int((p <= level).sum())
    surely = stats.binom.isf(_SURE, len(p), min(times * level, 1.0))
    assert k <= surely, f"{k} of {len(p)} lie under {level}; at most {surely:.0f} may"


def assert_used(p_values: npt.ArrayLike, level: float, *, least: float) -> None:
    """Assert that the test is not needlessly timid: at least `least` times the level is used."""
    p = np.asarray(p_values)
    k = int((p <= level).sum())
    fewest = stats.binom.ppf(_SURE, len(p), least * level)
    assert k >= fewest, f"only {k} of {len(p)} lie under {level}; at least {fewest:.0f} should"
