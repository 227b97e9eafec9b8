"""Have answers become slow? Pure."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
import scipy

from monitoring.drift.grids import SECONDS, Counts
from monitoring.evaluating.answers import Answer, Question, insufficient
from monitoring.evaluating.options import LatencyOptions
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

QUANTILE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyFacts:
    """Seconds of whole answers, counted in the bins of `grids.SECONDS`: now, and earlier."""

    window: Counts
    earlier: Counts
    start: datetime
    end: datetime


def answer(question: Question, options: LatencyOptions, facts: LatencyFacts) -> Answer:
    """BREACH where more than one answer in twenty takes longer than `ratio` times the earlier 95th
    percentile, and longer than a floor that people notice: an exact binomial test at `alpha`.
    """
    n, n_earlier = int(facts.window.sum()), int(facts.earlier.sum())
    sizes = {
        "n_window": n,
        "n_reference": n_earlier,
        "window_start": facts.start,
        "window_end": facts.end,
    }
    if min(n, n_earlier) < options.min_items:
        return insufficient(
            f"{n} answers now and {n_earlier} earlier; {options.min_items} of each are needed.",
            **sizes,
        )
    before, now = quantile(facts.earlier), quantile(facts.window)
    limit = float(SECONDS[_edge_above(max(options.ratio * before, options.floor_s))])
    n_slow = int(facts.window[_edge_above(limit) + 1 :].sum())
    p_value = float(scipy.stats.binom.sf(n_slow - 1, n, 1 - QUANTILE))
    is_bad = p_value <= question.alpha
    return Answer(
        verdict=Verdict.BREACH if is_bad else Verdict.OK,
        severity=Severity.WARNING,
        summary=f"The 95th percentile of answers is {1000 * now:.0f} ms; "
        f"it was {1000 * before:.0f} ms"
        + (f", and {n_slow} of {n} take over {1000 * limit:.0f} ms." if is_bad else "."),
        value=now,
        threshold=limit,
        p_value=p_value,
        effect=now / before,
        alpha=question.alpha,
        details={"n_slow": n_slow, "p95_before_s": before, "p95_s": now},
        **sizes,  # type: ignore[arg-type]
    )


def quantile(counts: Counts, q: float = QUANTILE) -> float:
    """The quantile in seconds, interpolated within its bin; the bins are 1.25 times as long each.

    >>> counts = np.zeros(64, np.int64)
    >>> counts[10] = 100
    >>> bool(SECONDS[9] < quantile(counts) < SECONDS[10])
    True
    """
    below = np.cumsum(counts)
    wanted = q * below[-1]
    place = int(np.searchsorted(below, wanted))
    if not 0 < place < len(SECONDS):
        return float(SECONDS[min(place, len(SECONDS) - 1)])
    share = (wanted - below[place - 1]) / counts[place]
    return float(SECONDS[place - 1] * (SECONDS[place] / SECONDS[place - 1]) ** share)


def _edge_above(seconds: float) -> int:
    """The index of the first edge at or above `seconds`."""
    return min(int(np.searchsorted(SECONDS, seconds - 1e-12)), len(SECONDS) - 1)
