"""The classic rule: F1 fell by more than so much against the window before. Pure.

It is off by default. With the labels that a window usually has it alarms by chance again and again,
and misses a slow decay. Each answer says how often chance alone makes such a drop.
"""

from dataclasses import dataclass
from datetime import datetime

from monitoring.evaluating.answers import Answer, Question, insufficient, percent
from monitoring.evaluating.options import ClassicOptions
from monitoring.quality.classic import Stream, false_alarm_rate, has_dropped
from monitoring.quality.metrics import Matrix, scores
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

N_DRAWS = 2000
# Two equal classes: at a lower F1 than by guessing there is nothing to simulate.
FEWEST_F1 = 0.5


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClassicFacts:
    """The labelled answers of this window and of the one before it."""

    window: Matrix
    before: Matrix
    start: datetime
    end: datetime


def answer(question: Question, options: ClassicOptions, facts: ClassicFacts) -> Answer:
    """BREACH where macro F1 is lower than before by more than `drop`, relatively."""
    sizes = {
        "n_window": facts.window.n,
        "n_reference": facts.before.n,
        "window_start": facts.start,
        "window_end": facts.end,
    }
    if min(facts.window.n, facts.before.n) < options.min_items:
        return insufficient(
            f"{facts.window.n} labels now and {facts.before.n} before; "
            f"{options.min_items} of each are needed.",
            **sizes,
        )
    now, before = _macro_f1(facts.window), _macro_f1(facts.before)
    by_chance = false_alarm_rate(
        facts.window.n,
        Stream(positives=0.5, f1=max(before, FEWEST_F1)),
        drop=options.drop,
        n_baseline=facts.before.n,
        n_draws=N_DRAWS,
    )
    return Answer(
        verdict=Verdict.BREACH if has_dropped(now, before, drop=options.drop) else Verdict.OK,
        severity=Severity.INFO,
        summary=f"Macro F1 is {now:.3f}; it was {before:.3f} in the window before. Chance alone "
        f"makes such a drop in {percent(by_chance)} of windows.",
        value=now,
        threshold=(1 - options.drop) * before,
        effect=1 - now / before if before else None,
        alpha=by_chance,
        **sizes,  # type: ignore[arg-type]
    )


def _macro_f1(matrix: Matrix) -> float:
    rates = scores(matrix.counts)
    return float(rates.macro(rates.f1))
