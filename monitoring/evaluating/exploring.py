"""Drift on request: any window against the reference or any other window, by any detector.

Nothing of it is kept, no budget is spent and nobody is alerted: it is for people who ask.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from monitoring.drift import catalogue
from monitoring.drift.base import Detector, Finding
from monitoring.drift.judging import FLOOR, Judgement, judge, judge_segments
from monitoring.drift.reference import Observed, Reference, fit
from monitoring.drift.sums import Sums
from monitoring.errors import InvalidFilter, InvalidWindow
from monitoring.evaluating.questions.drift import FEWEST_IN_A_SEGMENT, describe, usable
from monitoring.evaluating.resolving import resolve
from monitoring.models import ReferenceOrigin
from monitoring.references.making import load_basis
from monitoring.references.queries import load_active
from monitoring.traffic.windows import (
    Stretch,
    load_by_segment,
    load_newest,
    load_sample,
    load_stretch,
)
from monitoring.windows import Window
from registry import queries as registry

LONGEST = timedelta(days=92)
"""Of the sums of a window: an hour has a row, and each segment its own."""
MOST_LAST = 10_000
MOST_SAMPLED = 2000
"""Rows that detectors get which look at single answers: some cost as the square of it."""
MOST_ASKED = len(catalogue.NAMES)
MOST_SEGMENTS = 8
"""The largest ones, each with enough predictions to be judged by itself."""
DEFAULT_ALPHA = 0.01
EXPLAINER = "classifier"
_SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftQuery:
    """Which predictions are compared with which.

    The window is `window`, or the `last` so many predictions. Without `against` it is compared with
    the active reference. No `detectors` means the default ones. `explain` adds the classifier that
    names the texts and words that differ most; `by_segment` judges the largest segments of a
    window of time as well, which share a level `alpha` of their own.
    """

    model: str
    version: int | None = None
    window: Window | None = None
    last: int | None = None
    against: Window | None = None
    detectors: tuple[str, ...] = ()
    explain: bool = False
    by_segment: bool = False
    alpha: float = DEFAULT_ALPHA


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DriftReport:
    """What was compared, and the judgement; times are what the sums really cover.

    `sums` are the window's, `against` those of the other side; `costs` are seconds by detector;
    `segments` are judgements and sizes by segment.
    """

    model: str
    version: int
    start: datetime | None
    end: datetime | None
    n_window: int
    reference: int | None
    against_start: datetime | None
    against_end: datetime | None
    n_reference: int
    floor: float
    judgement: Judgement
    summary: str
    sums: Sums
    against: Sums | None
    costs: Mapping[str, float] = field(default_factory=dict)
    segments: Mapping[str, tuple[int, Judgement]] = field(default_factory=dict)

    @property
    def findings(self) -> tuple[Finding, ...]:
        return self.judgement.findings


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Side:
    """The other side of a comparison; None where there is none."""

    reference: Reference | None
    id: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    is_traffic: bool = True


def compare(query: DriftQuery) -> DriftReport:
    """Compare as `query` says.

    Raises ModelNotFound, VersionNotFound, InvalidWindow or InvalidFilter.
    """
    version = _version(query)
    detectors = _detectors(query)
    found = _load_window(query, version)
    side = _load_side(query, version)
    findings: list[Finding] = []
    costs: dict[str, float] = {}
    if side.reference is not None:
        observed = _load_observed(query.model, version, found, detectors)
        for each in usable(detectors, side.is_traffic):
            began = time.perf_counter()
            findings.append(each.judge(side.reference, observed))
            costs[each.name] = time.perf_counter() - began
    judgement = judge(findings, alpha=query.alpha)
    return DriftReport(
        model=query.model,
        version=version,
        start=found.start,
        end=found.end,
        n_window=found.sums.n,
        reference=side.id,
        against_start=side.start,
        against_end=side.end,
        n_reference=side.reference.sums.n if side.reference else 0,
        floor=FLOOR,
        judgement=judgement,
        summary=describe(judgement) if findings else "There is nothing to compare with.",
        sums=found.sums,
        against=side.reference.sums if side.reference else None,
        costs=costs,
        segments=_judge_segments(query, version, side, detectors),
    )


def _load_observed(
    model: str, version: int, found: Stretch, detectors: Sequence[Detector]
) -> Observed:
    if not any(each.needs_sample for each in detectors) or not found.start or not found.end:
        return Observed(sums=found.sums)
    sample = load_sample(model, version, found.start, found.end, MOST_SAMPLED)
    return Observed(sums=found.sums, sample=sample)


def _judge_segments(
    query: DriftQuery, version: int, side: _Side, detectors: Sequence[Detector]
) -> dict[str, tuple[int, Judgement]]:
    """Sums know segments, samples do not; blocks, of which windows by count are made, neither."""
    reference, window = side.reference, query.window
    if not query.by_segment or reference is None or window is None:
        return {}
    every = load_by_segment(query.model, version, start=window.start, end=window.end)
    large = sorted(
        (name for name, sums in every.items() if sums.n >= FEWEST_IN_A_SEGMENT),
        key=lambda name: -every[name].n,
    )[:MOST_SEGMENTS]
    asked = [each for each in usable(detectors, side.is_traffic) if not each.needs_sample]
    found = {
        name: [each.judge(reference, Observed(sums=every[name])) for each in asked]
        for name in large
    }
    judged = judge_segments(found, alpha=query.alpha)
    return {name: (every[name].n, judged[name]) for name in large}


def _version(query: DriftQuery) -> int:
    if query.version is not None:
        return registry.load_version(query.model, query.version).number
    registry.load_model(query.model)
    subject = resolve(query.model, None)
    if subject is None:
        raise InvalidFilter(
            f"{query.model} has no live version: name one with 'version'.",
            details={"field": "version"},
        )
    return subject.version


def _detectors(query: DriftQuery) -> list[Detector]:
    names = list(dict.fromkeys(query.detectors)) or [each.name for each in catalogue.DEFAULTS]
    unknown = [name for name in names if name not in catalogue.NAMES]
    if unknown or len(query.detectors) > MOST_ASKED:
        raise InvalidFilter(
            f"'detectors' must name at most {MOST_ASKED} of {', '.join(catalogue.NAMES)}.",
            details={"field": "detectors"},
        )
    if query.explain and EXPLAINER not in names:
        names.append(EXPLAINER)
    return [catalogue.get(name) for name in names]


def _load_window(query: DriftQuery, version: int) -> Stretch:
    if query.last is not None:
        if not 1 <= query.last <= MOST_LAST:
            raise InvalidFilter(
                f"'last' must be from 1 to {MOST_LAST} predictions.", details={"field": "last"}
            )
        return load_newest(query.model, version, query.last)
    if query.window is None:
        raise InvalidFilter(
            "The window is missing: give 'from' and 'to', or 'last'.", details={"field": "from"}
        )
    return _load(query.model, version, query.window, "from")


def _load(model: str, version: int, window: Window, field: str) -> Stretch:
    if window.end - window.start > LONGEST:
        raise InvalidWindow(
            f"A window of drift may be at most {LONGEST.days} days long.", details={"field": field}
        )
    return load_stretch(model, version, start=window.start, end=window.end)


def _load_side(query: DriftQuery, version: int) -> _Side:
    if query.against is None:
        active = load_active(query.model, version)
        if active is None:
            return _Side(reference=None)
        return _Side(
            reference=active.reference,
            id=active.id,
            is_traffic=active.origin == ReferenceOrigin.ACCEPTED,
        )
    found = _load(query.model, version, query.against, "against_from")
    if found.start is None or found.end is None:
        return _Side(reference=None)
    sample = load_sample(query.model, version, found.start, found.end, MOST_SAMPLED)
    rng = np.random.default_rng(_SEED)
    basis = load_basis(query.model, version)
    made = fit(sample, rng=rng, basis=basis, sums=found.sums) if len(sample) else None
    return _Side(reference=made, start=found.start, end=found.end)
