"""What both versions of a rollout have done, out of the sums and counters that traffic leaves."""

from datetime import datetime, timedelta

from monitoring.drift.grids import N_BINS
from monitoring.faults import SERVER_FAULTS
from monitoring.models import ShadowCell, Source
from monitoring.rollouts.evidence import Totals
from monitoring.rollouts.sequential import Tally
from monitoring.rollups import Scope, load_cells
from monitoring.traffic.windows import load_failures, load_sums
from monitoring.windows import Grain, Window, ceil, floor

# So much of the stable version's past says how slow and how unsure its answers usually are.
HISTORY = timedelta(hours=24)
# What users correct is no sample of what was wrong.
TRUSTED = (Source.AUDIT, Source.DELAYED)


def origin_of(created_at: datetime) -> datetime:
    """From where on a rollout counts: a whole hour, since that is what old slots become."""
    return floor(created_at - HISTORY, Grain.HOUR)


def load_totals(
    model: str, version: int, *, stable: int, origin: datetime, now: datetime
) -> Totals:
    """Everything that `version` did since `origin`; as a shadow beside `stable`, too."""
    window = Window(origin, ceil(now, Grain.MINUTE))
    sums = load_sums(model, version, start=origin, end=window.end)
    failures = load_failures(model, version, window)
    confidence = sums.confidence.sum(axis=0) if len(sums.labels) else Totals().confidence
    assert len(confidence) == N_BINS  # noqa: S101 - the grids are fixed
    return Totals(
        n=sums.n,
        n_failed=sum(n for code, n in failures.items() if code in SERVER_FAULTS),
        seconds=sums.seconds,
        confidence=confidence,
        labels={label: int(n) for label, n in zip(sums.labels, sums.label_counts, strict=True)},
        labelled=_labelled(model, version, window),
        compared=_compared(model, version, stable, window),
    )


def _labelled(model: str, version: int, window: Window) -> Tally:
    n = n_wrong = 0
    for source in TRUSTED:
        cells = load_cells(Scope(model=model, window=window, version=version, source=source))
        for (actual, predicted), count in cells.get(None, {}).items():
            n += count
            n_wrong += count if actual != predicted else 0
    return Tally(n, n_wrong)


def _compared(model: str, shadow: int, primary: int, window: Window) -> Tally:
    rows = ShadowCell.objects.filter(
        model=model,
        primary_version=primary,
        shadow_version=shadow,
        bucket__gte=window.start,
        bucket__lt=window.end,
    ).values_list("predicted", "shadowed", "n")
    cells = list(rows)
    return Tally(sum(n for _, _, n in cells), sum(n for was, shown, n in cells if was != shown))
