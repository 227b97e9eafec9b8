"""What a batch costs in seconds, learnt while serving."""

import math

MIN_WEIGHT = 8.0
"""Batches, the older ones discounted, before the two parts are told apart."""


class CostModel:
    """seconds = fixed + per_token * padded tokens, by least squares with exponential forgetting.

    Each observation multiplies the weight of the older ones by `memory`, so about 1 / (1 - memory)
    batches count (20 by default) and a slow first batch is soon forgotten. Both coefficients stay
    at or above 0: where the fit would make one negative, the other is fitted alone.
    """

    def __init__(self, *, memory: float = 0.95) -> None:
        if not 0 < memory < 1:
            raise ValueError(f"memory must be in (0, 1), not {memory}.")
        self._memory = memory
        self._weight = self._x = self._y = self._xx = self._xy = self._real = 0.0

    def observe(self, *, padded_tokens: int, real_tokens: int, seconds: float) -> None:
        """Learn from one batch that ran without a failure."""
        x, keep = float(padded_tokens), self._memory
        self._weight = keep * self._weight + 1
        self._x = keep * self._x + x
        self._y = keep * self._y + seconds
        self._xx = keep * self._xx + x * x
        self._xy = keep * self._xy + x * seconds
        self._real = keep * self._real + real_tokens

    @property
    def fixed_tokens(self) -> float:
        """The fixed part, in tokens that cost as much; infinite until both parts are known."""
        fixed, per_token = self._fit()
        is_known = self._weight >= MIN_WEIGHT and self._has_spread() and per_token > 0
        return fixed / per_token if is_known else math.inf

    def predict(self, padded_tokens: float) -> float:
        """Seconds of one batch; 0 before any observation, proportional if all had one size."""
        fixed, per_token = self._fit()
        return fixed + per_token * padded_tokens

    def predict_drain(
        self, n_entries: int, n_tokens: int, *, max_batch: int, max_batch_tokens: int
    ) -> float:
        """Seconds one lane needs for `n_entries` waiting entries of `n_tokens` real tokens in all.

        Padding is taken to stay what it was lately, batches to be as full as the limits let them.
        """
        if not (n_entries and self._weight):
            return 0.0
        padded = n_tokens * self._x / self._real
        n_batches = max(math.ceil(n_entries / max_batch), math.ceil(padded / max_batch_tokens))
        fixed, per_token = self._fit()
        return fixed * n_batches + per_token * padded

    def _fit(self) -> tuple[float, float]:
        if not self._weight:
            return 0.0, 0.0
        mean_x, mean_y = self._x / self._weight, self._y / self._weight
        if not self._has_spread():
            return 0.0, mean_y / mean_x
        per_token = (self._xy / self._weight - mean_x * mean_y) / self._variance()
        fixed = mean_y - per_token * mean_x
        if per_token < 0:
            return mean_y, 0.0
        if fixed < 0:
            return 0.0, self._xy / self._xx
        return fixed, per_token

    def _variance(self) -> float:
        return self._xx / self._weight - (self._x / self._weight) ** 2

    def _has_spread(self) -> bool:
        return self._variance() > 1e-9 * self._xx / self._weight
