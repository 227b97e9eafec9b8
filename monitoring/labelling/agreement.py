"""How far two people who label the same texts agree, with intervals. Pure.

Raw agreement flatters where one label is frequent, so Cohen's kappa (1960) stands beside it: how
far agreement goes beyond what the two would reach by chance, each with his own habits. Its
interval rests on the large-sample variance of Fleiss, Cohen and Everitt (1969); that of the raw
agreement is Wilson's (1927).
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from monitoring.verdicts import Verdict

MIN_PAIRS = 20
_Z = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Rate:
    """A value with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of `n` texts two people labelled `n_agreed` alike; rates are None without any text.

    `kappa` is also None where both always said the same one label: chance alone explains that.
    `verdict` is INSUFFICIENT_DATA below 20 texts, otherwise None.
    """

    n: int
    n_agreed: int
    raw: Rate | None
    kappa: Rate | None
    verdict: Verdict | None


def agreement(pairs: Sequence[tuple[str, str]]) -> Agreement:
    """Judge pairs of (first, second) label, one a text.

    >>> found = agreement([("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10
    ...                   + [("b", "b")] * 15)
    >>> found.n_agreed, round(found.kappa.value, 3), found.verdict
    (35, 0.4, None)
    """
    n = len(pairs)
    n_agreed = sum(first == second for first, second in pairs)
    return Agreement(
        n=n,
        n_agreed=n_agreed,
        raw=wilson(n_agreed, n) if n else None,
        kappa=_kappa(Counter(pairs), n) if n else None,
        verdict=Verdict.INSUFFICIENT_DATA if n < MIN_PAIRS else None,
    )


def wilson(hits: int, n: int) -> Rate:
    """hits / n with Wilson's interval, for n of at least 1.

    >>> rate = wilson(9, 10)
    >>> round(rate.low, 3), round(rate.high, 3)
    (0.596, 0.982)
    """
    share = hits / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    return Rate(share, max(0.0, middle - half), min(1.0, middle + half))


def _kappa(counts: Counter[tuple[str, str]], n: int) -> Rate | None:
    cells = {pair: k / n for pair, k in counts.items()}
    first, second = _margin(cells, 0), _margin(cells, 1)
    observed = sum(share for (a, b), share in cells.items() if a == b)
    expected = sum(share * second[label] for label, share in first.items())
    if expected >= 1:
        return None
    kappa = (observed - expected) / (1 - expected)
    if observed == 1:
        # The variance is nothing here, which few texts do not prove: what Wilson leaves open.
        low = (wilson(n, n).low - expected) / (1 - expected)
        return Rate(1.0, low, 1.0)
    disagreeing = 1 - kappa
    spread = sum(
        share * (1 - (first[a] + second[a]) * disagreeing) ** 2
        if a == b
        else share * (disagreeing * (second[a] + first[b])) ** 2
        for (a, b), share in cells.items()
    )
    variance = (spread - (kappa - expected * disagreeing) ** 2) / (n * (1 - expected) ** 2)
    half = _Z * math.sqrt(max(0.0, variance))
    return Rate(kappa, max(-1.0, kappa - half), min(1.0, kappa + half))


def _margin(cells: dict[tuple[str, str], float], side: int) -> Counter[str]:
    """How often one side gave each label, as shares."""
    return _summed((pair[side], share) for pair, share in cells.items())


def _summed(parts: Iterable[tuple[str, float]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for label, share in parts:
        total[label] += share  # type: ignore[assignment]  # a counter of shares
    return total
