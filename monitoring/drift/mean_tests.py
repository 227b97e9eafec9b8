"""Two ways to weigh how far a mean has moved, as one finding: neither alone is a default."""

from dataclasses import dataclass

from monitoring.drift.base import Detector, Finding, has_enough, insufficient
from monitoring.drift.combining import cauchy
from monitoring.drift.grids import Floats
from monitoring.drift.moments import Moments, distance


@dataclass(frozen=True, slots=True, eq=False)
class Mean:
    """A sum of vectors [d] over `n` items."""

    total: Floats
    n: int


def judge_means(
    detector: Detector, before: Mean, now: Mean, plain: Moments | None, whitened: Moments | None
) -> Finding:
    """Plain and whitened distance of two means, Cauchy-combined; the effect is the stronger's."""
    if not has_enough(before.n, now.n):
        return insufficient(detector, before.n, now.n, "too few embeddings")
    if plain is None or plain.is_degenerate:
        return insufficient(detector, before.n, now.n, "the reference's embeddings say nothing")
    if len(before.total) != len(now.total):
        return insufficient(detector, before.n, now.n, "embeddings of another size")
    difference = now.total / now.n - before.total / before.n
    tests = {"plain": distance(difference, now.n, before.n, plain)}
    if whitened is not None and not whitened.is_degenerate:
        tests["whitened"] = distance(difference, now.n, before.n, whitened)
    strongest = min(tests.values(), key=lambda test: test.p_value)
    return Finding(
        detector=detector.name,
        family=detector.family,
        n_reference=before.n,
        n_window=now.n,
        is_sufficient=True,
        statistic=strongest.value,
        p_value=cauchy([test.p_value for test in tests.values()]),
        effect=strongest.effect,
        details={
            name: {"ratio": test.value, "p_value": test.p_value, "effect": test.effect}
            for name, test in tests.items()
        },
    )
