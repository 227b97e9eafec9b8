"""The reader of time lines: everything that a model's charts show, in a bounded number of queries.

Nothing of it grows with the number of predictions: counts come from roll-ups, percentiles from
histograms, and only the last half hour, in short steps, from at most 50,000 rows.
"""

from datetime import datetime, timedelta
from functools import lru_cache

import numpy as np
from django.conf import settings

from monitoring.drift.grids import Floats
from monitoring.quality.metrics import Matrix
from monitoring.quality.report import UNDEFINED, Estimate, judge
from monitoring.references.queries import load_active
from monitoring.rollups import Scope
from monitoring.timelines import evaluated
from monitoring.timelines.counting import load_tally
from monitoring.timelines.marking import load_marks
from monitoring.timelines.rows import load_from_rows
from monitoring.timelines.scoring import score
from monitoring.timelines.shaping import load_shapes
from monitoring.timelines.specs import Baseline, QualityLine, Shapes, Tally, Timeline, by_version
from monitoring.timelines.steps import MINUTE_S, Steps, choose_steps, choose_whole_minutes
from registry import queries as registry


def load_timeline(scope: Scope, *, now: datetime) -> Timeline:
    """The lines of `scope`'s model, version and segment over its window, widened to whole steps.

    Raises ModelNotFound or VersionNotFound.
    """
    registry.require(scope.model, scope.version)
    steps, tally, shapes = _observed(scope, now)
    version = scope.version or _live(scope.model)
    return Timeline(
        scope=scope,
        steps=steps,
        n_begun=steps.n_begun(now),
        tally=tally,
        shapes=shapes,
        quality=_quality(tally, steps.n),
        baseline=_load_baseline(scope.model, version),
        estimates=evaluated.load_estimates(scope, steps, version),
        drift=evaluated.load_drift(scope, steps),
        marks=load_marks(scope, steps.window),
    )


def _observed(scope: Scope, now: datetime) -> tuple[Steps, Tally, Shapes]:
    steps = choose_steps(scope.window)
    if steps.step_s < MINUTE_S:
        is_kept = steps.window.start > now - timedelta(days=settings.BELLWETHER_RETENTION_DAYS)
        found = load_from_rows(scope, steps) if is_kept else None
        if found is not None:
            return steps, *found
        steps = choose_whole_minutes(scope.window)
    tally = load_tally(scope, steps)
    shapes = load_shapes(scope, steps, tally.versions)
    return steps, tally, _only_where_predicted(shapes, tally)


def _only_where_predicted(shapes: Shapes, tally: Tally) -> Shapes:
    """A step that is shorter than what is kept shows it only if something was answered in it."""
    totals = by_version(tally)
    n = np.sum(list(totals.values()), axis=0) if totals else None

    def masked(values: Floats) -> Floats:
        return values if n is None else np.where(n > 0, values, np.nan)

    return Shapes(latency_s=masked(shapes.latency_s), confidence=masked(shapes.confidence))


def _quality(tally: Tally, n_steps: int) -> dict[int, QualityLine]:
    keys = sorted(tally.labelled)
    tables = [tally.labelled[key] for key in keys]
    estimates: dict[int, list[Estimate]] = {}
    n: dict[int, list[int]] = {}
    for (version, place), table, estimate in zip(keys, tables, score(tables), strict=True):
        estimates.setdefault(version, [UNDEFINED] * n_steps)[place] = estimate
        n.setdefault(version, [0] * n_steps)[place] = sum(table.values())
    return {
        version: QualityLine(estimates=estimates[version], n=counts)
        for version, counts in n.items()
        if any(counts)
    }


def _live(model: str) -> int | None:
    live = registry.load_live_version(model)
    return live.number if live else None


def _load_baseline(model: str, version: int | None) -> Baseline | None:
    active = load_active(model, version) if version else None
    if version is None or active is None or not active.reference.confusion.any():
        return None
    labels, confusion = active.reference.sums.labels, active.reference.confusion
    macro_f1 = _judged(labels, confusion.astype("<i8").tobytes())
    return Baseline(version=version, reference=active.id, macro_f1=macro_f1)


def forget() -> None:
    """Start as a new process would: for benchmarks."""
    _judged.cache_clear()


@lru_cache(maxsize=64)
def _judged(labels: tuple[str, ...], confusion: bytes) -> Estimate:
    # Classes without an item take no part, as in `metrics.matrix`.
    counts = np.frombuffer(confusion, "<i8").reshape(len(labels), len(labels))
    held = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    kept = Matrix(tuple(labels[i] for i in held), counts[np.ix_(held, held)].astype(np.int64))
    return judge(kept).macro.f1
