"""How high a rate is, with bounds that hold at all times at once: look as often as you like.

An interval for one look is broken by looking again until it suits; a confidence sequence is not:
with probability `level` the truth lies within *all* its intervals. It inverts a test martingale:
a rate is left out once a bet against it has multiplied its stake by 1 / (1 - level) (Ville, 1939).

Both forms below need only sums, so that state is constant and windows merge. Unweighted outcomes:
Robbins' (1970) beta-binomial mixture. Weighted outcomes: for a bounded bet xi >= -1, the inequality
1 + c xi >= exp(c xi - psi(c) xi²), psi(c) = -log(1 - c) - c (Fan, Grama and Liu, 2015), turns the
betting martingale of Waudby-Smith and Ramdas (2024) into a quadratic in the rate. The confseq
package has further forms.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import scipy
from scipy import special

LEVEL = 0.95
# The weighted form mixes over these bets on stakes: xi = stake (x - p) stays >= -1.
BETS = np.array([0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64])
_PSI = -np.log1p(-BETS) - BETS
_LOG_N_BETS = float(np.log(len(BETS)))
_EDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Outcome:
    """One labelled item: whether it is `is_bad`, and what it weighs (1 / its probability)."""

    is_bad: bool
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What outcomes add up to. A `stake` is a weight over the bound that was known for it, at most
    1; `bad_…` sums only the bad outcomes.
    """

    n: int = 0
    n_bad: int = 0
    weight: float = 0.0
    bad_weight: float = 0.0
    weight_squared: float = 0.0
    stake: float = 0.0
    bad_stake: float = 0.0
    stake_squared: float = 0.0
    bad_stake_squared: float = 0.0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(
            n=self.n + other.n,
            n_bad=self.n_bad + other.n_bad,
            weight=self.weight + other.weight,
            bad_weight=self.bad_weight + other.bad_weight,
            weight_squared=self.weight_squared + other.weight_squared,
            stake=self.stake + other.stake,
            bad_stake=self.bad_stake + other.bad_stake,
            stake_squared=self.stake_squared + other.stake_squared,
            bad_stake_squared=self.bad_stake_squared + other.bad_stake_squared,
        )

    @property
    def rate(self) -> float | None:
        """The weighted share of bad outcomes (Hajek); None of none."""
        return self.bad_weight / self.weight if self.weight else None

    @property
    def is_weighted(self) -> bool:
        """Whether any outcome weighs other than 1."""
        return self.weight != self.n or self.weight_squared != self.n


@dataclass(frozen=True, slots=True)
class Bounds:
    low: float
    high: float


def totals_of(outcomes: Iterable[Outcome], *, largest_weight: float = 1.0) -> Totals:
    """`largest_weight` bounds the weights and must not depend on the outcomes; a larger one has
    the stake of one that is as large.
    """
    rows = [(o.weight, min(o.weight / largest_weight, 1.0), o.is_bad) for o in outcomes]
    bad = [(weight, stake) for weight, stake, is_bad in rows if is_bad]
    return Totals(
        n=len(rows),
        n_bad=len(bad),
        weight=sum(weight for weight, _, _ in rows),
        bad_weight=sum(weight for weight, _ in bad),
        weight_squared=sum(weight**2 for weight, _, _ in rows),
        stake=sum(stake for _, stake, _ in rows),
        bad_stake=sum(stake for _, stake in bad),
        stake_squared=sum(stake**2 for _, stake, _ in rows),
        bad_stake_squared=sum(stake**2 for _, stake in bad),
    )


def plain_totals(n: int, n_bad: int) -> Totals:
    """The totals of n outcomes that all weigh 1."""
    return Totals(
        n=n,
        n_bad=n_bad,
        weight=n,
        bad_weight=n_bad,
        weight_squared=n,
        stake=n,
        bad_stake=n_bad,
        stake_squared=n,
        bad_stake_squared=n_bad,
    )


def sequence(totals: Totals, *, level: float = LEVEL) -> Bounds:
    """Bounds of the rate of bad outcomes, valid at every look.

    >>> bounds = sequence(plain_totals(400, 40))
    >>> round(bounds.low, 3), round(bounds.high, 3)
    (0.055, 0.161)
    """
    rate = totals.rate
    if rate is None:
        return Bounds(0.0, 1.0)
    wanted = -np.log1p(-level)
    if not totals.is_weighted:
        return _inverted(lambda p: _mixture(totals.n_bad, totals.n, p) - wanted, rate)
    # Two bets, up and down, share the error.
    above = _inverted(lambda p: _weighted(totals, p, 1) - wanted - np.log(2), rate)
    below = _inverted(lambda p: _weighted(totals, p, -1) - wanted - np.log(2), rate)
    return Bounds(above.low, below.high)


def _inverted(evidence: Callable[[float], float], rate: float) -> Bounds:
    """Where the evidence against a rate, smallest near `rate`, is negative."""
    low, high = _EDGE, 1 - _EDGE
    middle = min(max(rate, low), high)
    if evidence(low) > 0 > evidence(middle):
        low = float(scipy.optimize.brentq(evidence, low, middle, xtol=1e-7))
    else:
        low = 0.0
    if evidence(high) > 0 > evidence(middle):
        high = float(scipy.optimize.brentq(evidence, middle, high, xtol=1e-7))
    else:
        high = 1.0
    return Bounds(low, high)


def _mixture(n_bad: int, n: int, p: float) -> float:
    """The log of a uniform mixture of likelihoods over that of `p`."""
    mixed = special.betaln(n_bad + 1, n - n_bad + 1)
    return float(mixed - special.xlogy(n_bad, p) - special.xlog1py(n - n_bad, -p))


def _weighted(totals: Totals, p: float, direction: int) -> float:
    """The log wealth of bets that the rate is above (1) or below (-1) `p`."""
    # The same bets for every p: what refutes one rate then refutes all that lie farther off.
    linear = direction * (totals.bad_stake - p * totals.stake)
    missed_squared = totals.stake_squared - totals.bad_stake_squared
    square = totals.bad_stake_squared * (1 - p) ** 2 + missed_squared * p**2
    return float(np.logaddexp.reduce(BETS * linear - _PSI * square)) - _LOG_N_BETS
