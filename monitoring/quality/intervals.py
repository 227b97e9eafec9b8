"""How sure a rate is: intervals that hold the truth at least about as often as they say.

Accuracy, precision and recall are binomial proportions, so theirs is Clopper and Pearson's (1934).
It is exact: coverage is never below the nominal level, also at 0 and 1 and with few labels, where
Wilson's dips below; it pays with a little width.

F1 of a class: among the u = TP + FP + FN items where the class is true or predicted, TP is
Binomial(u, J) with J the Jaccard index, and F1 = 2J / (1 + J) grows with J. An exact interval of J
is therefore an exact interval of F1.

Averages over classes have no such form. Theirs are equal-tailed quantiles over tables drawn from
Dirichlet(counts + prior), the Bayesian view of a confusion matrix (Goutte and Gaussier, 2005;
Caelen, 2017). The prior weighs one item in all (Perks, 1947), so that what was never seen stays
possible.
"""

import numpy as np
import numpy.typing as npt
from scipy import special

from monitoring.quality.metrics import Counts, Floats, Scores, scores

LEVEL = 0.95
N_DRAWS, FEWEST_DRAWS = 1000, 100
# Tables with thousands of cells would take seconds for what they can say.
MOST_DRAWN_CELLS = 2_000_000


def proportion(
    hits: npt.ArrayLike, n: npt.ArrayLike, *, level: float = LEVEL
) -> tuple[Floats, Floats]:
    """Clopper-Pearson bounds of hits / n, elementwise; n = 0 says nothing: (0, 1).

    >>> low, high = proportion(45, 50)
    >>> round(float(low), 4), round(float(high), 4)
    (0.7819, 0.9667)
    """
    k, total = np.asarray(hits, dtype=float), np.asarray(n, dtype=float)
    tail = (1 - level) / 2
    # Bounds that are 0 or 1 by definition get harmless arguments: the function is undefined there.
    low = np.where(k > 0, special.betaincinv(np.maximum(k, 1), total - k + 1, tail), 0.0)
    misses = total - k
    high = np.where(misses > 0, special.betaincinv(k + 1, np.maximum(misses, 1), 1 - tail), 1.0)
    return low, high


def f1(counts: Counts, *, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Exact bounds of every class's F1 in a K x K table, through the Jaccard index."""
    hits = np.diagonal(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - hits
    low, high = proportion(hits, union, level=level)
    return 2 * low / (1 + low), 2 * high / (1 + high)


def draw_scores(counts: Counts, *, rng: np.random.Generator, n_draws: int = N_DRAWS) -> Scores:
    """Rates of `n_draws` tables that could lie behind `counts` (K x K, not empty)."""
    return scores(draw_tables(counts, rng=rng, n_draws=n_draws))


def draw_tables(counts: Counts, *, rng: np.random.Generator, n_draws: int = N_DRAWS) -> Floats:
    """The tables [n_draws, K, K] themselves; only 100 where they are very large."""
    n_draws = max(FEWEST_DRAWS, min(n_draws, MOST_DRAWN_CELLS // counts.size))
    prior = 1.0 / counts.size
    return rng.standard_gamma(counts + prior, size=(n_draws, *counts.shape))


def quantiles(draws: Floats, values: Floats, *, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Equal-tailed bounds of every row of `draws`, widened to hold the row's value.

    A value of 1 needs that: all draws lie below it.
    """
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=-1)
    return np.minimum(low, values), np.maximum(high, values)


def seeded(seed: int = 0) -> np.random.Generator:
    """The same table always gets the same interval."""
    return np.random.Generator(np.random.PCG64(seed))
