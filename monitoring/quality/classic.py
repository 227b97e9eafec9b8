"""The rule many teams begin with: alarm when F1 is some per cent lower than before.

It is offered for those who want it, and off by default, since it has no false-alarm rate of its
own: it alarms as often as chance moves F1 by that much, which depends on the number of labels and
on how rare the class is. `false_alarm_rate` says how often; FALSE_ALARMS holds it
for the usual cases.
"""

from dataclasses import dataclass

import numpy as np

from monitoring.quality import intervals
from monitoring.quality.metrics import Floats, scores

DROP = 0.05
N_DRAWS = 20_000


@dataclass(frozen=True, slots=True)
class Stream:
    """Labels of two classes, of which `positives` is the share of one and `f1` its true F1, with
    precision and recall alike.
    """

    positives: float
    f1: float


BALANCED = Stream(positives=0.5, f1=0.90)
RARE = Stream(positives=0.1, f1=0.81)
FALSE_ALARMS = {
    BALANCED: {50: 0.23, 100: 0.15, 200: 0.07, 500: 0.011, 1000: 0.001},
    RARE: {50: 0.42, 100: 0.38, 200: 0.33, 500: 0.24, 1000: 0.16},
}
"""By labels a window: how often a 5 % drop against the window before is chance alone."""


def has_dropped(f1: float, before: float, *, drop: float = DROP) -> bool:
    """Whether F1 is more than `drop` (a part of `before`) lower.

    >>> has_dropped(0.84, 0.90), has_dropped(0.86, 0.90)
    (True, False)
    """
    return f1 < before * (1 - drop)


def false_alarm_rate(
    n_labelled: int,
    stream: Stream = BALANCED,
    *,
    drop: float = DROP,
    n_baseline: int | None = None,
    n_draws: int = N_DRAWS,
) -> float:
    """How often the rule alarms when nothing has changed, for each window of `n_labelled` labels.

    Compared is the window before; with `n_baseline` a baseline of so many labels. Simulated from a
    fixed seed.
    """
    rng = intervals.seeded()
    now = _drawn_f1(n_labelled, stream, n_draws, rng)
    before = _drawn_f1(n_baseline or n_labelled, stream, n_draws, rng)
    return float((now < before * (1 - drop)).mean())


def _drawn_f1(n: int, stream: Stream, n_draws: int, rng: np.random.Generator) -> Floats:
    hits, missed = stream.positives * stream.f1, stream.positives * (1 - stream.f1)
    # Precision equals recall: as many false alarms as misses.
    chances = [hits, missed, missed, 1 - hits - 2 * missed]
    tables = rng.multinomial(n, chances, size=n_draws).reshape(n_draws, 2, 2)
    return scores(tables).f1[:, 0]
