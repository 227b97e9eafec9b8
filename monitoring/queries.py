"""The readers of the monitor that views and commands call."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from monitoring.quality.intervals import N_DRAWS
from monitoring.quality.metrics import matrix
from monitoring.quality.report import Quality, judge
from monitoring.rollups import By, Group, Scope, load_cells, load_counts
from registry import queries as registry

DRAWS_PER_ANSWER = 200 * N_DRAWS
FEWEST_DRAWS = 200


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


@dataclass(frozen=True, slots=True)
class QualityReport(GroupQuality):
    """The quality of all that `scope` means, and of its groups in order where it asks for some."""

    scope: Scope
    groups: tuple[GroupQuality, ...]


def load_quality(scope: Scope) -> QualityReport:
    """Judge a model by its roll-ups alone: the number of predictions does not change the cost.

    Groups in which nothing was predicted or labelled are left out. Raises ModelNotFound,
    VersionNotFound, and InvalidWindow if `scope.by` makes too many groups.
    """
    if scope.version is None:
        registry.load_model(scope.model)
    else:
        registry.load_version(scope.model, scope.version)
    counts, cells = load_counts(scope), load_cells(scope)
    total: Counter[tuple[str, str]] = Counter()
    for part in cells.values():
        total.update(part)
    # A thousand groups share the work of two hundred: this may run beside predictions.
    n_draws = max(FEWEST_DRAWS, min(N_DRAWS, DRAWS_PER_ANSWER // max(1, len(cells))))
    keys: list[Any] = [] if scope.by is By.NONE else sorted({*counts, *cells})
    return QualityReport(
        group=None,
        n_predicted=sum(counts.values()),
        quality=judge(matrix(total)),
        scope=scope,
        groups=tuple(
            GroupQuality(
                key, counts.get(key, 0), judge(matrix(cells.get(key, {})), n_draws=n_draws)
            )
            for key in keys
        ),
    )
