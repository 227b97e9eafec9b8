"""A standing test of a rate: has it risen above what is allowed, at any time so far?

The Shiryaev-Roberts e-detector (Shin, Ramdas and Rinaldo, 2024, arXiv 2203.03532). Each bet b plays
every outcome x in {0, 1} of weight w at the factor 1 + b w (x - limit) / (w_max limit), fair or
losing while the rate is at most `limit`; a new stake of 1 enters at each outcome, so that a change
at any time finds a fresh one. While nothing is wrong the expected evidence after n outcomes is at
most n; hence alarms at evidence >= ARL come on average no sooner than every ARL outcomes, whatever
the sample sizes, however often one looks. The state is one number a bet.

Known inverse probabilities as weights keep it so: then it tests the rate among all predictions,
not among the labelled ones.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from monitoring.quality.confidence_sequence import Outcome, Totals, totals_of

# Shares of the largest bet that cannot lose everything; small ones find small rises.
BETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32)
# Far beyond any ARL, far below where numbers end.
MOST_LEVEL = 1e100
FEWEST_LABELS = 1000
DAYS = 90.0
_TOTALS = tuple(f.name for f in fields(Totals) if f.name not in ("n", "n_bad"))


@dataclass(frozen=True, slots=True)
class State:
    """`levels` holds the evidence of each of BETS; `totals` all outcomes so far."""

    levels: tuple[float, ...] = (0.0,) * len(BETS)
    totals: Totals = field(default_factory=Totals)

    @property
    def e_value(self) -> float:
        """The evidence: the mean over bets. An alarm is due at e_value >= ARL."""
        return sum(self.levels) / len(self.levels)

    def scaled(self, factor: float) -> "State":
        """The same with less evidence, factor <= 1: never against the guarantee."""
        return State(tuple(level * factor for level in self.levels), self.totals)


def update(
    state: State, outcomes: Sequence[Outcome], *, limit: float, largest_weight: float = 1.0
) -> State:
    """`state` after `outcomes` in order of arrival, against "the rate of bad is at most `limit`".

    `limit` in (0, 1). `largest_weight` is a bound that is known before the outcomes are; the
    closer to the weights the sharper. A bad outcome that weighs more counts as if it weighed that.

    >>> quiet = update(State(), [Outcome(i % 10 == 0) for i in range(500)], limit=0.12)
    >>> worse = update(quiet, [Outcome(i % 4 == 0) for i in range(200)], limit=0.12)
    >>> quiet.e_value < 1000 < worse.e_value
    True
    """
    if not 0 < limit < 1:
        raise ValueError("limit must lie between 0 and 1")
    stakes = [bet / (largest_weight * limit) for bet in BETS]
    levels = state.levels
    for outcome in outcomes:
        if outcome.is_bad:
            gain = min(outcome.weight, largest_weight) * (1 - limit)
            levels = tuple(
                min((level + 1) * (1 + stake * gain), MOST_LEVEL)
                for level, stake in zip(levels, stakes, strict=True)
            )
        else:
            loss = outcome.weight * limit
            levels = tuple(
                (level + 1) * max(1 - stake * loss, 0.0)
                for level, stake in zip(levels, stakes, strict=True)
            )
    totals = state.totals + totals_of(outcomes, largest_weight=largest_weight)
    return State(levels, totals)


def run_length(
    labels_per_day: float, *, days: float = DAYS, share: float = 1.0, fewest: int = FEWEST_LABELS
) -> float:
    """The ARL in labels for "one false alarm in `days`", of which this test may spend `share`.

    At least `fewest`: with a few labels a day the promise then becomes stricter, never laxer, but
    a shorter ARL would alarm upon a handful of errors.

    >>> run_length(100), run_length(100, share=0.5), run_length(2)
    (9000.0, 18000.0, 1000.0)
    """
    if not 0 < share <= 1:
        raise ValueError("share must lie between 0 and 1")
    return max(float(fewest), labels_per_day * days / share)


def to_json(state: State) -> dict[str, Any]:
    totals = state.totals
    counted: dict[str, Any] = {"n": totals.n, "n_bad": totals.n_bad}
    return {
        "levels": list(state.levels),
        **counted,
        **{name: getattr(totals, name) for name in _TOTALS},
    }


def from_json(encoded: Mapping[str, Any]) -> State:
    """Raises ValueError for what `to_json` did not make."""
    try:
        levels = tuple(float(level) for level in encoded["levels"])
        totals = Totals(
            n=int(encoded["n"]),
            n_bad=int(encoded["n_bad"]),
            **{name: float(encoded[name]) for name in _TOTALS},
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"not the state of a detector: {error!r}") from error
    if len(levels) != len(BETS):
        raise ValueError(f"not the state of a detector: {len(levels)} levels")
    return State(levels, totals)
