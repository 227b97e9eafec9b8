"""Is the candidate worse than the stable version? Asked after every minute, wrong at most once.

Two streams of yes and no (failed or not, slow or not) are compared by betting. Each item of the
smaller stream is paired with its own handful of the larger one, and for every pair the wealth is
multiplied by 1 + λ (D - margin), where D is the item minus the mean of its handful. While the
candidate's rate is at most `margin` above the stable one's, D - margin is at most 0 on average, so
wealth that starts at 1 is a supermartingale: that it ever reaches 1/α has a probability of at most
α (Ville, 1939), however often and whenever one looks. Bets of several sizes λ run side by side and
their mean is again such wealth (Waudby-Smith and Ramdas, 2024, bet so on one stream). Who is paired
with whom within one look is drawn at random: counts do not tell the order, and a random one has the
same law as the true one.

Traffic changes over the day for both streams alike. Only what came between the same two looks is
paired, so that cancels.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

N_BETS = 10
# The share of the largest legal bet that the boldest bet takes: at 1 one lost pair ends it.
BOLDEST, SHYEST = 0.8, 0.01
# More pairs a look than this decide nothing that fewer would not.
MOST_PAIRS = 20_000


@dataclass(frozen=True, slots=True)
class Tally:
    """`n_bad` of `n` items were bad."""

    n: int = 0
    n_bad: int = 0

    @property
    def rate(self) -> float | None:
        return self.n_bad / self.n if self.n else None

    def since(self, earlier: "Tally") -> "Tally":
        """What came after `earlier`; counts that were corrected downwards give nothing."""
        n = max(0, self.n - earlier.n)
        return Tally(n, min(n, max(0, self.n_bad - earlier.n_bad)))


NO_TALLY = Tally()


@dataclass(frozen=True, slots=True)
class Wealth:
    """The logarithm of what each bet has become, and how many pairs it was bet on."""

    logs: tuple[float, ...] = (0.0,) * N_BETS
    n_pairs: int = 0

    @property
    def e_value(self) -> float:
        """The mean wealth of all bets; capped so that it stays a finite number."""
        return float(np.exp(min(np.logaddexp.reduce(self.logs) - np.log(len(self.logs)), 700.0)))


START = Wealth()


@dataclass(frozen=True, slots=True)
class Duel:
    """Both questions about one metric: is it `worse` by more than the margin, is it `fine`."""

    worse: Wealth = START
    fine: Wealth = START


NO_DUEL = Duel()


def watch(
    duel: Duel,
    candidate: Tally,
    stable: Tally,
    *,
    margin: float,
    fine_margin: float,
    rng: np.random.Generator,
) -> Duel:
    """The duel after what came since the last look. `worse` bets against a rate at most `margin`
    above the stable one's, `fine` against one at least `fine_margin` above it; both in (0, 1).
    """
    differences = _differences(candidate, stable, rng)
    if not len(differences):
        return duel
    return Duel(
        worse=_bet(duel.worse, differences - margin, 1 + margin),
        fine=_bet(duel.fine, fine_margin - differences, 1 - fine_margin),
    )


def watch_alone(wealth: Wealth, seen: Tally, *, limit: float) -> Wealth:
    """Bet against a rate of at most `limit` in (0, 1), for a stream that has no counterpart."""
    if not seen.n:
        return wealth
    gains = np.array([1 - limit] * seen.n_bad + [-limit] * (seen.n - seen.n_bad))
    return _bet(wealth, gains, limit)


def mean_e(values: "list[float]") -> float:
    """The e-value of several questions at once: their mean is one, whatever their dependence."""
    return float(np.mean(values)) if values else 1.0


def _bet(wealth: Wealth, gains: Floats, largest_loss: float) -> Wealth:
    """Bet on each of `gains`, which lie above -`largest_loss` and are not positive on average under
    the null.
    """
    bets = np.geomspace(SHYEST, BOLDEST, N_BETS) / largest_loss
    values, times = np.unique(gains, return_counts=True)
    grown = (times * np.log1p(np.multiply.outer(bets, values))).sum(axis=1)
    logs = np.clip(np.asarray(wealth.logs) + grown, -700.0, 700.0)
    return replace(wealth, logs=tuple(float(x) for x in logs), n_pairs=wealth.n_pairs + len(gains))


def _differences(candidate: Tally, stable: Tally, rng: np.random.Generator) -> Floats:
    """Candidate minus stable of each pair; what does not fill a handful is left out."""
    if not candidate.n or not stable.n:
        return np.zeros(0)
    if candidate.n <= stable.n:
        return _paired(candidate, stable, rng)
    return -_paired(stable, candidate, rng)


def _paired(few: Tally, many: Tally, rng: np.random.Generator) -> Floats:
    n_pairs = min(few.n, MOST_PAIRS)
    size = many.n // few.n
    items = _drawn(few, 1, n_pairs, rng)
    handfuls = _drawn(many, size, n_pairs, rng)
    return np.asarray(items - handfuls / size, dtype=np.float64)


def _drawn(
    tally: Tally, size: int, n_groups: int, rng: np.random.Generator
) -> npt.NDArray[np.int64]:
    """How many bad items fall into each of `n_groups` random groups of `size` of the tally's."""
    n_drawn = n_groups * size
    n_bad = int(rng.hypergeometric(tally.n_bad, tally.n - tally.n_bad, n_drawn))
    places = rng.choice(n_drawn, n_bad, replace=False)
    return np.bincount(places // size, minlength=n_groups)
