"""What a shadow's answers add up to: cells of labels, sums, and the newest flips."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum

from inference.records import PredictionRecord
from monitoring.counters import Key, add
from monitoring.differences import edge_of
from monitoring.models import ShadowCell, ShadowFlip, ShadowTally
from monitoring.windows import Grain, floor

KEPT_FLIPS = 100
MILLION = 1_000_000
WITHIN = "within:"

Pair = tuple[str, int, int]


class ShadowSum(StrEnum):
    """What is summed beside the histogram, whose names are `within:` and an edge."""

    DIFFERENCE = "difference_millionths"
    PRIMARY = "primary_us"
    SHADOW = "shadow_us"
    FAILED = "failed"
    OFF = "off"


def keep_shadows(records: Sequence[PredictionRecord]) -> None:
    """Add what shadow records say to the sums, in the caller's transaction."""
    if not records:
        return
    cells: Counter[Key] = Counter()
    tallies: Counter[Key] = Counter()
    for record in records:
        hour = floor(datetime.fromtimestamp(record.at, UTC), Grain.HOUR)
        for name, n in _sums_of(record):
            model, primary, shadow = _pair_of(record)
            tallies[model, hour, primary, shadow, name] += n
        if record.compared is not None and record.compared.outcome == "compared":
            model, primary, shadow = _pair_of(record)
            cells[model, hour, primary, shadow, record.compared.primary_label, record.label] += 1
    add(ShadowCell, cells)
    add(ShadowTally, tallies)
    _keep_flips(records)


def _sums_of(record: PredictionRecord) -> Iterator[tuple[str, int]]:
    facts = record.compared
    if facts is None:
        return
    if facts.outcome != "compared":
        if facts.outcome in (ShadowSum.FAILED, ShadowSum.OFF):
            yield facts.outcome, 1
        return
    yield f"{WITHIN}{edge_of(facts.delta)}", 1
    yield ShadowSum.DIFFERENCE.value, round(facts.delta * MILLION)
    yield ShadowSum.PRIMARY.value, round(facts.seconds_primary * MILLION)
    yield ShadowSum.SHADOW.value, round(facts.seconds_shadow * MILLION)


def _pair_of(record: PredictionRecord) -> Pair:
    primary = record.compared.primary_version if record.compared else 0
    return record.model, primary, record.version


def _keep_flips(records: Sequence[PredictionRecord]) -> None:
    """Keep the newest flips of each pair of versions: an example to look at, not a history."""
    flips: defaultdict[Pair, list[ShadowFlip]] = defaultdict(list)
    for record in records:
        facts = record.compared
        if facts is None or facts.primary_id is None or facts.primary_label == record.label:
            continue
        flips[_pair_of(record)].append(
            ShadowFlip(
                model=record.model,
                primary_version=facts.primary_version,
                shadow_version=record.version,
                prediction=facts.primary_id,
                at=datetime.fromtimestamp(record.at, UTC),
                predicted=facts.primary_label,
                shadowed=record.label,
            )
        )
    for (model, primary, shadow), rows in flips.items():
        ShadowFlip.objects.bulk_create(rows[-KEPT_FLIPS:])
        kept = ShadowFlip.objects.filter(
            model=model, primary_version=primary, shadow_version=shadow
        ).order_by("-id")
        if oldest := list(kept.values_list("id", flat=True)[KEPT_FLIPS - 1 : KEPT_FLIPS]):
            kept.order_by().filter(id__lt=oldest[0]).delete()
