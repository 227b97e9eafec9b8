"""Many p-values or e-values as one answer."""

import math
from collections.abc import Sequence

_SMALLEST_ANGLE = 1e-15


def cauchy(p_values: Sequence[float]) -> float:
    """One p-value of several, whatever their dependence (Liu and Xie, 2020).

    Exact in the far tail, and near the smallest of them when one stands out.

    >>> round(cauchy([0.5, 0.5]), 3), round(cauchy([1e-8, 0.6]), 10)
    (0.5, 2e-08)
    """
    if not p_values:
        raise ValueError("at least one p-value is needed")
    mean = sum(_cotangent(p) for p in p_values) / len(p_values)
    if mean > 1 / _SMALLEST_ANGLE:
        return 1 / (mean * math.pi)
    return 0.5 - math.atan(mean) / math.pi


def _cotangent(p: float) -> float:
    # One p-value of 1 must not outweigh all others, as its minus infinity would.
    p = min(max(p, 1e-300), 0.99)
    return 1 / (p * math.pi) if p < _SMALLEST_ANGLE else math.tan((0.5 - p) * math.pi)


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values adjusted for being many (Holm, 1979), in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [1.0] * len(p_values)
    highest = 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        highest = max(highest, min(1.0, p_values[i] * (len(p_values) - rank)))
        adjusted[i] = highest
    return adjusted


def e_value(p_value: float) -> float:
    """The e-value 1/(2√p) of a p-value (Vovk and Wang, 2021, with kappa = 1/2).

    >>> e_value(0.0001)
    50.0
    """
    return 0.5 / math.sqrt(max(p_value, 1e-300))


def e_bh(e_values: Sequence[float], alpha: float) -> tuple[int, ...]:
    """The indices that are discoveries at a false-discovery rate of `alpha`, under any dependence.

    The base procedure of Wang and Ramdas (2022): the k largest where the k-th reaches m/(k·alpha).

    >>> e_bh([100.0, 1.0, 45.0], 0.05)
    (0, 2)
    """
    m = len(e_values)
    order = sorted(range(m), key=lambda i: -e_values[i])
    reached = [k for k, i in enumerate(order, 1) if k * e_values[i] * alpha >= m]
    return tuple(sorted(order[: max(reached, default=0)]))
