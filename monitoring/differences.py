"""How far apart two versions' probabilities of a label are: a fixed histogram and its quantiles.

Pure. Fixed edges, so that hours, processes and releases can be summed.
"""

from bisect import bisect_left
from collections.abc import Mapping

# Upper edges of |difference|, finer where it begins to matter; the last holds everything.
EDGES = (
    0.0001,
    0.0002,
    0.0005,
    0.001,
    0.002,
    0.005,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.15,
    0.2,
    0.3,
    0.4,
    0.5,
    0.75,
    1.0,
)


def edge_of(difference: float) -> float:
    """The upper edge of the bin that holds `difference`, which is in [0, 1]; raises ValueError.

    >>> edge_of(0.0), edge_of(0.01), edge_of(0.011)
    (0.0001, 0.01, 0.015)
    """
    # A sum of float32 probabilities can be a hair above 1.
    if not 0 <= difference <= 1.01:
        raise ValueError(f"a difference of probabilities is in [0, 1], not {difference}")
    return EDGES[min(bisect_left(EDGES, difference), len(EDGES) - 1)]


def quantile(counts: Mapping[float, int], q: float) -> float | None:
    """The smallest edge that at least the share `q` of all differences does not exceed.

    An upper bound of the quantile, exact to its bin; None without any difference.

    >>> quantile({0.01: 90, 0.5: 10}, 0.9), quantile({0.01: 90, 0.5: 10}, 0.91)
    (0.01, 0.5)
    """
    total, reached = sum(counts.values()), 0
    for edge in sorted(counts):
        reached += counts[edge]
        if total and reached >= q * total:
            return edge
    return None
