"""Macro F1 with its interval of many small confusion matrices at once. Pure.

Each equals what `monitoring.quality.report.judge` says of its matrix with as many draws; what is
shared is the work of hundreds of steps.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from monitoring.errors import TooManyClasses
from monitoring.quality import intervals
from monitoring.quality.metrics import Counts, Floats, Matrix, matrix, scores
from monitoring.quality.report import UNDEFINED, Estimate

DRAWS = (1000, 500, 200, 100)
DRAWN_CELLS = 500_000
"""A chart draws about so many cells of tables in all: some 50 ms."""
MOST_CELLS = 4_000_000
"""Where even the fewest draws are more, as of very many classes, F1 comes without bounds."""
_CHUNK_CELLS = 500_000

Pairs = Mapping[tuple[str, str], int]


def score(tables: Sequence[Pairs]) -> list[Estimate]:
    """Macro F1 of each of `tables`, (actual, predicted) → n; undefined for empty ones, and for more
    than 300 classes. The same tables always get the same numbers.
    """
    matrices = list(map(_matrix, tables))
    n_draws = choose_draws([each.counts.size for each in matrices if each])
    by_size: defaultdict[int, list[tuple[int, Counts]]] = defaultdict(list)
    for i, each in enumerate(matrices):
        if each is not None:
            by_size[len(each.labels)].append((i, each.counts))
    found = [UNDEFINED] * len(tables)
    for part in by_size.values():
        places, stack = [i for i, _ in part], np.stack([counts for _, counts in part])
        for i, estimate in zip(places, _of_one_size(stack, n_draws), strict=True):
            found[i] = estimate
    return found


def choose_draws(sizes: Sequence[int]) -> int:
    """How many tables the intervals of tables of so many cells rest on; 0: there are no bounds."""
    cells = sum(sizes)
    if cells * DRAWS[-1] > MOST_CELLS:
        return 0
    return next((n for n in DRAWS if n * cells <= DRAWN_CELLS), DRAWS[-1])


def _matrix(pairs: Pairs) -> Matrix | None:
    try:
        found = matrix(pairs)
    except TooManyClasses:
        return None
    return found if found.n else None


def _of_one_size(stack: Counts, n_draws: int) -> Iterator[Estimate]:
    """Of tables [t, K, K] in all of whose classes there is something."""
    rates = scores(stack)
    values = rates.macro(rates.f1)
    if stack.shape[1] == 1:
        # No table drawn over one class can show an error, its rate can.
        bounds = np.array([intervals.f1(counts) for counts in stack])[:, :, 0].T
    elif n_draws:
        bounds = _bounds(stack, values, n_draws)
    else:
        return (Estimate(float(value), None, None) for value in values)
    rows = zip(values, *bounds, strict=True)
    return (Estimate(float(value), float(low), float(high)) for value, low, high in rows)


def _bounds(stack: Counts, values: Floats, n_draws: int) -> Floats:
    """[2, t]: lower and upper."""
    at_once = max(1, _CHUNK_CELLS // (n_draws * stack[0].size))
    found = []
    for start in range(0, len(stack), at_once):
        part = stack[start : start + at_once]
        # Each with a generator of its own, as if it were alone.
        drawn = scores(
            np.stack(
                [intervals.draw_tables(t, rng=intervals.seeded(), n_draws=n_draws) for t in part]
            )
        )
        part_values = values[start : start + at_once]
        found.append(np.stack(intervals.quantiles(drawn.macro(drawn.f1), part_values)))
    return np.concatenate(found, axis=1)
