"""What a time line holds: a list entry a step each, NaN or None where there is nothing. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import numpy as np
import numpy.typing as npt

from monitoring.drift.grids import Counts, Floats
from monitoring.quality.report import Estimate
from monitoring.rollups import Scope
from monitoring.timelines.steps import Steps

OTHER_LABELS = "other labels"
MOST_LABELS = 12

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tally:
    """What was counted: `predicted` by (version, label) and `failed`, [steps] each; `labelled` by
    (version, step), (actual, predicted) → n. `failed` is None where nobody knows: failures have
    no segment.
    """

    predicted: Mapping[tuple[int, str], Counts]
    failed: Counts | None
    labelled: Mapping[tuple[int, int], Mapping[tuple[str, str], int]]

    @property
    def versions(self) -> list[int]:
        """Those with an answer or a label, ascending."""
        return sorted({key[0] for key in (*self.predicted, *self.labelled)})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Shapes:
    """Percentiles [3, steps]: of seconds at .5, .95, .99; of confidence at .1, .5, .9."""

    latency_s: Floats
    confidence: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The quality that reference `reference` of `version` shows."""

    version: int
    reference: int
    macro_f1: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityLine:
    """One version's macro F1 in each step, and how many labels it rests on."""

    estimates: Sequence[Estimate]
    n: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPoint:
    """What one family of detectors said: `effect` counts as drift from `floor` on, and a `p_value`
    up to `alpha`.
    """

    at: datetime
    detector: str | None
    effect: float | None
    p_value: float | None
    alpha: float | None
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLine:
    """One family's points at one monitor, in order."""

    monitor: str
    family: str
    floor: float
    points: Sequence[DriftPoint]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Something that happened to the model; `alert` is the id of the alert that it is told of."""

    at: datetime
    kind: str
    title: str
    alert: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Timeline:
    """All lines of a model, or of one version or segment of it, over the same steps.

    `n_begun` steps are not in the future. `estimates` are label-free, None where nothing estimates.
    """

    scope: Scope
    steps: Steps
    n_begun: int
    tally: Tally
    shapes: Shapes
    quality: Mapping[int, QualityLine]
    baseline: Baseline | None
    estimates: Sequence[Estimate] | None
    drift: Sequence[DriftLine]
    marks: Sequence[Mark]


def labels_of(tally: Tally, n_steps: int) -> dict[str, Counts]:
    """Predictions by label, [steps] each: the 12 most frequent in order, the others together."""
    totals: dict[str, Counts] = {}
    for (_, label), counts in tally.predicted.items():
        totals[label] = totals[label] + counts if label in totals else counts
    ranked = sorted(totals, key=lambda label: (-int(totals[label].sum()), label))
    shown = {label: totals[label] for label in sorted(ranked[:MOST_LABELS])}
    if rest := ranked[MOST_LABELS:]:
        others = np.sum([totals[label] for label in rest], axis=0)
        shown[OTHER_LABELS] = others + shown.get(OTHER_LABELS, np.zeros(n_steps, np.int64))
    return shown


def by_version(tally: Tally) -> dict[int, Counts]:
    """Predictions by version, [steps] each."""
    totals: dict[int, Counts] = {}
    for (version, _), counts in tally.predicted.items():
        totals[version] = totals[version] + counts if version in totals else counts
    return dict(sorted(totals.items()))
