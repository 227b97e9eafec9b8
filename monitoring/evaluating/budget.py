"""How much of the false-alarm budget one evaluation may spend. Pure."""

from monitoring.drift.budget import alpha_for

SHARES = {"quality": 0.7, "calibration": 0.2, "drift": 0.1}
"""The parts of "about one false alarm per so many days and model"; they add up to 1."""
OPERATIONAL = 0.1
"""Missing traffic or feedback, errors, latency: about what is down, not about the model. Each may
alarm falsely once in ten such periods, besides.
"""


def share_of(kind: str, n_alike: int) -> float:
    """The part of the budget of one of `n_alike` monitors of `kind`.

    >>> share_of("drift", 2)
    0.05
    """
    return SHARES.get(kind, OPERATIONAL) / max(1, n_alike)


def level(kind: str, *, n_alike: int, elapsed_s: float, days: float) -> float:
    """The level of an evaluation `elapsed_s` after the one before."""
    return alpha_for(max(0.0, elapsed_s), days=days, share=share_of(kind, n_alike))
