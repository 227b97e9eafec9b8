"""Two versions, or two windows, side by side."""

from dataclasses import dataclass

from monitoring.errors import InvalidFilter
from monitoring.quality.comparing import Comparison, compare
from monitoring.quality.metrics import matrix
from monitoring.queries import require
from monitoring.rollups import By, Scope, load_cells


@dataclass(frozen=True, slots=True)
class QualityComparison:
    """How the labels of `new` differ from those of `base`."""

    new: Scope
    base: Scope
    result: Comparison


def load_comparison(new: Scope, base: Scope) -> QualityComparison:
    """Compare what two scopes of one model show. A prediction belongs to one of them only.

    Raises ModelNotFound, VersionNotFound, and InvalidFilter where both share predictions: the test
    takes them for different ones.
    """
    if _overlap(new, base):
        raise InvalidFilter(
            "Both sides share predictions: name two versions by 'version' and 'with', or a window "
            "by 'base_from' and 'base_to' that does not touch the other.",
            details={"field": "with"},
        )
    for scope in (new, base):
        require(scope)
    cells = [load_cells(scope).get(None, {}) for scope in (base, new)]
    return QualityComparison(new, base, compare(*map(matrix, cells)))


def _overlap(new: Scope, base: Scope) -> bool:
    if new.by is not By.NONE or base.by is not By.NONE:
        raise ValueError("a comparison has no groups")
    are_apart = new.window.end <= base.window.start or base.window.end <= new.window.start
    one_version = new.version is None or base.version is None or new.version == base.version
    return one_version and not are_apart
