"""Whether answers take much longer than they did for the reference."""

from dataclasses import dataclass

import numpy as np

from monitoring.drift.base import Family, Finding, has_enough, insufficient
from monitoring.drift.contrasts import is_larger
from monitoring.drift.grids import SECONDS, Counts
from monitoring.drift.hygiene.findings import finding_of, is_measured, medians
from monitoring.drift.reference import Observed, Reference

# A bin of SECONDS is 1.25 times as long as the one before: slower by less than half is no news,
# since load alone does that.
BEARABLE_BINS = 2


@dataclass(frozen=True, slots=True)
class Latency:
    """Mann-Whitney, one-sided, against the reference's times made 1.56 times as long.

    Insufficient where the reference's answers were not timed, as when it came from a file.
    """

    name: str = "latency"
    family: Family = Family.HYGIENE
    needs_sample: bool = False

    def judge(self, reference: Reference, observed: Observed) -> Finding:
        before, now = reference.sums.seconds, observed.sums.seconds
        sizes = int(before.sum()), int(now.sum())
        if not has_enough(*sizes):
            return insufficient(self, *sizes, "too few predictions")
        if not is_measured(before) or not is_measured(now):
            return insufficient(self, *sizes, "answers were not timed")
        details = {"median_s": medians(before, now, SECONDS)}
        return finding_of(self, is_larger(_slower(before), now), *sizes, details)


def _slower(counts: Counts) -> Counts:
    moved = np.roll(counts, BEARABLE_BINS)
    moved[-1] += int(moved[:BEARABLE_BINS].sum())
    moved[:BEARABLE_BINS] = 0
    return moved
