"""The Detector port: a reference and a window of traffic in, a finding out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from monitoring.drift.reference import Observed, Reference

# Below these a detector says that there is too little data.
FEWEST_WINDOW = 50
FEWEST_REFERENCE = 200


class Family(StrEnum):
    """What a detector looks at: the answers, the texts' meaning, its spread, or plain oddities."""

    OUTPUTS = "outputs"
    INPUTS = "inputs"
    SHAPE = "shape"
    HYGIENE = "hygiene"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one detector found. It decides nothing: a threshold is the caller's.

    `p_value` is None for detectors that have none (then `statistic` is compared) and where there
    is too little data, which `is_sufficient` says. `effect` is how large the change is on a scale
    that does not grow with n: the AUC-like share in [0.5, 1] with which one item of the window can
    be told from one of the reference by what the detector looks at. `details` are JSON.
    """

    detector: str
    family: Family
    n_reference: int
    n_window: int
    is_sufficient: bool
    statistic: float | None = None
    p_value: float | None = None
    effect: float | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


class Detector(Protocol):
    """Compares a window with a reference. Stateless; the same arguments give the same finding.

    `needs_sample` says that sums are not enough: the window's and the reference's sample are
    looked at, and the finding is insufficient without them.
    """

    @property
    def name(self) -> str: ...

    @property
    def family(self) -> Family: ...

    @property
    def needs_sample(self) -> bool: ...

    def judge(self, reference: Reference, observed: Observed) -> Finding: ...


def has_enough(n_reference: int, n_window: int) -> bool:
    return n_reference >= FEWEST_REFERENCE and n_window >= FEWEST_WINDOW


def insufficient(detector: Detector, n_reference: int, n_window: int, reason: str) -> Finding:
    """The finding of a detector that cannot say anything; `reason` tells the reader why."""
    return Finding(
        detector=detector.name,
        family=detector.family,
        n_reference=n_reference,
        n_window=n_window,
        is_sufficient=False,
        details={"reason": reason},
    )
