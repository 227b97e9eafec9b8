"""The readers of the monitor that views and commands call."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from monitoring.models import Source
from monitoring.quality import weighted
from monitoring.quality.intervals import N_DRAWS
from monitoring.quality.metrics import matrix
from monitoring.quality.report import Quality, judge
from monitoring.quality.weighted import Cell, weighted_matrix
from monitoring.rollups import By, Group, LabelKey, Scope, load_cells, load_counts, load_labels
from registry import queries as registry

DRAWS_PER_ANSWER = 200 * N_DRAWS
FEWEST_DRAWS = 200
SOURCE_DRAWS = 400
# What is said by whom the model was right about as often as by whom it was wrong.
TRUSTED = (Source.AUDIT.value, Source.DELAYED.value)

Pairs = dict[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class GroupQuality:
    """The quality of one group; `n_predicted` counts its predictions, labelled or not."""

    group: Group
    n_predicted: int
    quality: Quality

    @property
    def coverage(self) -> float | None:
        """Labelled predictions as a share of all; None without any."""
        return self.quality.n_labelled / self.n_predicted if self.n_predicted else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceQuality:
    """What one source's labels show. An audit's are weighed by the inverse of their probability.

    `n_effective` is how many equally weighted labels would tell as much.
    """

    source: str
    n_predicted: int
    n_effective: float
    quality: Quality

    @property
    def is_trusted(self) -> bool:
        """Whether its labels are no selection of mistakes: decisions may rest on them."""
        return self.source in TRUSTED

    @property
    def coverage(self) -> float | None:
        """Predictions with a label of this source as a share of all; None without any."""
        return self.quality.n_labelled / self.n_predicted if self.n_predicted else None


@dataclass(frozen=True, slots=True)
class QualityReport(GroupQuality):
    """The quality of all that `scope` means, and of its groups in order where it asks for some.

    `by_source` keeps the sources of labels apart; `quality` is of all of them together.
    """

    scope: Scope
    groups: tuple[GroupQuality, ...]
    by_source: tuple[SourceQuality, ...]

    @property
    def trusted(self) -> tuple[SourceQuality, ...]:
        """The sources that decisions may rest on; what users say is never among them."""
        return tuple(part for part in self.by_source if part.is_trusted)


def load_quality(scope: Scope) -> QualityReport:
    """Judge a model by its roll-ups alone: the number of predictions does not change the cost.

    Groups in which nothing was predicted or labelled are left out. Raises ModelNotFound,
    VersionNotFound, and InvalidWindow if `scope.by` makes too many groups.
    """
    require(scope)
    counts, labels = load_counts(scope), load_labels(scope)
    n_predicted = sum(counts.values())
    cells = {group: pairs_of(part) for group, part in labels.items()}
    # A thousand groups share the work of two hundred: this may run beside predictions.
    n_draws = max(FEWEST_DRAWS, min(N_DRAWS, DRAWS_PER_ANSWER // max(1, len(cells))))
    keys: list[Any] = [] if scope.by is By.NONE else sorted({*counts, *cells} - {None})
    # A prediction has no source of its own: each source could have labelled all of them.
    n_of_group = dict.fromkeys(keys, n_predicted) if scope.by is By.SOURCE else counts
    return QualityReport(
        group=None,
        n_predicted=n_predicted,
        quality=judge(matrix(_total(cells))),
        scope=scope,
        groups=tuple(
            GroupQuality(
                key, n_of_group.get(key, 0), judge(matrix(cells.get(key, {})), n_draws=n_draws)
            )
            for key in keys
        ),
        by_source=by_source(labels.values(), n_predicted),
    )


def load_total(scope: Scope) -> GroupQuality:
    """The quality of all that `scope` means, without groups and sources."""
    cells = load_cells(scope).get(None, {})
    return GroupQuality(None, load_counts(scope).get(None, 0), judge(matrix(cells)))


def require(scope: Scope) -> None:
    """Raise ModelNotFound or VersionNotFound where the registry does not have what is meant."""
    registry.require(scope.model, scope.version)


def pairs_of(labels: Mapping[LabelKey, Cell]) -> Pairs:
    """How many labels are (actual, predicted), of all sources together."""
    pairs: Counter[tuple[str, str]] = Counter()
    for (_, actual, predicted), cell in labels.items():
        pairs[actual, predicted] += cell.n
    return dict(pairs)


def _total(cells: Mapping[Group, Pairs]) -> Pairs:
    total: Counter[tuple[str, str]] = Counter()
    for part in cells.values():
        total.update(part)
    return dict(total)


def by_source(
    labels: Iterable[Mapping[LabelKey, Cell]], n_predicted: int
) -> tuple[SourceQuality, ...]:
    """What each source's part of `labels` shows, in alphabetical order."""
    cells: dict[str, dict[tuple[str, str], Cell]] = {}
    for part in labels:
        for (source, actual, predicted), cell in part.items():
            pairs = cells.setdefault(source, {})
            pair = actual, predicted
            pairs[pair] = pairs[pair] + cell if pair in pairs else cell
    judged = ((source, _judged(source, pairs)) for source, pairs in sorted(cells.items()))
    return tuple(
        SourceQuality(
            source=source, n_predicted=n_predicted, n_effective=n_effective, quality=quality
        )
        for source, (quality, n_effective) in judged
        if quality.n_labelled
    )


def _judged(source: str, cells: Mapping[tuple[str, str], Cell]) -> tuple[Quality, float]:
    if source == Source.AUDIT:
        found = weighted.judge(weighted_matrix(cells), n_draws=SOURCE_DRAWS)
        return found.quality, found.n_effective
    quality = judge(matrix({pair: cell.n for pair, cell in cells.items()}), n_draws=SOURCE_DRAWS)
    return quality, float(quality.n_labelled)
