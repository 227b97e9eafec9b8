"""Does the server fail too many requests? Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import scipy

from monitoring.evaluating.answers import Answer, Question, insufficient, percent
from monitoring.evaluating.options import ErrorsOptions
from monitoring.faults import SERVER_FAULTS
from monitoring.quality.intervals import proportion
from monitoring.severity import Severity
from monitoring.verdicts import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorFacts:
    """Requests that the version answered in the window, and those it did not, by error code."""

    n_answered: int
    failures: Mapping[str, int]


def answer(question: Question, options: ErrorsOptions, facts: ErrorFacts) -> Answer:
    """BREACH where the lower bound of the share of server faults lies above what is tolerated.

    The bound is Clopper and Pearson's (1934), one-sided at `alpha`.
    """
    faults = {code: n for code, n in facts.failures.items() if code in SERVER_FAULTS and n}
    n_faults, n = sum(faults.values()), facts.n_answered + sum(facts.failures.values())
    spans = {
        "window_start": question.at - timedelta(seconds=question.window),
        "window_end": question.at,
    }
    if n < options.min_items:
        return insufficient(f"{n} requests came; {options.min_items} are needed.", **spans)
    share = n_faults / n
    low, high = proportion(n_faults, n, level=1 - 2 * question.alpha)
    is_bad = float(low) > options.rate
    worst = max(faults, key=faults.__getitem__, default="")
    return Answer(
        verdict=Verdict.BREACH if is_bad else Verdict.OK,
        severity=Severity.CRITICAL if share > options.critical_rate else Severity.WARNING,
        summary=f"{n_faults} of {n} requests failed ({percent(share)})"
        + (f", mostly {worst}." if is_bad else "."),
        value=share,
        threshold=options.rate,
        p_value=float(scipy.stats.binom.sf(n_faults - 1, n, options.rate)),
        effect=share - options.rate,
        alpha=question.alpha,
        n_window=n,
        details={"low": float(low), "high": float(high), "faults": faults},
        **spans,  # type: ignore[arg-type]
    )
