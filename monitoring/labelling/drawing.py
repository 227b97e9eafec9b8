"""Which predictions to ask about: each is drawn by chance, with a probability known beforehand.

A label weighs the inverse of its probability, so the labelled items speak for all of them, however
much the draw prefers uncertain answers (Horvitz and Thompson, 1952). The probability follows from
the answer alone, never from its label, and the chance from a keyed hash of the id: who sends texts
cannot choose what is looked at, and a replay draws the same again.
"""

import hashlib
import math
from dataclasses import dataclass
from uuid import UUID

# No label speaks for more than 200 predictions: one rare draw would drown all others.
FLOOR = 0.005
LARGEST_SHARE = 0.9
UNIT_WEIGHT = 1000
_SMALLEST_MEAN = 1e-3
_HASH_BYTES = 8
_HASHES = float(1 << 8 * _HASH_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """`rate` draws per prediction; `uncertain_share` in [0, 0.9] of them prefer uncertain answers.

    `mean_uncertainty` in (0, 1] is that of recent traffic.
    """

    rate: float
    uncertain_share: float
    mean_uncertainty: float


@dataclass(frozen=True, slots=True)
class Chance:
    """`probability` is what a drawn label's weight is the inverse of, at least `FLOOR`.

    Where a model is so busy that it would be smaller, every draw is thinned by the same `kept`
    share first: weights then compare predictions of a stretch of constant rate, and each such
    stretch counts by its labels, not by its traffic.
    """

    probability: float
    kept: float


def uncertainty(score: float, n_labels: int) -> float:
    """How unsure an answer is, in [0, 1]: 0 for a sure one, 1 when all labels are equally likely.

    >>> uncertainty(0.5, 2), uncertainty(1.0, 2), uncertainty(0.75, 4)
    (1.0, 0.0, 0.333)
    """
    if n_labels < 2 or not math.isfinite(score):
        return 0.0
    unsure = (1 - score) * n_labels / (n_labels - 1)
    return round(min(1.0, max(0.0, unsure)), 3)


def chance(uncertainty: float, rates: Rates) -> Chance:
    """How likely one answer is drawn: evenly, and by its uncertainty relative to the mean.

    >>> rates = Rates(rate=0.1, uncertain_share=0.5, mean_uncertainty=0.2)
    >>> [round(chance(u, rates).probability, 3) for u in (0.0, 0.2, 1.0)]
    [0.05, 0.1, 0.3]
    """
    share = min(max(rates.uncertain_share, 0.0), LARGEST_SHARE)
    kept = min(1.0, rates.rate * (1 - share) / FLOOR)
    if kept <= 0:
        # No rate, or one so small that the product is none.
        return Chance(FLOOR, 0.0)
    preference = uncertainty / max(rates.mean_uncertainty, _SMALLEST_MEAN)
    probability = rates.rate / kept * (1 - share + share * preference)
    return Chance(min(1.0, max(FLOOR, probability)), kept)


def is_drawn(id: UUID, chance: Chance, *, key: bytes) -> bool:
    """Whether the prediction `id` is asked about; the same for the same `key` (up to 64 bytes)."""
    digest = hashlib.blake2b(id.bytes, key=key, digest_size=_HASH_BYTES).digest()
    uniform = int.from_bytes(digest, "big") / _HASHES
    return uniform < chance.probability * chance.kept


def weight(probability: float) -> int:
    """What a label drawn with `probability` weighs, in thousandths.

    >>> weight(0.25), weight(1.0), weight(FLOOR)
    (4000, 1000, 200000)
    """
    return round(UNIT_WEIGHT / max(probability, FLOOR))


def rate(per_hour: int, n_per_hour: float) -> float:
    """Draws per prediction that ask for `per_hour` labels of `n_per_hour` predictions.

    >>> rate(20, 1000), rate(20, 5), rate(0, 1000)
    (0.02, 1.0, 0.0)
    """
    return min(1.0, per_hour / n_per_hour) if n_per_hour > 0 else float(per_hour > 0)
