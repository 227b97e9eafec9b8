"""Are the other monitors still evaluated? Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from monitoring.evaluating.answers import Answer, Question, insufficient
from monitoring.evaluating.options import StuckOptions
from monitoring.severity import Severity
from monitoring.verdicts import Verdict

# One failure may be a database that was away for a moment.
ERRORS_IN_A_ROW = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """Another monitor: since when its next answer was waited for, and how often it failed.

    `since` is None where nothing is expected of it now.
    """

    name: str
    every_s: float
    since: datetime | None
    n_errors: int
    error: str = ""


def answer(question: Question, options: StuckOptions, watched: Sequence[Watched]) -> Answer:
    """BREACH where a monitor is late by several periods, or failed twice in a row."""
    if not watched:
        return insufficient("There is no other monitor.")
    late = [each.name for each in watched if _is_late(each, question.at, options)]
    failing = [each for each in watched if each.n_errors >= ERRORS_IN_A_ROW]
    n_bad = len({*late, *(each.name for each in failing)})
    told = [f"{name} is late" for name in late]
    told += [f"{each.name} fails: {each.error}" for each in failing]
    return Answer(
        verdict=Verdict.BREACH if n_bad else Verdict.OK,
        severity=Severity.WARNING,
        summary="; ".join(told)[:400] if n_bad else f"All {len(watched)} monitors are evaluated.",
        value=float(n_bad),
        threshold=0.0,
        n_window=len(watched),
        details={"late": late, "failing": {each.name: each.error for each in failing}},
    )


def _is_late(each: Watched, now: datetime, options: StuckOptions) -> bool:
    if each.since is None or not each.every_s:
        return False
    allowed = timedelta(seconds=options.periods * each.every_s + options.grace_s)
    return now - each.since > allowed
