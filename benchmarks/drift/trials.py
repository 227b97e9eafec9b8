"""The case of one service: what every method, ours and others', is tried on. Pure."""

import numpy as np

from benchmarks.drift.cases import Case
from benchmarks.drift.services import Service
from benchmarks.drift.streams import (
    ORDERS,
    SHIFTS,
    Shift,
    Split,
    in_blocks,
    pool_rows,
    shifted,
    split,
)

N_REFERENCE = 2_000
N_SPLITS = 25
N_BEFORE = 800
HORIZON = 4_000
SMALLEST_HORIZON = 400


def make_case(
    service: Service, *, n_quiet: int, n_shifted: int, seed: int, n_reference: int = N_REFERENCE
) -> Case:
    """`n_quiet` quiet streams, in both orders in turn, and `n_shifted` in blocks for each shift.

    A stream is as long as the base allows, up to N_BEFORE + HORIZON.
    """
    rng = np.random.default_rng(seed)
    splits = [split(service.base, n_reference, rng) for _ in range(N_SPLITS)]
    length = min(N_BEFORE + HORIZON, len(splits[0].rest))
    if length < N_BEFORE + SMALLEST_HORIZON:
        raise ValueError(f"service {service.name}: only {length} texts are left for a stream")
    arrangements = list(ORDERS.values())
    quiet = [
        arrangements[number % len(arrangements)](splits[number % N_SPLITS].rest, rng)[:length]
        for number in range(n_quiet)
    ]
    return Case(
        embeddings=service.sample.embeddings,
        probabilities=service.sample.probabilities,
        predicted=service.sample.predicted,
        references=np.stack([parts.reference for parts in splits]),
        quiet=np.stack(quiet),
        shifted={
            shift.name: np.stack(
                [
                    _shifted(service, shift, splits[number % N_SPLITS], length, rng)
                    for number in range(n_shifted)
                ]
            )
            for shift in SHIFTS
        },
        n_before=N_BEFORE,
    )


def _shifted(
    service: Service, shift: Shift, parts: Split, length: int, rng: np.random.Generator
) -> np.ndarray:
    rows = in_blocks(parts.rest, rng)[:length]
    return shifted(rows, pool_rows(service, shift, parts.rest), shift, N_BEFORE, rng)
